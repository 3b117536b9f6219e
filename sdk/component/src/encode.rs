//! Makes a component of a core module, and shows what a component imports and exports.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_component::{
    ComponentEncoder, DecodedWasm, OutputToString, StringEncoding, WitPrinter, decode,
    embed_component_metadata,
};

/// A world of the contract.
pub(crate) fn resolve(wit: &str, world: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(wit)
        .with_context(|| format!("cannot read the interfaces in {wit}"))?;
    let world = resolve.select_world(&[package], Some(world))?;
    Ok((resolve, world))
}

/// Writes a component whose core is this module. The module may import WASI 0.1, which an adapter
/// provides from WASI 0.2.
pub(crate) fn encode(wit: &str, world: &str, module: &Path, component: &Path) -> Result<()> {
    let (resolve, world) = resolve(wit, world)?;
    let mut bytes =
        fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    let encoded = ComponentEncoder::default()
        .module(&bytes)?
        .adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )?
        .validate(true)
        .encode()
        .with_context(|| format!("{} does not fit the world", module.display()))?;
    fs::write(component, encoded).with_context(|| format!("cannot write {}", component.display()))
}

/// The world of a component, as WIT.
pub(crate) fn interface(component: &Path) -> Result<String> {
    let bytes =
        fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
    let DecodedWasm::Component(resolve, world) = decode(&bytes)? else {
        bail!("{} is no component", component.display());
    };
    let Some(package) = resolve.worlds.get(world).and_then(|world| world.package) else {
        bail!("{} has no world", component.display());
    };
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.print(&resolve, package, &[])?;
    Ok(printer.output.into())
}
