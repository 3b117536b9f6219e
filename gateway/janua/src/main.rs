//! The program `janua`: the command line, and the gateway that `janua run` starts.

mod bundled;
mod cli;
mod commands;
mod compiler;
mod gateway;
mod release;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One provider of cryptography for the whole program.
    janua_tls::provider::install();
    commands::execute(cli::Cli::parse().command)
}
