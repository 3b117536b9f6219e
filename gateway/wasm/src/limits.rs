//! Limits on the memory of an instance: its linear memories and its tables together.

use wasmtime::ResourceLimiter;

use crate::structure::{MAX_MEMORIES, MAX_TABLES};

/// What an element of a table takes, in bytes: a pointer to a function. There are no other
/// tables, because references to objects are off.
const TABLE_ELEMENT: usize = 8;
/// The maximum number of core instances of one component. A Python component has about
/// thirty.
const MAX_CORE_INSTANCES: usize = 256;

/// Limits the total size of the linear memories and tables of one instance, in bytes.
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

    /// What is in use, in bytes.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Adds this many bytes, unless that is above the limit.
    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let is_allowed = used <= self.limit;
        match is_allowed {
            true => self.used = used,
            false => self.refused = true,
        }
        is_allowed
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        Ok(self.grow(more.saturating_mul(TABLE_ELEMENT)))
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    // The structure of a component has been checked for the same numbers. This holds too for
    // components that are compiled without that.
    fn tables(&self) -> usize {
        usize::try_from(MAX_TABLES).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        usize::try_from(MAX_MEMORIES).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut limit = MemoryLimit::new(1_000);
        assert!(limit.memory_growing(0, 400, None).unwrap());
        assert!(limit.table_growing(0, 40, None).unwrap());
        assert!(!limit.is_nearly_full());
        // Only what is added counts.
        assert!(limit.table_growing(40, 60, None).unwrap());
        assert!(limit.is_nearly_full());
        assert!(!limit.take_refused());
        assert!(!limit.table_growing(60, 76, None).unwrap());
        assert!(limit.take_refused());
        assert!(limit.memory_growing(400, 520, None).unwrap());
        assert!(!limit.memory_growing(520, 521, None).unwrap());
        assert!(!limit.table_growing(60, usize::MAX, None).unwrap());
    }
}
