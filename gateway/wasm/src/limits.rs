//! Limits on the memory and tables of an instance.

use wasmtime::ResourceLimiter;

/// The maximum number of elements in a table. Each takes 8 bytes.
const MAX_TABLE_ELEMENTS: usize = 1_000_000;
/// The maximum number of core instances, of tables and of memories of one component. A
/// Python component has about thirty.
const MAX_CORE_ITEMS: usize = 256;

/// Limits the total size of the linear memories of one instance, in bytes.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    used: usize,
    refused: bool,
}

impl MemoryLimit {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            refused: false,
        }
    }

    /// Whether growth was refused since the last call of this method.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// Whether more than three quarters are used, so that the instance should be
    /// replaced before it fails.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.used / 3 > self.limit / 4
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_CORE_ITEMS
    }

    fn tables(&self) -> usize {
        MAX_CORE_ITEMS
    }

    fn memories(&self) -> usize {
        MAX_CORE_ITEMS
    }
}
