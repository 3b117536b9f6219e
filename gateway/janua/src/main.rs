//! The binary `janua`.

mod bundled;
mod gateway;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run {
        #[arg(long, default_value = "janua.toml")]
        config: PathBuf,
        #[arg(long)]
        admin: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Arguments {
        command: Command::Run { config, admin },
    } = Arguments::parse();
    match run::run(&config, admin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
