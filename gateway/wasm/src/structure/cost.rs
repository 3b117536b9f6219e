//! What each instantiation of a component or module adds.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentInstanceSectionReader, ComponentOuterAliasKind, Instance, InstanceSectionReader,
};

use super::Fault;

/// What one instance of a component or module consists of, with all instances in it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Items of components, and the imports of modules.
    pub(super) items: u64,
    /// What modules define.
    pub(super) definitions: u64,
    pub(super) memories: u64,
    pub(super) tables: u64,
}

/// A component or module that is being read.
#[derive(Default)]
pub(super) struct Level {
    pub(super) is_module: bool,
    /// The costs of the components in its index space.
    components: Vec<Cost>,
    /// The same of its modules.
    modules: Vec<Cost>,
    /// Its own.
    pub(super) cost: Cost,
}

impl Cost {
    pub(super) fn add(&mut self, more: Self) {
        self.items = self.items.saturating_add(more.items);
        self.definitions = self.definitions.saturating_add(more.definitions);
        self.memories = self.memories.saturating_add(more.memories);
        self.tables = self.tables.saturating_add(more.tables);
    }

    /// The larger of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            items: self.items.max(other.items),
            definitions: self.definitions.max(other.definitions),
            memories: self.memories.max(other.memories),
            tables: self.tables.max(other.tables),
        }
    }
}

impl Level {
    pub(super) fn new(is_module: bool) -> Self {
        Self {
            is_module,
            ..Self::default()
        }
    }

    /// Adds a component or module that has been read to the index space.
    pub(super) fn push(&mut self, inner: &Self) {
        match inner.is_module {
            true => self.modules.push(inner.cost),
            false => self.components.push(inner.cost),
        }
    }

    /// Adds what is exported to the index space once more.
    pub(super) fn repeat(&mut self, kind: ComponentExternalKind, index: u32) -> Result<(), Fault> {
        let costs = match kind {
            ComponentExternalKind::Module => &mut self.modules,
            ComponentExternalKind::Component => &mut self.components,
            _ => return Ok(()),
        };
        let cost = at(costs, index)?;
        costs.push(cost);
        Ok(())
    }

    /// Adds instances of modules, and returns how many items they are.
    pub(super) fn core_instances(
        &mut self,
        section: InstanceSectionReader<'_>,
    ) -> Result<u64, Fault> {
        self.instances(section, |level, instance| match instance {
            Instance::Instantiate { module_index, args } => {
                Ok((args.len(), at(&level.modules, module_index)?))
            }
            Instance::FromExports(exports) => Ok((exports.len(), Cost::default())),
        })
    }

    /// Adds instances of components, and returns how many items they are.
    pub(super) fn component_instances(
        &mut self,
        section: ComponentInstanceSectionReader<'_>,
    ) -> Result<u64, Fault> {
        self.instances(section, |level, instance| match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => Ok((args.len(), at(&level.components, component_index)?)),
            ComponentInstance::FromExports(exports) => Ok((exports.len(), Cost::default())),
        })
    }

    fn instances<T>(
        &mut self,
        instances: impl IntoIterator<Item = Result<T, BinaryReaderError>>,
        cost: impl Fn(&Self, T) -> Result<(usize, Cost), Fault>,
    ) -> Result<u64, Fault> {
        let mut items = 0;
        for instance in instances {
            let (args, cost) = cost(self, instance?)?;
            items += 1 + args as u64;
            self.cost.add(cost);
        }
        Ok(items)
    }
}

fn at(costs: &[Cost], index: u32) -> Result<Cost, Fault> {
    let cost = costs.get(index as usize).copied();
    cost.ok_or_else(|| Fault::Invalid(format!("there is no module or component {index}")))
}

/// Adds what an alias refers to to the index space of the innermost level.
pub(super) fn alias(levels: &mut [Level], alias: &ComponentAlias<'_>) -> Result<(), Fault> {
    match alias {
        ComponentAlias::InstanceExport {
            kind: ComponentExternalKind::Module | ComponentExternalKind::Component,
            ..
        } => Err(Fault::passed()),
        ComponentAlias::Outer { kind, count, index } => {
            let depth = levels.len().checked_sub(1 + *count as usize);
            let outer = depth.and_then(|depth| levels.get(depth));
            let outer = outer.ok_or_else(|| Fault::Invalid("an alias of nothing".to_owned()))?;
            let (is_module, cost) = match kind {
                ComponentOuterAliasKind::CoreModule => (true, at(&outer.modules, *index)?),
                ComponentOuterAliasKind::Component => (false, at(&outer.components, *index)?),
                _ => return Ok(()),
            };
            if let Some(level) = levels.last_mut() {
                match is_module {
                    true => level.modules.push(cost),
                    false => level.components.push(cost),
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
