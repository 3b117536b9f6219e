//! The beginning of a request's body, which is kept until the response begins, so that the request
//! can be sent again.
//!
//! What is kept is bounded for each request by its route, and for each worker by [`MOST`], so that
//! it is bounded for the process. A request whose body does not fit is sent all the same, but once.

use std::cell::Cell;

use bytes::Bytes;
use janua_http::Fields;

/// How many bytes of bodies a worker keeps.
const MOST: usize = 16 * 1024 * 1024;

thread_local! {
    /// How many bytes this worker keeps.
    static KEPT: Cell<usize> = const { Cell::new(0) };
}

/// A share of what the worker may keep, which is given back when it is dropped.
#[derive(Debug, Default)]
struct Share(usize);

impl Share {
    /// Takes room for more bytes; false if there is none.
    fn grow(&mut self, bytes: usize) -> bool {
        let kept = KEPT.get().saturating_add(bytes);
        if kept > MOST {
            return false;
        }
        KEPT.set(kept);
        self.0 += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        KEPT.set(KEPT.get().saturating_sub(self.0));
    }
}

/// A body that can be sent again. It is boxed, so that other calls do not carry the room that it
/// takes.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) body: Vec<u8>,
    /// The trailers, if this is the whole body.
    pub(crate) end: Option<Fields>,
    share: Share,
}

/// What was read of a body for a connection of HTTP/1, or begins with a body that is sent again.
#[derive(Debug)]
pub(crate) struct Kept {
    replay: Replay,
    limit: usize,
    /// It was too large.
    is_cut: bool,
}

impl Kept {
    /// Keeps a body of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Box<Self> {
        Box::new(Self {
            replay: Replay {
                body: Vec::new(),
                end: None,
                share: Share::default(),
            },
            limit,
            is_cut: false,
        })
    }

    /// Keeps on with a body that was kept before.
    pub(crate) fn from_replay(replay: Replay, limit: usize) -> Box<Self> {
        Box::new(Self {
            replay,
            limit,
            is_cut: false,
        })
    }

    /// More of the body.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if self.is_cut {
            return;
        }
        let is_too_large = self.replay.body.len() + data.len() > self.limit;
        if is_too_large || !self.replay.share.grow(data.len()) {
            self.is_cut = true;
            self.replay.body = Vec::new();
            self.replay.share = Share::default();
            return;
        }
        self.replay.body.extend_from_slice(data);
    }

    /// The end of the body.
    pub(crate) fn end(&mut self, trailers: &Fields) {
        self.replay.end = Some(trailers.clone());
    }

    /// True if all that was read is known.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// What was read; none if it was too large.
    pub(crate) fn into_replay(self) -> Option<Box<Replay>> {
        self.is_whole().then(|| Box::new(self.replay))
    }
}

/// What was sent of a body on a stream of HTTP/2. The bytes are shared with those that wait to be
/// written.
#[derive(Debug)]
pub(crate) struct Sent {
    pieces: Vec<Bytes>,
    size: usize,
    limit: usize,
    share: Share,
    /// The trailers, if the body was sent to its end.
    end: Option<Fields>,
    /// It was too large, or is not needed any more.
    is_forgotten: bool,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            size: 0,
            limit: usize::MAX,
            share: Share::default(),
            end: None,
            is_forgotten: false,
        }
    }
}

impl Sent {
    /// Keeps no more than this.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// More of the body.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.is_forgotten {
            return;
        }
        self.size += bytes.len();
        if self.size > self.limit || !self.share.grow(bytes.len()) {
            return self.forget();
        }
        self.pieces.push(bytes);
    }

    /// The end of the body.
    pub(crate) fn end(&mut self, trailers: Fields) {
        self.end = Some(trailers);
    }

    /// Keeps nothing any more.
    pub(crate) fn forget(&mut self) {
        self.pieces = Vec::new();
        self.share = Share::default();
        self.is_forgotten = true;
    }

    /// True if all that was sent is known.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_forgotten
    }

    /// What can be sent again, with what was read and not sent yet. `announced` are the trailers
    /// of a body whose end was not sent yet.
    pub(crate) fn replay(&mut self, announced: Option<Fields>) -> Option<Box<Replay>> {
        if self.is_forgotten {
            return None;
        }
        Some(Box::new(Replay {
            body: std::mem::take(&mut self.pieces).concat(),
            end: announced.or_else(|| self.end.take()),
            share: std::mem::take(&mut self.share),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_up_to_its_limit() {
        let mut kept = Kept::new(8);
        kept.push(b"1234");
        kept.push(b"5678");
        let replay = kept.into_replay().unwrap();
        assert_eq!(
            (&*replay.body, replay.end.is_some()),
            (&b"12345678"[..], false)
        );
        // The second attempt reads on where the first has ended.
        let mut kept = Kept::from_replay(*replay, 10);
        kept.push(b"90");
        kept.end(&Fields::default());
        let replay = kept.into_replay().unwrap();
        assert_eq!(
            (&*replay.body, replay.end.is_some()),
            (&b"1234567890"[..], true)
        );
        let mut kept = Kept::from_replay(*replay, 10);
        kept.push(b"x");
        kept.push(b"");
        assert!(!kept.is_whole() && kept.into_replay().is_none());
        assert_eq!(KEPT.get(), 0);
    }

    #[test]
    fn a_worker_keeps_no_more_than_it_may() {
        let body = vec![0; 1 << 20];
        let mut all: Vec<_> = (0..17)
            .map(|_| {
                let mut kept = Kept::new(1 << 20);
                kept.push(&body);
                kept
            })
            .collect();
        let whole = all.iter().filter(|kept| kept.is_whole()).count();
        assert_eq!((whole, KEPT.get()), (16, MOST));
        let mut sent = Sent::default();
        sent.push(Bytes::from_static(b"x"));
        assert!(!sent.is_whole());
        all.clear();
        assert_eq!(KEPT.get(), 0);
        let mut sent = Sent::default();
        sent.push(Bytes::from_static(b"x"));
        assert!(sent.is_whole());
        let replay = sent.replay(None).unwrap();
        drop(sent);
        assert_eq!((&*replay.body, KEPT.get()), (&b"x"[..], 1));
        drop(replay);
        assert_eq!(KEPT.get(), 0);
    }
}
