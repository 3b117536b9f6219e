//! The thread that stand-in servers run on.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

/// The runtime of the stand-in servers. It lives as long as the test process, whereas a
/// test's own runtime ends with the test and does nothing while the test blocks.
pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("upstreams".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .unwrap();
        handle
    })
}
