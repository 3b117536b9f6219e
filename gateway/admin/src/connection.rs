//! A connection to the admin socket, with an end to everybody's patience.

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

/// A client has this long to send its request, and to read the answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A request head may be this large; hyper takes no less.
const HEAD_BYTES: usize = 8 * 1024;

/// Serves one request and closes. Without keep-alive nobody can hold one of the
/// few places by doing nothing.
pub(crate) async fn serve(stream: UnixStream, control: Arc<dyn Control>) {
    // Counts the client's time only: it stands still while we work.
    let deadline = Rc::new(Cell::new(Some(Instant::now() + PATIENCE)));
    let service = service_fn(|request| {
        let (control, deadline) = (Arc::clone(&control), Rc::clone(&deadline));
        async move {
            let request = endpoints::receive(request).await;
            deadline.set(None);
            let response = match request {
                Ok(request) => endpoints::answer(request, control).await,
                Err(refused) => refused,
            };
            deadline.set(Some(Instant::now() + PATIENCE));
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    loop {
        // While we work there is no deadline; look again now and then.
        let until = deadline.get().unwrap_or_else(|| Instant::now() + PATIENCE);
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
