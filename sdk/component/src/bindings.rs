//! Writes the bindings of a world.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::StringEncoding;

use crate::encode::resolve;

/// Bindings for C: `contract.h`, `contract.c`, and an object file with the type of the world.
pub(crate) fn c(wit: &str, world: &str, folder: &Path) -> Result<()> {
    let options = wit_bindgen_c::Opts {
        // The same names of types for every world, and for the SDK.
        rename_world: Some("contract".to_owned()),
        string_encoding: StringEncoding::UTF8,
        ..wit_bindgen_c::Opts::default()
    };
    write(&generate(&mut *options.build(), wit, world)?, folder)
}

/// Bindings for Go: the packages below `bindings` of the SDK, `sdk/go`, which has the packages that
/// the generator expects to be fetched.
pub(crate) fn go(wit: &str, world: &str, folder: &Path) -> Result<()> {
    let options = wit_bindgen_go::Opts {
        pkg_name: Some("janua/sdk/bindings".to_owned()),
        ..wit_bindgen_go::Opts::default()
    };
    let files = generate(&mut *options.build(), wit, world)?;
    let mut own = Files::default();
    for (name, bytes) in files.iter() {
        let text = str::from_utf8(bytes).with_context(|| format!("{name} is no text"))?;
        let lines = text.lines().map(mended);
        own.push(name, lines.collect::<String>().as_bytes());
    }
    write(&own, folder)
}

/// A line of generated Go that imports the packages of the SDK.
fn mended(line: &str) -> String {
    line.replace("go.bytecodealliance.org/pkg/wit/", "janua/sdk/wit/") + "\n"
}

fn generate(generator: &mut dyn WorldGenerator, wit: &str, world: &str) -> Result<Files> {
    let (mut resolve, world) = resolve(wit, world)?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

fn write(files: &Files, folder: &Path) -> Result<()> {
    for (name, bytes) in files.iter() {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
