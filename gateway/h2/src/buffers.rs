//! Spare buffers, which all connections of a thread share, so that an idle connection holds
//! none and a busy one allocates none.

use std::cell::RefCell;

/// The capacity of a small buffer: heads and small bodies fit.
pub(crate) const SMALL: usize = 4 * 1024;
/// The largest capacity that is kept.
const LARGE: usize = 128 * 1024;
/// How many small buffers a thread keeps.
const SPARE_SMALL: usize = 64;
/// How many larger ones it keeps.
const SPARE_LARGE: usize = 8;

#[derive(Default)]
struct Spare {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Makes room for `more` bytes: in a spare buffer, if this one has none, or is small and has to
/// grow.
#[inline]
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        replace(buffer, more);
    }
}

fn replace(buffer: &mut Vec<u8>, more: usize) {
    let needed = buffer.len() + more;
    let spare = SPARE.with_borrow_mut(|spare| match needed {
        ..=SMALL => spare.small.pop(),
        _ => spare.large.pop(),
    });
    if needed > SMALL && spare.is_none() && buffer.capacity() > SMALL {
        buffer.reserve(more);
        return;
    }
    let mut larger = spare.unwrap_or_default();
    larger.reserve(needed.max(SMALL));
    larger.extend_from_slice(buffer);
    give_back(std::mem::replace(buffer, larger));
}

/// Keeps a buffer for the next connection that needs one.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    let capacity = buffer.capacity();
    if !(SMALL..=LARGE).contains(&capacity) {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        let (list, most) = match capacity {
            SMALL => (&mut spare.small, SPARE_SMALL),
            _ => (&mut spare.large, SPARE_LARGE),
        };
        if list.len() < most {
            list.push(buffer);
        }
    });
}
