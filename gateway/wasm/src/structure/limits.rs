//! How large a structure may be, and what is said of one that is larger.

use super::Fault;
use super::cost::Cost;

/// The largest component file, in bytes.
pub(crate) const MAX_SIZE: usize = 64 << 20;
/// How deep components may be nested in components.
pub(super) const MAX_DEPTH: u64 = 8;
/// Components and modules in a file.
pub(super) const MAX_PARTS: u64 = 500;
/// How deep the types of components and instances may be nested in each other.
pub(super) const MAX_TYPE_DEPTH: u64 = 16;
/// Items of components: types and their declarations, imports, exports, aliases, instances
/// and their arguments, canonical functions.
pub(super) const MAX_ITEMS: u64 = 50_000;
/// The same items, counted once for each time that their component is instantiated.
pub(super) const MAX_FLATTENED: u64 = 100_000;
/// Items of modules: types, imports, functions, tables, memories, globals, exports, segments.
pub(super) const MAX_MODULE_ITEMS: u64 = 500_000;
/// What modules define, counted once for each time that their module is instantiated. An
/// instance takes up to 64 bytes for each.
pub(super) const MAX_DEFINITIONS: u64 = 500_000;
/// Memories of one instance. Each reserves 4 GiB of addresses. With 256 MiB, each access would
/// have to be checked: a call takes 1.1 (Rust) to 1.24 times as long (JavaScript, Python).
pub(crate) const MAX_MEMORIES: u64 = 4;
/// Tables of one instance.
pub(crate) const MAX_TABLES: u64 = 64;
/// The code of one function, in bytes. The time and the memory of the compiler grow faster
/// than the function.
pub(super) const MAX_FUNCTION: u64 = 1 << 20;

/// What compiled code of a component has been held against. Code that was compiled with other
/// limits is not used.
pub(crate) const ALL: [u64; 11] = [
    MAX_SIZE as u64,
    MAX_DEPTH,
    MAX_PARTS,
    MAX_TYPE_DEPTH,
    MAX_ITEMS,
    MAX_FLATTENED,
    MAX_MODULE_ITEMS,
    MAX_DEFINITIONS,
    MAX_MEMORIES,
    MAX_TABLES,
    MAX_FUNCTION,
];

/// What was counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) depth: u64,
    pub(super) parts: u64,
    pub(super) type_depth: u64,
    pub(super) items: u64,
    pub(super) module_items: u64,
    pub(super) function: u64,
    /// The largest of all components, counted as often as they are instantiated in it.
    pub(super) instance: Cost,
}

impl Totals {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let Cost {
            items,
            definitions,
            memories,
            tables,
        } = self.instance;
        let table = [
            ("levels of nested components", self.depth, MAX_DEPTH),
            ("levels of nested types", self.type_depth, MAX_TYPE_DEPTH),
            ("bytes in one function", self.function, MAX_FUNCTION),
            ("components and modules", self.parts, MAX_PARTS),
            ("items in components", self.items, MAX_ITEMS),
            ("items in all instances", items, MAX_FLATTENED),
            ("items in modules", self.module_items, MAX_MODULE_ITEMS),
            ("memories in all instances", memories, MAX_MEMORIES),
            ("tables in all instances", tables, MAX_TABLES),
            (
                "definitions in all instances of modules",
                definitions,
                MAX_DEFINITIONS,
            ),
        ];
        let beyond = table.into_iter().find(|(_, found, limit)| found > limit);
        match beyond {
            Some((what, found, limit)) => Err(Fault::excess(what, found, limit)),
            None => Ok(()),
        }
    }
}

/// Checks a number of items before their section has been counted.
pub(super) fn check_items(items: u64) -> Result<(), Fault> {
    match items > MAX_ITEMS {
        true => Err(Fault::excess("items in components", items, MAX_ITEMS)),
        false => Ok(()),
    }
}

/// Checks the size of a file.
pub(crate) fn check_size(bytes: u64) -> Result<(), Fault> {
    match bytes > MAX_SIZE as u64 {
        true => Err(Fault::excess("bytes", bytes, MAX_SIZE as u64)),
        false => Ok(()),
    }
}
