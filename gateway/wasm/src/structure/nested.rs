//! Reads the types of components, which may be nested in each other.
//!
//! wasmparser reads nested types by recursion, so it gets only those that nest nothing.

use wasmparser::{BinaryReader, ComponentType, ComponentTypeDeclaration};

use super::Fault;
use super::limits::{MAX_TYPE_DEPTH, check_items};

/// The first bytes of a declaration that is a type, and of the types that nest declarations.
const DECLARED_TYPE: u8 = 0x01;
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// The types of a section.
pub(super) struct Types {
    /// With their declarations.
    pub(super) items: u64,
    pub(super) depth: u64,
}

impl Types {
    /// Reads no further than the first limit.
    pub(super) fn read(mut reader: BinaryReader<'_>) -> Result<Self, Fault> {
        let mut types = Self { items: 0, depth: 0 };
        // How many are still to be read, on each level.
        let mut open = vec![reader.read_var_u32()?];
        while let Some(left) = open.last_mut() {
            if *left == 0 {
                open.pop();
                continue;
            }
            *left -= 1;
            types.items += 1;
            check_items(types.items)?;
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
                    types.depth = types.depth.max(open.len() as u64);
                    if types.depth > MAX_TYPE_DEPTH {
                        let (what, depth) = ("levels of nested types", types.depth);
                        return Err(Fault::excess(what, depth, MAX_TYPE_DEPTH));
                    }
                }
                _ => drop(reader.read::<ComponentType<'_>>()?),
            }
        }
        Ok(types)
    }
}
