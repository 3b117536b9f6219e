//! One stream: a request and its response.

use std::task::{Context, Waker};

use janua_http::Fields;

use crate::buffers;
use crate::error::StreamError;
use crate::priority::Priority;
use crate::timers::Timer;

/// How much of the request has been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiving {
    /// More may come.
    Open,
    /// All of it has been received, and the reader does not know yet.
    Ended,
    /// All of it has been received and read.
    Read,
}

/// How much of the response has been queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Not its head, but possibly interim ones.
    Head,
    /// The head, and a part of the body.
    Body,
    /// All of it.
    Ended,
}

/// Whether a stream has to wait until others have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has nothing to send, or has not asked.
    None,
    /// It is in the queue.
    Waiting,
    /// It has left the queue, and may send now.
    Granted,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) receiving: Receiving,
    pub(crate) sending: Sending,
    pub(crate) turn: Turn,
    /// The next data that is sent completely is the last.
    pub(crate) is_ending: bool,
    /// It counts among the concurrent streams.
    pub(crate) is_counted: bool,
    pub(crate) priority: Priority,
    pub(crate) failure: Option<StreamError>,
    /// Until when its data may wait for a window of the client.
    pub(crate) stall: Timer,
    /// How much the client may send, and how much it has sent that was read, and of which it has
    /// not been told.
    pub(crate) receive_window: i64,
    pub(crate) credit: u32,
    pub(crate) send_window: i64,
    /// How much of the request's body is missing, if it has declared a length.
    pub(crate) expected: Option<u64>,
    /// How much of the response's body is missing, if its length is known.
    pub(crate) left: Option<u64>,
    /// How many bytes of the response's body have been queued.
    pub(crate) sent: u64,
    /// The end of its last frame in all that the connection writes.
    pub(crate) position: u64,
    received: Vec<u8>,
    read: usize,
    pub(crate) trailers: Option<Box<Fields>>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl Stream {
    pub(crate) fn new(id: u32, receive_window: i64, send_window: i64) -> Self {
        Self {
            id,
            receiving: Receiving::Open,
            sending: Sending::Head,
            turn: Turn::None,
            is_ending: false,
            is_counted: true,
            priority: Priority::default(),
            failure: None,
            stall: Timer::Off,
            receive_window,
            credit: 0,
            send_window,
            expected: None,
            left: None,
            sent: 0,
            position: 0,
            received: Vec::new(),
            read: 0,
            trailers: None,
            receiver: None,
            sender: None,
        }
    }

    /// True if the client does not count it among its concurrent streams any more.
    pub(crate) fn is_closed(&self) -> bool {
        let is_complete = self.receiving != Receiving::Open && self.sending == Sending::Ended;
        is_complete || self.failure.is_some()
    }

    /// Appends bytes of the request's body.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if self.read > 0 && self.read >= self.received.len() / 2 {
            self.received.drain(..self.read);
            self.read = 0;
        }
        buffers::reserve(&mut self.received, data.len());
        self.received.extend_from_slice(data);
        self.wake_receiver();
    }

    /// The bytes of the request's body that have not been read.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.received.get(self.read..).unwrap_or_default()
    }

    /// The memory of what was received, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.received.capacity()
    }

    /// Removes bytes that have been read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.read += count;
        if self.read >= self.received.len() {
            self.drop_received();
        }
    }

    /// Removes all bytes, and returns how many had not been read.
    pub(crate) fn drop_received(&mut self) -> usize {
        let waiting = self.waiting().len();
        buffers::give_back(std::mem::take(&mut self.received));
        self.read = 0;
        waiting
    }

    pub(crate) fn await_data(&mut self, context: &Context<'_>) {
        register(&mut self.receiver, context);
    }

    pub(crate) fn await_room(&mut self, context: &Context<'_>) {
        register(&mut self.sender, context);
    }

    pub(crate) fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    /// Wakes who waits for the stream's own window. One that is in the queue is woken in turn.
    pub(crate) fn wake_sender_of_window(&mut self) {
        if self.turn == Turn::None {
            self.wake_sender();
        }
    }

    pub(crate) fn wake_sender(&mut self) {
        if let Some(waker) = self.sender.take() {
            waker.wake();
        }
    }
}

/// Keeps the waker of a pending poll.
pub(crate) fn register(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}
