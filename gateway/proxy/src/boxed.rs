//! Futures in boxes.

use std::future::Future;
use std::pin::Pin;

/// A future that is made in its box, and not on the stack and then copied there. That of a request
/// has several kilobytes.
pub(crate) fn in_box<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}
