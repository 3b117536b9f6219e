//! One HTTP/2 connection to an upstream, and the task that drives it.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::Place;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Sharing;
use super::io::Io;
use super::liveness::{Liveness, Verdict};
use crate::transport::{ReadHalf, WriteHalf};
use crate::upstream_stream::{StreamShare, UpstreamStream, Usage};
use crate::upstream_tls;

/// How many bytes of a response the upstream may send before they are read.
const STREAM_WINDOW: u32 = 128 * 1024;
/// The same for all streams together: without a limit of its own, so that clients who do not read
/// their responses cannot stop those of others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// How many bytes of a request wait for the connection.
const SEND_BUFFER: usize = 128 * 1024;
/// How many cancelled streams are remembered for a second, in which what the upstream has already
/// sent on them is ignored without a word.
const CANCELLED: usize = 1000;
/// What the library takes for the limit of streams until the upstream has stated its own. No
/// upstream can state this number, which has more than 32 bits.
const UNSTATED: usize = usize::MAX - 1;

/// A connection that many requests share.
pub(crate) struct SharedConnection {
    pub(super) sharing: Sharing,
    /// None once the connection is to be closed.
    requests: RefCell<Option<SendRequest<Bytes>>>,
    usage: Rc<Usage>,
    /// How long the connection is kept without streams.
    idle_timeout: Cell<Duration>,
    /// The most streams at once; none until the upstream has stated its settings.
    max_streams: Cell<Option<usize>>,
    /// Notified when the settings have arrived, and when the connection has ended.
    settled: Notify,
    /// Why the connection has ended before the settings arrived.
    failure: RefCell<Option<Failure>>,
    has_ended: Cell<bool>,
    received: Rc<Cell<u64>>,
    liveness: RefCell<Liveness>,
    /// What the driver is to do next.
    is_asking: Cell<bool>,
    is_dead: Cell<bool>,
    driver: RefCell<Option<Waker>>,
}

impl SharedConnection {
    /// Begins HTTP/2 on a connection, and waits for the settings of the upstream: they tell that
    /// it speaks HTTP/2, and how many requests it takes at once. The place counts it among the
    /// connections of its upstream, and its number tells the worker that it belongs to.
    ///
    /// # Errors
    /// The upstream does not speak HTTP/2.
    pub(crate) async fn open(
        read: ReadHalf,
        write: WriteHalf,
        sharing: Sharing,
        (place, worker): (Place, usize),
    ) -> Result<Rc<Self>, Failure> {
        let received = Rc::new(Cell::new(0));
        let io = Io::new(read, write, Rc::clone(&received));
        let handshake = builder(&sharing).handshake(io).await;
        let (requests, connection) = handshake.map_err(|error| failure(&error))?;
        let this = Rc::new(Self {
            sharing,
            requests: RefCell::new(Some(requests)),
            usage: Rc::new(Usage::new(place.group(), worker)),
            idle_timeout: Cell::new(Duration::MAX),
            max_streams: Cell::new(None),
            settled: Notify::new(),
            failure: RefCell::new(None),
            has_ended: Cell::new(false),
            received,
            liveness: RefCell::new(Liveness::new(Instant::now())),
            is_asking: Cell::new(false),
            is_dead: Cell::new(false),
            driver: RefCell::new(None),
        });
        tokio::task::spawn_local(drive(Rc::clone(&this), connection, place));
        this.settle().await?;
        Ok(this)
    }

    /// Waits for the settings. If nobody does that any more, the connection is of no use.
    async fn settle(&self) -> Result<(), Failure> {
        let mut abandoned = Abandoned(Some(self));
        while self.max_streams.get().is_none() && !self.has_ended.get() {
            self.settled.notified().await;
        }
        abandoned.0 = None;
        self.failure.take().map_or(Ok(()), Err)
    }

    /// A stream for a request, if the upstream takes one more.
    pub(super) fn stream(&self, idle_timeout: Duration, now: Instant) -> Option<UpstreamStream> {
        let max_streams = self.max_streams.get()?;
        if self.has_ended.get() || self.usage.streams() >= max_streams {
            return None;
        }
        let mut requests = self.requests.borrow().clone()?;
        // After GOAWAY this is an error.
        let mut context = Context::from_waker(Waker::noop());
        if !matches!(requests.poll_ready(&mut context), Poll::Ready(Ok(()))) {
            return None;
        }
        self.idle_timeout.set(idle_timeout);
        self.liveness.borrow_mut().request(now);
        Some(UpstreamStream::new(requests, StreamShare::new(&self.usage)))
    }

    /// True if the connection is open and has no streams.
    pub(super) fn is_idle(&self) -> bool {
        self.usage.streams() == 0 && self.requests.borrow().is_some()
    }

    /// True once the connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Closes the connection if it has not been used for long, and asks the upstream whether it is
    /// alive if it has been silent for long.
    pub(super) fn tick(&self, now: Instant) {
        let since = self.usage.changed();
        if self.usage.streams() == 0 {
            if now.saturating_duration_since(since) >= self.idle_timeout.get() {
                self.close();
            }
            return;
        }
        let received = self.received.get();
        match self.liveness.borrow_mut().look(received, since, now) {
            Verdict::Alive => return,
            Verdict::Ask => self.is_asking.set(true),
            Verdict::Dead => self.is_dead.set(true),
        }
        self.wake();
    }

    /// Takes no more requests. The connection ends with its last stream.
    pub(super) fn close(&self) {
        self.requests.take();
        self.wake();
    }

    fn wake(&self) {
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    fn poll(
        &self,
        context: &mut Context<'_>,
        connection: &mut h2::client::Connection<Io, Bytes>,
        pings: &mut Option<PingPong>,
    ) -> Poll<Result<(), h2::Error>> {
        let mut driver = self.driver.borrow_mut();
        if !driver
            .as_ref()
            .is_some_and(|known| known.will_wake(context.waker()))
        {
            *driver = Some(context.waker().clone());
        }
        drop(driver);
        if self.is_dead.get() {
            return Poll::Ready(Ok(()));
        }
        if let Some(pings) = pings {
            // The answer counts as received bytes, so that nothing else is to be done about it.
            let _ = pings.poll_pong(context);
            if self.is_asking.take() {
                let _ = pings.send_ping(Ping::opaque());
            }
        }
        let polled = Pin::new(&mut *connection).poll(context);
        let stated = connection.max_concurrent_send_streams();
        if stated != UNSTATED && self.max_streams.replace(Some(stated)).is_none() {
            self.settled.notify_waiters();
        }
        polled
    }
}

/// Drives a connection to its end. Its streams then fail if they are not complete.
async fn drive(
    this: Rc<SharedConnection>,
    mut connection: h2::client::Connection<Io, Bytes>,
    place: Place,
) {
    let mut pings = connection.ping_pong();
    let ended = poll_fn(|context| this.poll(context, &mut connection, &mut pings)).await;
    if this.max_streams.get().is_none() {
        let words = "the connection was closed before the settings of HTTP/2 arrived";
        let closed = || Failure::with(Kind::NoHttp2, words);
        let failure = ended.err().map_or_else(closed, |error| failure(&error));
        *this.failure.borrow_mut() = Some(failure);
    }
    this.has_ended.set(true);
    this.requests.take();
    // Whoever has waited for the place finds the connection gone.
    drop(connection);
    drop(place);
    this.settled.notify_waiters();
}

/// Closes a connection whose opening was given up.
struct Abandoned<'a>(Option<&'a SharedConnection>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.is_dead.set(true);
            connection.wake();
        }
    }
}

fn builder(sharing: &Sharing) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(sharing.max_head).unwrap_or(u32::MAX))
        .max_concurrent_reset_streams(CANCELLED)
        // Frames that are late for a cancelled stream count as errors of the upstream, over the
        // life of the connection: with a limit, clients that cancel could end it for all others.
        .max_local_error_reset_streams(None)
        .initial_max_send_streams(UNSTATED);
    builder
}

/// The failure of a connection whose settings did not arrive.
fn failure(error: &h2::Error) -> Failure {
    if let Some(refused) = error.get_io().and_then(upstream_tls::refusal) {
        return refused;
    }
    Failure::with(Kind::NoHttp2, error.to_string())
}
