//! A connection to the admin socket, with time limits.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until};

use crate::{Control, endpoints};

/// The time limit for a client to send its request and to read the response.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum size of a request head; hyper does not accept a lower limit.
const HEAD_BYTES: usize = 8 * 1024;

/// Serves one request and closes. There is no keep-alive, so that an idle
/// client cannot occupy one of the few connections.
pub(crate) async fn serve(stream: UnixStream, control: Arc<dyn Control>) {
    // Runs only while the client sends or reads; there is none while the
    // request is being carried out.
    let deadline = Rc::new(Cell::new(Some(Instant::now() + CLIENT_TIMEOUT)));
    let service = service_fn(|request| {
        let (control, deadline) = (Arc::clone(&control), Rc::clone(&deadline));
        async move {
            let request = endpoints::receive(request).await;
            deadline.set(None);
            let response = match request {
                Ok(request) => endpoints::answer(request, control).await,
                Err(refused) => refused,
            };
            deadline.set(Some(Instant::now() + CLIENT_TIMEOUT));
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CLIENT_TIMEOUT)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    loop {
        // Without a deadline, check again later.
        let until = deadline
            .get()
            .unwrap_or_else(|| Instant::now() + CLIENT_TIMEOUT);
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "admin connection");
                }
                return;
            }
            () = sleep_until(until) => {
                if deadline.get().is_some_and(|deadline| deadline <= Instant::now()) {
                    tracing::debug!("admin connection: the client took too long");
                    return;
                }
            }
        }
    }
}
