//! The structure of a component, checked before wasmtime sees it.
//!
//! Validation and code generation follow the structure wherever it leads: nested types
//! are read by recursion, a nested component takes half a megabyte, and a few hundred
//! bytes can instantiate each other a billion times. So this pass counts first. It reads
//! each byte at most once, never recurses, and keeps only a few numbers per item.
//!
//! The limits are for a whole file, with all that is nested in it. They are several times
//! what the largest honest components need, which are those with an interpreter inside:
//!
//! | | bundled policy | JavaScript | Python |
//! |---|---|---|---|
//! | components and modules | 5 | 13 | 17 |
//! | levels of nested components | 1 | 2 | 1 |
//! | levels of nested types | 2 | 2 | 2 |
//! | items of components | 486 | 1,202 | 3,812 |
//! | the same in all instances | 516 | 1,359 | 6,064 |
//! | items of modules | 734 | 9,565 | 24,091 |
//! | bytes in the largest function | 16,333 | 54,010 | 426,843 |
//!
//! A large function is therefore no matter of structure: what it costs to compile is limited
//! where it is compiled (`apart`).

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentInstance, ComponentOuterAliasKind, ComponentType,
    ComponentTypeDeclaration, ComponentTypeRef, Encoding, Instance, Parser, Payload,
};

/// The largest component file, in bytes.
pub(crate) const MAX_SIZE: usize = 64 << 20;
/// How deep components may be nested in components.
const MAX_DEPTH: usize = 8;
/// Components and modules in a file.
const MAX_PARTS: u64 = 500;
/// How deep the types of components and instances may be nested in each other.
const MAX_TYPE_DEPTH: usize = 16;
/// Items of components: types and their declarations, imports, exports, aliases, instances
/// and their arguments, canonical functions.
const MAX_ITEMS: u64 = 50_000;
/// The same items, counted once for each time that their component is instantiated.
const MAX_FLATTENED: u64 = 100_000;
/// Items of modules: types, imports, functions, tables, memories, globals, exports, segments.
const MAX_MODULE_ITEMS: u64 = 500_000;
/// The code of one function, in bytes. The time and the memory of the compiler grow faster
/// than the function.
const MAX_FUNCTION: usize = 1 << 20;

/// What the pass has found out about a component.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// The names of its imports.
    pub(crate) imports: Vec<String>,
    /// The names of its exported instances.
    pub(crate) exports: Vec<String>,
    totals: Totals,
}

/// What was counted, in the order of the limits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Totals {
    depth: usize,
    parts: u64,
    type_depth: usize,
    items: u64,
    flattened: u64,
    module_items: u64,
    function: usize,
}

/// Why a structure is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be read.
    Invalid(String),
    /// It is above a limit.
    Excess(String),
}

/// A component or module that is being read.
#[derive(Default)]
struct Level {
    is_module: bool,
    /// The cost of each instantiation of the components in its index space.
    components: Vec<u64>,
    /// The same of its modules.
    modules: Vec<u64>,
    cost: u64,
}

impl Structure {
    /// Reads a component.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > MAX_SIZE {
            return Err(excess("bytes", bytes.len(), MAX_SIZE));
        }
        let mut found = Self::default();
        let mut levels: Vec<Level> = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            found.take(bytes, payload?, &mut levels)?;
            found.totals.check()?;
        }
        Ok(found)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        payload: Payload<'_>,
        levels: &mut Vec<Level>,
    ) -> Result<(), Fault> {
        let is_root = levels.len() == 1;
        match payload {
            Payload::Version { encoding, .. } => {
                self.totals.depth = self.totals.depth.max(levels.len());
                self.totals.parts += 1;
                levels.push(Level {
                    is_module: encoding == Encoding::Module,
                    ..Level::default()
                });
                return Ok(());
            }
            Payload::End(_) => {
                let ended = levels.pop().unwrap_or_default();
                match levels.last_mut() {
                    Some(outer) if ended.is_module => outer.modules.push(ended.cost),
                    Some(outer) => outer.components.push(ended.cost),
                    None => self.totals.flattened = ended.cost,
                }
                return Ok(());
            }
            Payload::CodeSectionEntry(body) => {
                self.totals.function = self.totals.function.max(body.range().len());
                return Ok(());
            }
            _ => {}
        }
        if let Some(items) = items_of_module(&payload) {
            self.totals.module_items += u64::from(items);
            // What an instantiation of a module refers to.
            if let (Payload::ImportSection(_), Some(level)) = (&payload, levels.last_mut()) {
                level.cost += u64::from(items);
            }
            return Ok(());
        }
        let items = match payload {
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let data = bytes.get(range.clone()).unwrap_or_default();
                self.types(BinaryReader::new(data, range.start))?
            }
            Payload::CoreTypeSection(section) => u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => u64::from(section.count()),
            Payload::ComponentImportSection(section) => {
                let count = u64::from(section.count());
                for import in section {
                    let import = import?;
                    if let ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_) = import.ty
                    {
                        return Err(passed());
                    }
                    if is_root {
                        self.imports.push(import.name.name.to_owned());
                    }
                    self.totals.check_names(self.imports.len())?;
                }
                count
            }
            Payload::ComponentExportSection(section) => {
                let count = u64::from(section.count());
                for export in section {
                    let export = export?;
                    if is_root && export.kind == wasmparser::ComponentExternalKind::Instance {
                        self.exports.push(export.name.name.to_owned());
                    }
                    // An export is an item of the index space again.
                    if let Some(level) = levels.last_mut() {
                        level.repeat(export.kind, export.index)?;
                    }
                    self.totals.check_names(self.exports.len())?;
                }
                count
            }
            Payload::ComponentAliasSection(section) => {
                let count = u64::from(section.count());
                for alias in section {
                    alias_into(levels, &alias?)?;
                }
                count
            }
            Payload::InstanceSection(section) => instances(
                levels.last_mut(),
                section.into_iter().map(|instance| match instance? {
                    Instance::Instantiate { module_index, args } => {
                        Ok((args.len(), Some(Of::Module(module_index))))
                    }
                    Instance::FromExports(exports) => Ok((exports.len(), None)),
                }),
            )?,
            Payload::ComponentInstanceSection(section) => instances(
                levels.last_mut(),
                section.into_iter().map(|instance| match instance? {
                    ComponentInstance::Instantiate {
                        component_index,
                        args,
                    } => Ok((args.len(), Some(Of::Component(component_index)))),
                    ComponentInstance::FromExports(exports) => Ok((exports.len(), None)),
                }),
            )?,
            _ => 0,
        };
        self.totals.items += items;
        if let Some(level) = levels.last_mut() {
            level.cost += items;
            self.totals.flattened = self.totals.flattened.max(level.cost);
        }
        Ok(())
    }

    /// Counts the types of a section with their declarations. wasmparser reads nested types
    /// by recursion, so it gets only those that nest nothing.
    fn types(&mut self, mut reader: BinaryReader<'_>) -> Result<u64, Fault> {
        let mut items = 0;
        // How many are still to be read, on each level.
        let mut open = vec![reader.read_var_u32()?];
        while let Some(left) = open.last_mut() {
            if *left == 0 {
                open.pop();
                continue;
            }
            *left -= 1;
            items += 1;
            if items > MAX_ITEMS {
                return Err(excess("items in components", items, MAX_ITEMS));
            }
            let mut ahead = reader.clone();
            if open.len() > 1 {
                if ahead.read_u8()? != DECLARED_TYPE {
                    reader.read::<ComponentTypeDeclaration<'_>>()?;
                    continue;
                }
                reader = ahead.clone();
            }
            match ahead.read_u8()? {
                COMPONENT_TYPE | INSTANCE_TYPE => {
                    open.push(ahead.read_var_u32()?);
                    reader = ahead;
                    self.totals.type_depth = self.totals.type_depth.max(open.len());
                    self.totals.check()?;
                }
                _ => drop(reader.read::<ComponentType<'_>>()?),
            }
        }
        Ok(items)
    }
}

/// The first bytes of a declaration that is a type, and of the types that nest declarations.
const DECLARED_TYPE: u8 = 0x01;
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// What an instance is made of.
enum Of {
    Module(u32),
    Component(u32),
}

/// Adds the cost of instances to a level, and returns the number of their items.
fn instances(
    level: Option<&mut Level>,
    instances: impl Iterator<Item = Result<(usize, Option<Of>), Fault>>,
) -> Result<u64, Fault> {
    let Some(level) = level else { return Ok(0) };
    let mut items = 0;
    for instance in instances {
        let (args, of) = instance?;
        items += 1 + args as u64;
        let cost = match of {
            None => 0,
            Some(Of::Module(index)) => cost_of(&level.modules, index)?,
            Some(Of::Component(index)) => cost_of(&level.components, index)?,
        };
        level.cost = level.cost.saturating_add(cost);
        if level.cost > MAX_FLATTENED {
            return Err(excess("items in all instances", level.cost, MAX_FLATTENED));
        }
    }
    Ok(items)
}

fn cost_of(costs: &[u64], index: u32) -> Result<u64, Fault> {
    let cost = costs.get(index as usize).copied();
    cost.ok_or_else(|| Fault::Invalid(format!("there is no module or component {index}")))
}

fn alias_into(levels: &mut [Level], alias: &ComponentAlias<'_>) -> Result<(), Fault> {
    use wasmparser::ComponentExternalKind::{Component, Module};
    match alias {
        ComponentAlias::InstanceExport {
            kind: Module | Component,
            ..
        } => Err(passed()),
        ComponentAlias::Outer { kind, count, index } => {
            let outer = |levels: &[Level]| {
                let depth = levels.len().checked_sub(1 + *count as usize)?;
                let level = levels.get(depth)?;
                match kind {
                    ComponentOuterAliasKind::CoreModule => level.modules.get(*index as usize),
                    ComponentOuterAliasKind::Component => level.components.get(*index as usize),
                    _ => Some(&0),
                }
                .copied()
            };
            let cost =
                outer(levels).ok_or_else(|| Fault::Invalid("an alias of nothing".to_owned()))?;
            if let Some(level) = levels.last_mut() {
                match kind {
                    ComponentOuterAliasKind::CoreModule => level.modules.push(cost),
                    ComponentOuterAliasKind::Component => level.components.push(cost),
                    _ => {}
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Level {
    /// Adds a component or module to the index space that is already there.
    fn repeat(&mut self, kind: wasmparser::ComponentExternalKind, index: u32) -> Result<(), Fault> {
        let costs = match kind {
            wasmparser::ComponentExternalKind::Module => &mut self.modules,
            wasmparser::ComponentExternalKind::Component => &mut self.components,
            _ => return Ok(()),
        };
        let cost = cost_of(costs, index)?;
        costs.push(cost);
        Ok(())
    }
}

/// The number of items in a section of a module; none if it is another section.
fn items_of_module(payload: &Payload<'_>) -> Option<u32> {
    Some(match payload {
        Payload::TypeSection(section) => section.count(),
        Payload::ImportSection(section) => section.count(),
        Payload::FunctionSection(section) => section.count(),
        Payload::TableSection(section) => section.count(),
        Payload::MemorySection(section) => section.count(),
        Payload::TagSection(section) => section.count(),
        Payload::GlobalSection(section) => section.count(),
        Payload::ExportSection(section) => section.count(),
        Payload::ElementSection(section) => section.count(),
        Payload::DataSection(section) => section.count(),
        _ => return None,
    })
}

impl Totals {
    fn check(&self) -> Result<(), Fault> {
        let depths = [
            ("levels of nested components", self.depth, MAX_DEPTH),
            ("levels of nested types", self.type_depth, MAX_TYPE_DEPTH),
            ("bytes in one function", self.function, MAX_FUNCTION),
        ];
        let counts = [
            ("components and modules", self.parts, MAX_PARTS),
            ("items in components", self.items, MAX_ITEMS),
            ("items in all instances", self.flattened, MAX_FLATTENED),
            ("items in modules", self.module_items, MAX_MODULE_ITEMS),
        ];
        let depths = depths.map(|(what, n, limit)| (what, n as u64, limit as u64));
        let beyond = depths.into_iter().chain(counts);
        match beyond.into_iter().find(|(_, n, limit)| n > limit) {
            Some((what, n, limit)) => Err(excess(what, n, limit)),
            None => Ok(()),
        }
    }

    /// Checks a number of names before the section with them has been counted.
    fn check_names(&self, names: usize) -> Result<(), Fault> {
        match names as u64 > MAX_ITEMS {
            true => Err(excess("items in components", names, MAX_ITEMS)),
            false => Ok(()),
        }
    }
}

fn excess(what: &str, found: impl ToString, limit: impl ToString) -> Fault {
    let (found, limit) = (found.to_string(), limit.to_string());
    Fault::Excess(format!(
        "it has {found} {what}, and at most {limit} are allowed"
    ))
}

fn passed() -> Fault {
    Fault::Excess(
        "it passes modules or components to each other as values, which is not supported"
            .to_owned(),
    )
}

impl From<wasmparser::BinaryReaderError> for Fault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
