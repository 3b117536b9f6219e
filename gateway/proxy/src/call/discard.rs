//! The rest of a response that is not used, because its request is sent again.

use std::rc::Rc;
use std::time::Duration;

use janua_http::{Length, ResponseHead};

use super::response::UpstreamResponse;
use crate::deadline::Deadline;
use crate::upload::UploadState;
use crate::worker::Worker;

/// The longest body that is read so that its connection can be used again.
const MOST: u64 = 64 * 1024;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads a short body in a task of its own, so that the request need not wait, and keeps the
/// connection. The connection of a long one is closed, or its stream reset.
pub(super) fn discard(worker: &Rc<Worker>, mut response: UpstreamResponse, head: ResponseHead) {
    let is_long = match response.connection.incoming.length() {
        Length::Exactly(length) => length > MOST,
        Length::None | Length::Open => false,
    };
    if is_long || response.upload != UploadState::Sent || !head.keep_alive {
        return;
    }
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let mut deadline = Deadline::new(PATIENCE);
        let body = &mut response.connection.incoming;
        if body.discard(MOST, PATIENCE, &mut deadline).await {
            let now = worker.clock.now();
            response.put_back(&worker, &head, now);
        }
    });
}

#[cfg(test)]
mod tests;
