//! Copies of the body of a request, made while it passes, for those who send it once more.
//!
//! The body is never held back for them: what is too large for one is not kept for it.

use bytes::Bytes;
use tokio::sync::oneshot;

/// What those get who wait for a copy; nothing if the body does not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// The whole body.
    Whole(Bytes),
    /// It is larger than they want.
    TooLarge,
}

/// The body so far, and those who wait for all of it.
#[derive(Debug, Default)]
pub(crate) struct BodyCopy {
    bytes: Vec<u8>,
    /// With the largest body that each wants, in bytes.
    waiting: Vec<(usize, oneshot::Sender<Copied>)>,
}

impl BodyCopy {
    /// Adds somebody who waits for a copy of no more than so many bytes, before the first of them
    /// has come.
    pub(crate) fn request(&mut self, most: usize) -> oneshot::Receiver<Copied> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push((most, sender));
        receiver
    }

    /// Adds the next bytes.
    pub(crate) fn push(&mut self, data: &[u8]) {
        let size = self.bytes.len() + data.len();
        let fits =
            |(most, sender): &(usize, oneshot::Sender<_>)| *most >= size && !sender.is_closed();
        if !self.waiting.iter().all(fits) {
            let all = std::mem::take(&mut self.waiting);
            let (kept, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(fits);
            self.waiting = kept;
            for (_, sender) in gone {
                let _ = sender.send(Copied::TooLarge);
            }
        }
        match self.waiting.is_empty() {
            true => self.bytes = Vec::new(),
            false => self.bytes.extend_from_slice(data),
        }
    }

    /// Hands the whole body over.
    pub(crate) fn complete(self) {
        let bytes = Bytes::from(self.bytes);
        for (_, sender) in self.waiting {
            let _ = sender.send(Copied::Whole(bytes.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(most: &[usize], pieces: &[&str], is_complete: bool) -> Vec<Option<Copied>> {
        let mut copy = BodyCopy::default();
        let waiting: Vec<_> = most.iter().map(|most| copy.request(*most)).collect();
        for piece in pieces {
            copy.push(piece.as_bytes());
        }
        match is_complete {
            true => copy.complete(),
            false => drop(copy),
        }
        let got = waiting.into_iter().map(|mut waiting| waiting.try_recv());
        got.map(Result::ok).collect()
    }

    #[test]
    fn each_gets_no_more_than_it_wants() {
        let whole = |text: &'static str| Some(Copied::Whole(Bytes::from(text)));
        for (most, pieces, is_complete, expected) in [
            (&[4][..], &["ab", "cd"][..], true, vec![whole("abcd")]),
            (&[3], &["ab", "cd"], true, vec![Some(Copied::TooLarge)]),
            (&[0], &[], true, vec![whole("")]),
            (&[4], &["ab"], false, vec![None]),
            (
                &[1, 4, 3, 9],
                &["ab", "cd"],
                true,
                vec![
                    Some(Copied::TooLarge),
                    whole("abcd"),
                    Some(Copied::TooLarge),
                    whole("abcd"),
                ],
            ),
        ] {
            assert_eq!(copied(most, pieces, is_complete), expected, "{most:?}");
        }
    }

    #[test]
    fn nothing_is_kept_for_those_who_have_left() {
        let mut copy = BodyCopy::default();
        drop(copy.request(100));
        copy.push(b"abc");
        assert_eq!((copy.bytes.capacity(), copy.waiting.len()), (0, 0));
    }
}
