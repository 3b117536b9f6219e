//! A task that ends when its handle is dropped.

use std::future::Future;

use tokio::task::AbortHandle;

/// The handle of a task.
#[derive(Debug)]
pub(crate) struct Background(AbortHandle);

impl Background {
    /// Runs the task beside the current one.
    pub(crate) fn run(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
