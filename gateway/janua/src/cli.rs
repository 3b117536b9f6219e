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
    /// Work with the shared cache of the running gateway
    #[command(subcommand)]
    Cache(Cache),
    /// Put a new build of a site's files live, all at once
    ///
    /// Copies DIR beside the directory that the site's files are in, exchanges
    /// the two in one step, and has the gateway notice: what `retain` names of
    /// the old build still answers, and what the cache holds of the site's hosts
    /// is purged: everything in the gateway's own cache, if one of them is a
    /// pattern and no other site uses the cache. Webhooks are told to purge
    /// everything only if there is no other site at all. If something fails,
    /// nothing has changed.
    ///
    /// Run it on the gateway's machine, as a user that may write where the
    /// files are and may use the admin socket.
    Deploy(Deploy),
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
pub(crate) enum Cache {
    /// Take out of the cache what is named
    ///
    /// Acts on every request from now on. Then the webhooks of the
    /// configuration are told; one that fails is shown, and the exit code is 1.
    Purge(Purge),
    /// Show how full the cache is, and what it does for requests
    Status(Reach),
    /// Show what is stored for an address, why, and until when
    Get(Get),
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Have it validated before it is used again, not fetched anew
    #[arg(long)]
    pub(crate) soft: bool,
    /// Do not tell the webhooks
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What a purge names: one of these at least, each as often as is needed.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Named {
    /// An address, in every variant; without a query, with every query
    #[arg(long, value_name = "URL")]
    pub(crate) url: Vec<String>,
    /// All addresses that begin so: app.example.com/assets/
    #[arg(long, value_name = "URL-PREFIX")]
    pub(crate) prefix: Vec<String>,
    /// All of a host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// All that carry a tag
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Everything
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The address; without a query, with every query
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// A host of the site, or its name
    #[arg(long, value_name = "SITE")]
    pub(crate) site: String,
    /// The label of the route, where several of the site have files
    #[arg(long, value_name = "LABEL")]
    pub(crate) route: Option<String>,
    /// A tag to purge besides the hosts of the site; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Do not tell the webhooks
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    /// Also without an index.html
    #[arg(long)]
    pub(crate) force: bool,
    /// Say what would happen, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The new build
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) reach: Reach,
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cache, Cli, Command};

    fn parse(line: &str) -> Result<Command, String> {
        Cli::try_parse_from(line.split(' '))
            .map(|cli| cli.command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_purge_names_something() {
        let line = "janua cache purge --url http://a/ --tag x --tag y --soft --no-webhooks --json";
        let Ok(Command::Cache(Cache::Purge(purge))) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        assert_eq!(purge.named.url, ["http://a/"]);
        assert_eq!(purge.named.tag, ["x", "y"]);
        assert!(purge.soft && purge.no_webhooks && purge.reach.json && !purge.named.all);
        assert!(parse("janua cache purge --all").is_ok());
        for line in [
            "janua cache purge",
            "janua cache purge --soft",
            "janua cache purge --url",
            "janua cache purge --url a --admin x --config y",
            "janua cache get",
            "janua cache",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_deploy_needs_a_site_and_a_directory() {
        let line = "janua deploy --site a.example --route /app --tag t --dry-run dist --admin s";
        let Ok(Command::Deploy(deploy)) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        assert_eq!(
            (deploy.site.as_str(), deploy.dir.to_str()),
            ("a.example", Some("dist"))
        );
        assert_eq!(deploy.route.as_deref(), Some("/app"));
        assert!(deploy.dry_run && !deploy.force && !deploy.no_webhooks);
        for line in ["janua deploy dist", "janua deploy --site a.example"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
