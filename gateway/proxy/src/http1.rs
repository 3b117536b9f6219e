//! A client's HTTP/1 connection: one exchange after another.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::boxed::in_box;
use crate::life;
use crate::responder::Fate;
use crate::session::Session;
use crate::worker::Worker;

/// How many pipelined requests are answered before other tasks of the worker run.
const MAX_PIPELINED: u32 = 16;

/// Serves the connection, which has this number among those of the worker, until it is to be
/// closed. Returns how: [`Fate::KeepAlive`] if it was idle for too long.
pub(crate) async fn serve(session: &mut Session, worker: &Rc<Worker>, number: usize) -> Fate {
    let mut pipelined = 0;
    while wait(session, worker, number).await {
        // Boxed, so that an idle connection does not hold the memory of this future.
        match in_box(|| life::run(session, worker)).await {
            Fate::KeepAlive => {
                session.incoming.reader.release_buffer();
                session.outgoing.writer.release_buffer();
                pipelined = if session.incoming.reader.buffered().is_empty() {
                    0
                } else {
                    pipelined + 1
                };
                if pipelined == MAX_PIPELINED {
                    pipelined = 0;
                    tokio::task::yield_now().await;
                }
            }
            fate => return fate,
        }
    }
    Fate::KeepAlive
}

/// Waits for a request; false if the connection has been idle for too long or the worker
/// is draining, or the listener is gone. The first request must begin within the timeout for its head.
pub(crate) async fn wait(session: &mut Session, worker: &Rc<Worker>, number: usize) -> bool {
    let local = worker.snapshot();
    let Some(listener) = local.listener(session.listener) else {
        return false;
    };
    let patience = if session.requests == 0 {
        listener.head_timeout
    } else {
        listener.idle_timeout
    };
    let expires_at = session.expires_at(listener);
    drop(local);
    let is_new = session.requests == 0;
    let listener = session.listener;
    let Session {
        incoming, deadline, ..
    } = session;
    let reader = &mut incoming.reader;
    deadline.set_cap(expires_at);
    if is_new {
        deadline.set(patience);
    } else {
        // The clock was read when the last exchange ended, just now.
        deadline.set_from(worker.clock.last(), patience);
    }
    poll_fn(|context| {
        // The runtime assumes that a new socket is readable until a read shows otherwise.
        // Without this read, a client that sends nothing would count as a request and
        // delay the end of the process.
        let readable = if is_new && reader.buffered().is_empty() {
            reader.poll_fill(context).map(drop)
        } else {
            reader.poll_readable(context)
        };
        if readable.is_ready() {
            return Poll::Ready(true);
        }
        if !worker.wait(number, listener, context.waker()) {
            return Poll::Ready(false);
        }
        deadline.poll(context).map(|_| false)
    })
    .await
}
