//! Who is told of changes, apart from the log.

use std::fmt;
use std::sync::OnceLock;

use super::transition::Transition;

/// Who is told of changes, apart from the log. Called on any thread, workers included: it must
/// return at once.
pub type Observer = Box<dyn Fn(&Transition) + Send + Sync>;

/// The observer of all endpoints, once there is one.
#[derive(Default)]
pub(crate) struct Observed(OnceLock<Observer>);

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observed")
    }
}

impl Observed {
    /// Tells this one from now on, unless there is one already.
    pub(crate) fn set(&self, observer: Observer) {
        let _ = self.0.set(observer);
    }

    pub(super) fn tell(&self, transition: &Transition) {
        if let Some(observer) = self.0.get() {
            observer(transition);
        }
    }
}
