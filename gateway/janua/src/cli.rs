//! The command line: one definition for the parser, the help texts and
//! `docs/cli.md`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use janua_discover::LabelPrefix;

/// An API gateway whose policies are WebAssembly components.
///
/// Exit codes: 0 success, 1 refused or failed, 2 wrong usage.
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
    /// Run the gateway until it is told to stop
    ///
    /// SIGHUP reloads the configuration, SIGUSR1 reopens the access log, SIGTERM
    /// and SIGINT finish the requests in progress and then stop; a second one
    /// stops at once.
    Run(Run),
    /// Check a configuration without running it
    ///
    /// Reads the file and everything it refers to, loads and configures every
    /// policy, and binds no socket.
    Check(Check),
    /// Show the sites and routes of a configuration in the order in which they are tried
    ///
    /// Of a request the site is chosen by its host, and the first route in this order whose
    /// path, methods and conditions match. A route that no request reaches is marked. Reads
    /// the file alone; values of conditions may be secrets, and are not shown without
    /// --show-values.
    Routes(Routes),
    /// Make the running gateway reload its configuration
    ///
    /// Waits until the new configuration is live. If it is refused, all its
    /// errors are shown, and the old one stays live.
    Reload(Reach),
    /// Show the state of the running gateway
    Status(Reach),
    /// Show the certificates of the running gateway, for clients and for upstreams
    ///
    /// With their names, issuers, keys and sites, until when they are valid, and what
    /// deserves attention. Of those by ACME also how they are getting on, and the records
    /// that the DNS needs.
    Certs(Certs),
    /// Take endpoints of the running gateway out, let them in again, and weigh them
    #[command(subcommand)]
    Upstream(Upstream),
    /// Work with the shared cache of the running gateway
    #[command(subcommand)]
    Cache(Cache),
    /// Put a new build of a site's files live in one step
    ///
    /// Copies DIR next to the directory of the site's files and exchanges the two
    /// atomically. Removed files that match the `retain_files` of the route are
    /// still served for the time of `retain`, and the responses of the site's
    /// hosts are purged from the cache. If one of the hosts is a pattern and no
    /// other site uses the cache, the whole cache is purged. Webhooks are told to
    /// purge everything only if there is no other site at all. If something
    /// fails, the old files stay live.
    ///
    /// Run it on the gateway's machine, as a user who may write to the parent
    /// directory of the files and may use the admin socket.
    Deploy(Deploy),
    /// Work with policy components
    #[command(subcommand)]
    Policy(Policy),
    /// Find the endpoints of upstreams elsewhere, and write them into files
    #[command(subcommand)]
    Discover(Discover),
    /// Show the version
    Version(Version),
    /// Compile a component, as a process of its own that the gateway starts
    #[command(hide = true)]
    CompileComponent(CompileComponent),
    /// Print a page of the reference as Markdown
    #[command(hide = true)]
    Reference(Reference),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "janua.toml")]
    pub(crate) config: PathBuf,
    /// The path of the admin socket, instead of the configured one
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

#[derive(Debug, Args)]
pub(crate) struct Routes {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "janua.toml")]
    pub(crate) config: PathBuf,
    /// Show the values of conditions on header fields and query parameters
    #[arg(long)]
    pub(crate) show_values: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to find a running gateway.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The gateway's admin socket [default: the one named in the configuration]
    #[arg(long, value_name = "SOCKET")]
    pub(crate) admin: Option<PathBuf>,
    /// The configuration file that names the socket [default: janua.toml, if it
    /// exists]
    #[arg(short, long, value_name = "FILE", conflicts_with = "admin")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Certs {
    #[command(subcommand)]
    pub(crate) command: Option<CertsCommand>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// Order a new certificate by ACME now
    ///
    /// Even if the present one is not due, or earlier orders have failed. Waits until the
    /// new certificate is in use.
    Renew(OneCertificate),
    /// Have a certificate by ACME revoked by its authority
    ///
    /// A new certificate with a new key is ordered first and takes its place. If that
    /// fails, the old one is revoked nevertheless, and the exit code is 1.
    Revoke(OneCertificate),
}

#[derive(Debug, Args)]
pub(crate) struct OneCertificate {
    /// A name that the certificate covers
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Upstream {
    /// Show the endpoints of all upstreams: their state and what they do
    List(Reach),
    /// Take an endpoint out
    ///
    /// It gets no new requests. Those in progress are finished, and those that belong to its
    /// sessions still go to it. It stays out over reloads, also if it is removed and comes back,
    /// until `undrain` or until the gateway is restarted.
    ///
    /// With --wait, the command ends once no request is in progress there. If that takes longer
    /// than the timeout, the exit code is 1, and the endpoint stays out.
    Drain(OneEndpoint),
    /// Let an endpoint in again that was taken out
    ///
    /// Also one that has been removed since: it then gets requests if it comes back.
    ///
    /// With --wait, the command ends once the endpoint is there and up: with an active health check,
    /// once a check has passed, before which it gets no requests. If that takes longer than the timeout,
    /// the exit code is 1, and the endpoint gets requests as soon as it is up.
    Undrain(OneEndpoint),
    /// Give an endpoint another weight, or an upstream in the split of a route
    ///
    /// `weight UPSTREAM ENDPOINT N`: until the next reload. With 0 the endpoint gets only requests
    /// that belong to its sessions.
    ///
    /// `weight --route SITE/ROUTE UPSTREAM N`: until a reload changes the split. Nothing else
    /// changes, and requests that arrive from then on are divided by it.
    Weight(Weight),
}

#[derive(Debug, Args)]
pub(crate) struct OneEndpoint {
    /// The name of the upstream
    #[arg(value_name = "UPSTREAM")]
    pub(crate) upstream: String,
    /// The address of the endpoint, as in the configuration
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: String,
    /// Wait until that is done
    #[arg(long)]
    pub(crate) wait: bool,
    /// For how long: 500ms, 60s, 5m
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "wait", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

fn time(text: &str) -> Result<Duration, String> {
    janua_config::duration(text).ok_or_else(|| "write a number and ms, s, m or h: 60s".to_owned())
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct Weight {
    /// The route that divides its requests: its site and its label, such as app.example.com/api
    #[arg(long, value_name = "SITE/ROUTE")]
    pub(crate) route: Option<String>,
    /// The name of the upstream
    #[arg(value_name = "UPSTREAM")]
    pub(crate) upstream: String,
    /// The address of the endpoint, as in the configuration; not with --route
    #[arg(
        value_name = "ENDPOINT",
        required_unless_present = "route",
        conflicts_with = "route"
    )]
    pub(crate) endpoint: Option<String>,
    /// The weight
    #[arg(value_name = "N", allow_negative_numbers = true)]
    pub(crate) weight: u32,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Purge responses from the cache
    ///
    /// The purge applies to every later request. Then the configured webhooks are
    /// called; if one fails, the failure is shown and the exit code is 1.
    Purge(Purge),
    /// Show how full the cache is, and how it handled requests
    Status(Reach),
    /// Show what is stored for a URL, why, and until when
    Get(Get),
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Make responses stale, so that they are validated before reuse, instead of
    /// removing them
    #[arg(long)]
    pub(crate) soft: bool,
    /// Do not call the webhooks
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What to purge: at least one of these; each may be repeated.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Named {
    /// A URL, in every variant; without a query, it matches every query
    #[arg(long, value_name = "URL")]
    pub(crate) url: Vec<String>,
    /// All URLs with this prefix: app.example.com/assets/
    #[arg(long, value_name = "URL-PREFIX")]
    pub(crate) prefix: Vec<String>,
    /// All URLs of a host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// All responses with a tag
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Everything
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The URL; without a query, it matches every query
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// A host of the site, or the site's name
    #[arg(long, value_name = "SITE")]
    pub(crate) site: String,
    /// The label of the route, if several routes of the site serve files
    #[arg(long, value_name = "LABEL")]
    pub(crate) route: Option<String>,
    /// A tag to purge in addition to the hosts of the site; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Do not call the webhooks
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    /// Deploy even if there is no index.html
    #[arg(long)]
    pub(crate) force: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The directory with the new build
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show what a component does, what it needs, and how it is configured
    ///
    /// With its declaration: what it is told in each phase, what its verdicts may do, and the
    /// grants that it needs. They depend on the configuration.
    Inspect(Inspect),
    /// Call a component once about a request, and show what comes of it
    ///
    /// By the code of the gateway, with its limits and checks, and without a network: what
    /// the policy is told, the key under which its verdict is remembered, the verdict, what
    /// it makes of the request and of the response, what it costs and what the policy logs.
    /// Sensitive values are not shown. No bucket is charged and nothing is purged.
    ///
    /// The request and the response are heads of HTTP/1.1 as they are sent, with bodies if
    /// they have any, and are refused where the gateway would refuse them. Without --phase
    /// the policy is asked in each phase that it declares and that the exchange reaches, in
    /// the order of an exchange; all but `request` are about a response.
    ///
    /// Files, variables, secrets and datasets of the configuration are read only with --gateway, which
    /// takes the policy from the configuration of a gateway.
    ///
    /// The exit code is 0 if each verdict is valid and could be carried out.
    Call(Box<Call>),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A component file, or the name of a bundled policy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The configuration whose declaration is shown, as JSON, or a file with it [default: {}]
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) config: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// A component file, or the name of a bundled policy
    #[arg(
        value_name = "FILE",
        required_unless_present = "gateway",
        conflicts_with = "gateway"
    )]
    pub(crate) file: Option<PathBuf>,
    /// The configuration of the policy, as JSON, or a file with it [default: {}]
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "gateway")]
    pub(crate) config: Option<String>,
    /// What the policy is granted; without any, what it needs, which is shown then
    #[arg(
        long,
        value_name = "GRANT",
        value_delimiter = ',',
        conflicts_with = "gateway"
    )]
    pub(crate) grants: Vec<String>,
    /// The configuration of a gateway, from which the policy is taken with its component,
    /// configuration, grants, limits, secrets and datasets
    #[arg(long, value_name = "CONFIG", requires = "policy")]
    pub(crate) gateway: Option<PathBuf>,
    /// The name of the policy in that configuration, some route of which uses it
    #[arg(long, value_name = "NAME", requires = "gateway")]
    pub(crate) policy: Option<String>,
    /// A file with the request; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// A file with the response of the target
    #[arg(long, value_name = "FILE")]
    pub(crate) response: Option<PathBuf>,
    /// Ask in this phase only; may be repeated
    #[arg(long, value_name = "PHASE", value_parser = ["request", "fetched", "missing", "response", "finished"])]
    pub(crate) phase: Vec<String>,
    /// The address of the client
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) client: IpAddr,
    /// How the client reached the gateway
    #[arg(long, value_name = "SCHEME", default_value = "http", value_parser = ["http", "https"])]
    pub(crate) scheme: String,
    /// The time, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) now: Option<u64>,
    /// The name of the site [default: the host of the request]
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// The label of the route
    #[arg(long, value_name = "LABEL", default_value = "/")]
    pub(crate) route: String,
    /// A variable that an earlier policy has set, as policy.name=value; may be repeated
    #[arg(long, value_name = "VARIABLE=VALUE", value_parser = variable)]
    pub(crate) variable: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if name.contains('.') => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write policy.name=value".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Discover {
    /// Write the addresses of containers into files that upstreams follow
    ///
    /// A process of its own, under a user who may use the socket of the Docker Engine, which the
    /// gateway never opens. It runs until it is stopped, and replaces a file whenever containers
    /// start, end, or become ill or well. While the Engine cannot be asked, the files stay as
    /// they are.
    ///
    /// A container is an endpoint of the upstream that its label `janua.upstream` names, at the
    /// port of `janua.port`, or at the only one that its image exposes. `janua.weight` and
    /// `janua.backup` are those of the endpoint, and `janua.network` is the network whose
    /// address counts if it has several. One that is paused, starting or unhealthy is left out.
    Docker(Docker),
}

#[derive(Debug, Args)]
pub(crate) struct Docker {
    /// A file to write, in JSON if its name ends in `.json`, otherwise in TOML; may be repeated.
    /// The name of the upstream is that of the file without its ending
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) write: Vec<PathBuf>,
    /// Another name of the upstream, if only one file is written
    #[arg(long, value_name = "NAME")]
    pub(crate) upstream: Option<String>,
    /// The socket of the Docker Engine
    #[arg(long, value_name = "SOCKET", default_value = "/var/run/docker.sock")]
    pub(crate) socket: PathBuf,
    /// The beginning of the labels
    #[arg(long, value_name = "PREFIX", default_value = "janua", value_parser = LabelPrefix::parse)]
    pub(crate) label_prefix: LabelPrefix,
    /// The network whose addresses count, for containers without the label for it
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,
    /// Write the files once, and end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompileComponent {
    /// The id of the process that waits for the result
    #[arg(value_name = "PARENT")]
    pub(crate) parent: u32,
    /// What is added to the niceness
    #[arg(value_name = "NICENESS")]
    pub(crate) niceness: u8,
    /// The memory for generating code, in bytes
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: u64,
    /// The CPU time for generating code, in seconds
    #[arg(value_name = "CPU")]
    pub(crate) cpu: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    pub(crate) page: Page,
}

/// A page of the reference, named after its file in `docs/`.
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

    use super::{Cache, Cli, Command, Discover, Upstream};

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
    fn an_endpoint_is_named_by_its_upstream_and_address() {
        let line = "janua upstream drain app 127.0.0.1:80 --wait --timeout 1500ms --json";
        let Ok(Command::Upstream(Upstream::Drain(drain))) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        assert_eq!(
            (&*drain.upstream, &*drain.endpoint),
            ("app", "127.0.0.1:80")
        );
        assert_eq!((drain.wait, drain.timeout.as_millis()), (true, 1500));
        let line = "janua upstream weight app unix:/run/app.sock 0 --admin s";
        let Ok(Command::Upstream(Upstream::Weight(weight))) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        let endpoint = weight.endpoint.as_deref();
        assert_eq!((endpoint, weight.weight), (Some("unix:/run/app.sock"), 0));
        let line = "janua upstream weight --route a.example/api v2 5";
        let Ok(Command::Upstream(Upstream::Weight(weight))) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        assert_eq!((&*weight.upstream, weight.weight), ("v2", 5));
        assert_eq!(weight.route.as_deref(), Some("a.example/api"));
        assert_eq!(weight.endpoint, None);
        assert!(parse("janua upstream list --json").is_ok());
        for line in [
            "janua upstream",
            "janua upstream drain app",
            "janua upstream drain app a:80 --timeout 60s",
            "janua upstream undrain app a:80 --wait --timeout 60",
            "janua upstream weight app a:80",
            "janua upstream weight app 5",
            "janua upstream weight --route a/ app a:80 5",
            "janua upstream weight --route a/ app",
            "janua upstream weight app a:80 -1",
            "janua upstream weight app a:80 1.5",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
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
    fn what_is_discovered_goes_to_files() {
        let line = "janua discover docker --write a/app.toml --write b.json --label-prefix x.y";
        let Ok(Command::Discover(Discover::Docker(docker))) = parse(line) else {
            panic!("{:?}", parse(line));
        };
        assert_eq!(docker.write.len(), 2);
        assert_eq!(docker.label_prefix.to_string(), "x.y");
        assert_eq!(docker.socket.to_str(), Some("/var/run/docker.sock"));
        for line in [
            "janua discover docker",
            "janua discover",
            "janua discover docker --write a --label-prefix a=b",
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
