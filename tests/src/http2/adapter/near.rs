//! The two ends of the memory between a wire and its adapter, and what they tell each other
//! beyond bytes: that the wire was dropped or wants a reset, and why the connection ended.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::oneshot;

use super::Ending;
use crate::wire::Stream;

/// The wire's end.
#[derive(Debug)]
pub(crate) struct Near {
    duplex: DuplexStream,
    socket: Weak<OwnedFd>,
    shared: Arc<Shared>,
    /// The other end notices that this is dropped.
    _alive: oneshot::Sender<()>,
}

/// The adapter's end, without the bytes.
#[derive(Debug)]
pub(super) struct Far {
    shared: Arc<Shared>,
    near: oneshot::Receiver<()>,
    /// Another descriptor of the connection's socket, for as long as the connection lasts.
    _socket: Option<Arc<OwnedFd>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Why the connection was reset.
    reset: OnceLock<String>,
    /// Whether dropping the wire is to reset the connection.
    aborts: AtomicBool,
}

/// The ends for a connection, with so much memory in between in each direction.
pub(super) fn pair(connection: &Stream, size: usize) -> (Near, DuplexStream, Far) {
    let socket = connection.tcp().map(|stream| {
        let copy = stream.as_fd().try_clone_to_owned();
        Arc::new(copy.expect("a descriptor is left"))
    });
    let (duplex, other) = tokio::io::duplex(size);
    let (alive, near) = oneshot::channel();
    let shared = Arc::new(Shared::default());
    let near_end = Near {
        duplex,
        socket: socket.as_ref().map(Arc::downgrade).unwrap_or_default(),
        shared: Arc::clone(&shared),
        _alive: alive,
    };
    let far = Far {
        shared,
        near,
        _socket: socket,
    };
    (near_end, other, far)
}

impl Near {
    /// Changes options of the connection's socket, if it still exists.
    pub(crate) fn with_socket(&self, change: impl FnOnce(SockRef<'_>)) {
        if let Some(socket) = self.socket.upgrade() {
            change(SockRef::from(&*socket));
        }
    }

    /// Makes the end of this connection a reset, once this is dropped.
    pub(crate) fn abort_on_drop(&self) {
        self.shared.aborts.store(true, SeqCst);
    }
}

impl Far {
    /// Waits until the wire is dropped. Must not be called again after that.
    pub(super) async fn dropped(&mut self) {
        let _ = (&mut self.near).await;
    }

    /// Whether the connection is to end by a reset.
    pub(super) fn is_aborted(&self) -> bool {
        self.shared.aborts.load(SeqCst)
    }

    /// Says how the connection ends, before the memory is dropped.
    pub(super) fn end(&self, ending: &Ending) {
        if let Ending::Reset(why) = ending {
            let _ = self.shared.reset.set(why.clone());
        }
    }
}

impl AsyncRead for Near {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.duplex).poll_read(context, buffer);
        let is_end = matches!(polled, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        match this.shared.reset.get() {
            Some(why) if is_end => {
                let kind = io::ErrorKind::ConnectionReset;
                Poll::Ready(Err(io::Error::new(kind, why.clone())))
            }
            _ => polled,
        }
    }
}

impl AsyncWrite for Near {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().duplex).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().duplex).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().duplex).poll_shutdown(context)
    }
}
