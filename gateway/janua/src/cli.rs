//! The command line: one definition for the parser, the help and
//! `docs/cli.md`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An API gateway whose policies are WebAssembly components.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(
    name = "janua",
    version,
    propagate_version = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway until it is told to end
    ///
    /// SIGHUP reloads, SIGUSR1 opens the access log anew, SIGTERM and SIGINT
    /// finish what is on its way and end; a second one ends at once.
    Run(Run),
    /// Say what is wrong with a configuration, without running it
    ///
    /// Reads the file and everything it refers to, loads and configures every
    /// policy, and binds nothing.
    Check(Check),
    /// Have the running gateway take its configuration anew
    ///
    /// Waits until it is live. A configuration that is refused is shown with
    /// all its errors; the old one stays live.
    Reload(Reach),
    /// Show what the running gateway is doing
    Status(Reach),
    /// Work with policy components
    #[command(subcommand)]
    Policy(Policy),
    /// Show the version
    Version(Version),
    /// Print a page of the reference as Markdown
    #[command(hide = true)]
    Reference(Reference),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "janua.toml")]
    pub(crate) config: PathBuf,
    /// Listen for `reload` and `status` on this socket, not on the configured one
    #[arg(long, value_name = "SOCKET")]
    pub(crate) admin: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "janua.toml")]
    pub(crate) config: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a running gateway is found.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The gateway's admin socket [default: the one that the configuration names]
    #[arg(long, value_name = "SOCKET")]
    pub(crate) admin: Option<PathBuf>,
    /// The configuration file that names the socket [default: janua.toml, if there is one]
    #[arg(short, long, value_name = "FILE", conflicts_with = "admin")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show what a component is, what it needs, and how it is configured
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A component, or the name of a bundled one
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    pub(crate) page: Page,
}

/// A page of the reference, named as its file in `docs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    Cli,
    Config,
    Metrics,
    AccessLog,
    CacheStatus,
    Policies,
}
