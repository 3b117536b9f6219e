//! What C and Go need beside their compilers: the bindings of the contract, and a component of the
//! core module that the compiler makes. The tools for Rust, JavaScript and Python do both by
//! themselves.
//!
//! ```sh
//! janua-component c wit policy bindings               # bindings for a world, into a folder
//! janua-component go wit policy bindings
//! janua-component encode wit policy module.wasm policy.wasm
//! janua-component interface policy.wasm               # what a component imports and exports
//! ```
//!
//! The generators are libraries here, so that `Cargo.lock` holds their versions.

mod bindings;
mod encode;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: janua-component c|go WIT WORLD FOLDER
       janua-component encode WIT WORLD MODULE COMPONENT
       janua-component interface COMPONENT";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("janua-component: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["c", wit, world, folder] => bindings::c(wit, world, folder.as_ref()),
        ["go", wit, world, folder] => bindings::go(wit, world, folder.as_ref()),
        ["encode", wit, world, module, component] => {
            encode::encode(wit, world, module.as_ref(), component.as_ref())
        }
        ["interface", component] => {
            print!("{}", encode::interface(component.as_ref())?);
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}
