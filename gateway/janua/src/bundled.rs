//! The bundled policies, embedded in the binary.

/// Name and component of each, in alphabetical order; `build.rs` writes the list.
static POLICIES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The names that [`component`] knows.
pub(crate) fn names() -> Vec<&'static str> {
    POLICIES.iter().map(|(name, _)| *name).collect()
}

/// The component of the bundled policy with this name.
pub(crate) fn component(name: &str) -> Option<&'static [u8]> {
    let (_, component) = POLICIES.iter().find(|(known, _)| *known == name)?;
    Some(component)
}
