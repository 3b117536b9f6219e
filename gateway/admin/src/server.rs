//! The endpoint's thread: accepts connections and ends with the server.

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

/// Connections served at the same time; more wait in the socket's queue.
const CONNECTIONS: usize = 32;

/// A running admin endpoint. It ends, and its socket is removed, when this is
/// dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds the socket and answers on it from a thread of its own.
    ///
    /// # Errors
    /// See [`BindError`]. Nothing is left behind.
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
            // Reloads wait for one another; the rest are short.
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
                // A reload under way is not waited for.
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
            // It panicked, if it did, in the open; there is nothing to add.
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
                // Out of file descriptors, most likely: the traffic's, not ours.
                tracing::warn!(%error, "the admin socket cannot accept");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    // The file goes before the last connection does: who connects from now on
    // is told at once that nobody is there.
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests;
