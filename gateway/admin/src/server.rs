//! The thread of the admin socket: accepts connections until the server is
//! dropped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

use crate::socket::{self, BindError, BoundSocket, SocketOptions};
use crate::{Control, connection};

/// The most connections served at once; more wait in the socket's accept queue.
const CONNECTIONS: usize = 32;

/// A running admin endpoint. Dropping it ends the thread and removes the
/// socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds the socket and serves it on a separate thread.
    ///
    /// # Errors
    /// See [`BindError`]. After an error nothing remains.
    pub fn start(options: &SocketOptions, control: Arc<dyn Control>) -> Result<Self, BindError> {
        let bound = socket::bind(options)?;
        let path = bound.path().to_owned();
        let failed = |doing| {
            let path = path.clone();
            move |source| BindError::Io {
                doing,
                path,
                source,
            }
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            // Reloads run one at a time; the other requests are short.
            .max_blocking_threads(8)
            .build()
            .map_err(failed("start the runtime of"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("janua-admin".to_owned())
            .spawn(move || {
                let served = LocalSet::new().block_on(&runtime, serve(bound, control, stopped));
                if let Err(error) = served {
                    tracing::error!(%error, "the admin endpoint ended");
                }
                // Does not wait for a reload in progress.
                runtime.shutdown_background();
            })
            .map_err(failed("start the thread of"))?;
        Ok(Self {
            path,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already been logged.
            let _ = thread.join();
        }
    }
}

async fn serve(
    bound: BoundSocket,
    control: Arc<dyn Control>,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let BoundSocket { listener, file } = bound;
    let listener = UnixListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            _ = &mut stopped => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let control = Arc::clone(&control);
                tokio::task::spawn_local(async move {
                    connection::serve(stream, control).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Probably out of file descriptors, because of the traffic
                // served.
                tracing::warn!(%error, "the admin socket cannot accept");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    // The socket's file is removed before the last connection ends, so that new
    // clients see at once that no gateway is running.
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests;
