//! Parts of files for connections over which the kernel cannot send files by itself.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::task::Poll;

thread_local! {
    // One for each worker. A poll borrows it for one read of a file.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads at most `count` bytes of a file from `offset` on, and passes them to `send`, which returns
/// how many it has sent; 0 at the end of the file.
pub(crate) fn send(
    file: &File,
    offset: u64,
    count: usize,
    send: impl FnOnce(&[u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < count {
            buffer.resize(count, 0);
        }
        let part = buffer.get_mut(..count).unwrap_or_default();
        let read = file.read_at(part, offset)?;
        match part.get(..read).unwrap_or_default() {
            [] => Poll::Ready(Ok(0)),
            part => send(part),
        }
    })
}
