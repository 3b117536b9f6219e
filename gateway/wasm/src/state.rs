//! The host's state of an instance, kept in its wasmtime store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::budget::Budget;
use crate::capabilities::Borrowed;
use crate::limits::MemoryLimit;
use crate::log::{LineLog, Speaker};
use crate::wasi;

/// The maximum number of WASI resources (streams, pollables) of one instance.
const MAX_RESOURCES: usize = 1_024;

pub(crate) struct HostState {
    pub(crate) memory: MemoryLimit,
    pub(crate) budget: Budget,
    pub(crate) log: LineLog,
    pub(crate) table: ResourceTable,
    /// The secrets of the call under way.
    pub(crate) borrowed: Borrowed,
    wasi: WasiCtx,
    /// Whether the call has read a clock or random numbers.
    impure: Arc<AtomicBool>,
}

impl HostState {
    pub(crate) fn new(speaker: Arc<Speaker>, memory_limit: usize) -> Self {
        let log = LineLog::new(speaker);
        let impure = Arc::new(AtomicBool::new(false));
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            memory: MemoryLimit::new(memory_limit),
            budget: Budget::default(),
            wasi: wasi::restricted(&impure),
            log,
            table,
            borrowed: Borrowed::default(),
            impure,
        }
    }

    /// Whether a clock or random numbers were read since the last call of this method.
    pub(crate) fn take_impure(&self) -> bool {
        self.impure.load(Ordering::Relaxed) && self.impure.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn mark_impure(&self) {
        self.impure.store(true, Ordering::Relaxed);
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
