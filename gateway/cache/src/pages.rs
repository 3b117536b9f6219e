//! A body in memory as the pages of a file that has no name (`memfd_create`).
//!
//! The kernel sends them as they are (`sendfile`), where bytes of this process
//! would be copied into the socket first: of a 100 KB hit that copy is about a
//! third of the work. Each costs a file descriptor, so that only larger bodies
//! are held like this, and only so many.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rustix::fs::MemfdFlags;

use crate::entry::Body;

/// What is smaller is as cheap to copy as to look after.
const LEAST: usize = 32 * 1024;

/// The most bodies that are held like this at once.
const MOST: usize = 4096;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Pages that hold a body. They never change.
#[derive(Debug)]
pub struct Pages {
    file: Arc<File>,
    length: u64,
}

impl Pages {
    /// Takes a body over; `None` if it is better held as bytes.
    fn of(body: &Bytes) -> Option<Self> {
        if body.len() < LEAST || HELD.load(Ordering::Relaxed) >= MOST {
            return None;
        }
        let file = rustix::fs::memfd_create("janua-cache", MemfdFlags::CLOEXEC).ok()?;
        let mut file = File::from(file);
        file.write_all(body).ok()?;
        HELD.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            file: Arc::new(file),
            length: body.len() as u64,
        })
    }

    /// The file: the body is all of it.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Body {
    /// A whole body in memory, in the form that is cheaper to send.
    pub(crate) fn held(body: Bytes) -> Self {
        match Pages::of(&body) {
            Some(pages) => Self::Pages(Arc::new(pages)),
            None => Self::Bytes(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn large_bodies_become_pages_and_keep_their_bytes() {
        let small = Bytes::from(vec![1; LEAST - 1]);
        assert!(matches!(Body::held(small), Body::Bytes(_)));
        let large: Vec<u8> = (0..LEAST * 3).map(|at| (at % 251) as u8).collect();
        let Body::Pages(pages) = Body::held(Bytes::from(large.clone())) else {
            panic!("held as bytes");
        };
        assert_eq!(pages.length(), large.len() as u64);
        let mut read = vec![0; large.len()];
        pages.file().read_exact_at(&mut read, 0).unwrap();
        assert_eq!(read, large);
    }
}
