//! The settings of a gateway in addition to the configuration under test.

use std::fmt::Display;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::tls::OverTls;
use crate::transport::Transport;

/// The tables `[server]`, `[admin]` and `[log]`. They are added after the
/// test's own text, so that line numbers in messages are those of the test.
#[derive(Clone, Debug)]
pub struct Settings {
    workers: usize,
    drain_timeout: String,
    level: String,
    open_files: Option<u64>,
    environment: Vec<(String, String)>,
    cache_dir: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    hosts: Option<String>,
    watch: bool,
    is_over_tls: bool,
    server: String,
}

impl Settings {
    /// Two workers, and one second for requests in progress when the gateway
    /// stops. Changed files do not take effect by themselves, so that a test
    /// decides when they do.
    #[must_use]
    pub fn new() -> Self {
        Self {
            workers: 2,
            drain_timeout: "1s".to_owned(),
            level: "info".to_owned(),
            open_files: None,
            environment: Vec::new(),
            cache_dir: None,
            state_dir: None,
            hosts: None,
            watch: false,
            is_over_tls: Transport::of_process() != Transport::Plain,
            server: String::new(),
        }
    }

    /// Sets the number of workers.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets another `drain_timeout`.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: &str) -> Self {
        timeout.clone_into(&mut self.drain_timeout);
        self
    }

    /// Sets another level of log messages.
    #[must_use]
    pub fn level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.level);
        self
    }

    /// Sets the limit of open files (`ulimit -n`).
    #[must_use]
    pub fn open_files(mut self, limit: u64) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Changed files take effect by themselves.
    #[must_use]
    pub fn watch(mut self) -> Self {
        self.watch = true;
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses a shared `cache_dir`, so that large components are compiled only
    /// once.
    #[must_use]
    pub fn cache_dir(mut self, path: &Path) -> Self {
        self.cache_dir = Some(path.to_owned());
        self
    }

    /// Uses another `state_dir` than `state` in its own directory, such as one that gateways
    /// share.
    #[must_use]
    pub fn state_dir(mut self, path: &Path) -> Self {
        self.state_dir = Some(path.to_owned());
        self
    }

    /// Uses a hosts file with one entry: `127.0.0.1 backend`.
    #[must_use]
    pub fn hosts(mut self, lines: &str) -> Self {
        self.hosts = Some(lines.to_owned());
        self
    }

    /// Adds TLS to every listener, and a certificate to every site. [`Gateway::connect`] then
    /// performs the handshake.
    #[must_use]
    pub fn over_tls(mut self) -> Self {
        self.is_over_tls = true;
        self
    }

    /// Adds these lines to the table `[server]`.
    #[must_use]
    pub fn server(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.server);
        self
    }

    /// Starts a gateway, and waits until it is ready.
    pub async fn start(self, config: impl Display) -> Gateway {
        Gateway::start_with(self, &config.to_string()).await
    }

    /// The same in a directory that already has files, such as certificates, to which the
    /// configuration refers.
    pub async fn start_in(self, directory: TempDir, config: impl Display) -> Gateway {
        Gateway::start_in(directory, self, &config.to_string()).await
    }

    pub(crate) fn is_over_tls(&self) -> bool {
        self.is_over_tls
    }

    pub(crate) fn open_file_limit(&self) -> Option<u64> {
        self.open_files
    }

    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The complete configuration file.
    pub(crate) fn complete(&self, config: &str, directory: &Path) -> String {
        let own = directory.join("state");
        let state_dir = self.state_dir.as_deref().unwrap_or(&own);
        let state_dir = state_dir.display();
        let cache_dir = self.cache_dir.as_deref();
        let cache_dir = cache_dir.map(|path| format!("cache_dir = \"{}\"\n", path.display()));
        let cache_dir = cache_dir.unwrap_or_default();
        let hosts_file = self.hosts.as_ref().map(|lines| {
            let path = directory.join("hosts");
            std::fs::write(&path, lines).expect("the hosts file can be written");
            format!("hosts_file = \"{}\"\n", path.display())
        });
        let hosts_file = hosts_file.unwrap_or_default();
        let mut text = if self.is_over_tls {
            OverTls::get().add(config, directory)
        } else {
            config.to_owned()
        };
        let directory = directory.display();
        let server = format!(
            "[server]\nworkers = {}\ndrain_timeout = \"{}\"\nstate_dir = \"{state_dir}\"\n{cache_dir}watch = {}\n{hosts_file}{}\n",
            self.workers, self.drain_timeout, self.watch, self.server,
        );
        // A configuration may have a table `server` of its own, which these fields join.
        match text.find("[server]\n") {
            Some(at) => text.replace_range(at..at + "[server]\n".len(), &server),
            None => text = format!("{text}\n{server}"),
        }
        let _ = write!(
            text,
            "
[admin]
socket = \"{directory}/admin.sock\"

[log]
access = {{ path = \"{directory}/access.log\" }}
level = \"{}\"
",
            self.level,
        );
        text
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
