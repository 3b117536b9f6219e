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
//! | memories, tables of all instances | 1, 2 | 2, 2 | 1, 2 |
//! | definitions in all instances of modules | 704 | 9,408 | 21,839 |
//! | bytes in the largest function | 16,333 | 54,010 | 426,843 |
//!
//! A large function is therefore no matter of structure: what it costs to compile is limited
//! where it is compiled (`apart`).

use wasmparser::{
    BinaryReader, ComponentExportSectionReader, ComponentExternalKind,
    ComponentImportSectionReader, ComponentTypeRef, Encoding, Parser, Payload, WasmFeatures,
};

use crate::component::LoadError;

mod cost;
mod limits;
mod nested;

use cost::{Cost, Level};
pub(crate) use limits::{ALL as LIMITS, MAX_MEMORIES, MAX_SIZE, MAX_TABLES, check_size};
use limits::{Totals, check_items};
use nested::Types;

/// What the pass has found out about a component.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// The names of its imports.
    pub(crate) imports: Vec<String>,
    /// The names of its exported instances.
    pub(crate) exports: Vec<String>,
    totals: Totals,
}

/// Why a structure is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be read.
    Invalid(String),
    /// It is above a limit.
    Excess(String),
}

impl Structure {
    /// Reads a component that may use these features.
    pub(crate) fn read(bytes: &[u8], features: WasmFeatures) -> Result<Self, Fault> {
        check_size(bytes.len() as u64)?;
        let mut found = Self::default();
        let mut levels: Vec<Level> = Vec::new();
        let mut parser = Parser::new(0);
        parser.set_features(features);
        for payload in parser.parse_all(bytes) {
            found.take(bytes, features, payload?, &mut levels)?;
            found.totals.check()?;
        }
        Ok(found)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        features: WasmFeatures,
        payload: Payload<'_>,
        levels: &mut Vec<Level>,
    ) -> Result<(), Fault> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.totals.depth = self.totals.depth.max(levels.len() as u64);
                self.totals.parts += 1;
                levels.push(Level::new(encoding == Encoding::Module));
                return Ok(());
            }
            Payload::End(_) => {
                let ended = levels.pop().unwrap_or_default();
                if let Some(outer) = levels.last_mut() {
                    outer.push(&ended);
                }
                return Ok(());
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len() as u64;
                self.totals.function = self.totals.function.max(bytes);
                return Ok(());
            }
            _ => {}
        }
        let is_root = levels.len() == 1;
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        if let Some(cost) = cost_in_module(&payload) {
            self.totals.module_items += cost.items + cost.definitions;
            level.cost.add(cost);
            return Ok(());
        }
        let items = match payload {
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let data = bytes.get(range.clone()).unwrap_or_default();
                let reader = BinaryReader::new_features(data, range.start, features);
                let types = Types::read(reader)?;
                self.totals.type_depth = self.totals.type_depth.max(types.depth);
                types.items
            }
            Payload::CoreTypeSection(section) => u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => u64::from(section.count()),
            Payload::ComponentImportSection(section) => self.imports(section, is_root)?,
            Payload::ComponentExportSection(section) => self.exports(section, is_root, level)?,
            Payload::ComponentAliasSection(section) => {
                let count = u64::from(section.count());
                for alias in section {
                    cost::alias(levels, &alias?)?;
                }
                count
            }
            Payload::InstanceSection(section) => level.core_instances(section)?,
            Payload::ComponentInstanceSection(section) => level.component_instances(section)?,
            _ => 0,
        };
        self.totals.items += items;
        if let Some(level) = levels.last_mut() {
            level.cost.items = level.cost.items.saturating_add(items);
            self.totals.instance = self.totals.instance.max(level.cost);
        }
        Ok(())
    }

    /// Returns the number of imports, and keeps the names of those of the component itself.
    fn imports(
        &mut self,
        section: ComponentImportSectionReader<'_>,
        is_root: bool,
    ) -> Result<u64, Fault> {
        let count = u64::from(section.count());
        check_items(self.totals.items.saturating_add(count))?;
        for import in section {
            let import = import?;
            if let ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_) = import.ty {
                return Err(Fault::passed());
            }
            if is_root {
                self.imports.push(import.name.name.to_owned());
            }
        }
        Ok(count)
    }

    /// The same of exports.
    fn exports(
        &mut self,
        section: ComponentExportSectionReader<'_>,
        is_root: bool,
        level: &mut Level,
    ) -> Result<u64, Fault> {
        let count = u64::from(section.count());
        check_items(self.totals.items.saturating_add(count))?;
        for export in section {
            let export = export?;
            if is_root && export.kind == ComponentExternalKind::Instance {
                self.exports.push(export.name.name.to_owned());
            }
            // An export is an item of the index space again.
            level.repeat(export.kind, export.index)?;
        }
        Ok(count)
    }
}

/// What a section of a module adds to the cost of each of its instances; none if it is another
/// section.
fn cost_in_module(payload: &Payload<'_>) -> Option<Cost> {
    let defined = |definitions: u32| Cost {
        definitions: u64::from(definitions),
        ..Cost::default()
    };
    Some(match payload {
        Payload::TypeSection(section) => defined(section.count()),
        // What an instantiation refers to.
        Payload::ImportSection(section) => Cost {
            items: u64::from(section.count()),
            ..Cost::default()
        },
        Payload::FunctionSection(section) => defined(section.count()),
        Payload::TableSection(section) => Cost {
            tables: u64::from(section.count()),
            ..defined(section.count())
        },
        Payload::MemorySection(section) => Cost {
            memories: u64::from(section.count()),
            ..defined(section.count())
        },
        Payload::TagSection(section) => defined(section.count()),
        Payload::GlobalSection(section) => defined(section.count()),
        Payload::ExportSection(section) => defined(section.count()),
        Payload::ElementSection(section) => defined(section.count()),
        Payload::DataSection(section) => defined(section.count()),
        _ => return None,
    })
}

impl Fault {
    pub(crate) fn refusal(self) -> LoadError {
        match self {
            Self::Invalid(why) => LoadError::Invalid(why),
            Self::Excess(why) => LoadError::Structure(why),
        }
    }

    fn excess(what: &str, found: u64, limit: u64) -> Self {
        Self::Excess(format!(
            "it has {found} {what}, and at most {limit} are allowed"
        ))
    }

    fn passed() -> Self {
        Self::Excess(
            "it passes modules or components to each other as values, which is not supported"
                .to_owned(),
        )
    }
}

impl From<wasmparser::BinaryReaderError> for Fault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
