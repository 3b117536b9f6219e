//! The gateway as a child process.

mod admin;
mod http2;
mod logs;
mod process;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::eventually;
use crate::http2::adapt;
use crate::message::{Request, Response};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::tls::{OverTls, TlsClient, TlsError};
use crate::transport::Transport;
use crate::wire::Wire;
use process::Process;
pub use process::{Ran, binary, built, component, run};

/// A running gateway with its own directory. Dropping it stops the process,
/// which must exit successfully; if the test has failed, its output is printed.
#[derive(Debug)]
pub struct Gateway {
    // Fields are dropped in this order: the process ends before its directory is
    // removed.
    process: Process,
    directory: TempDir,
    settings: Settings,
    addresses: Vec<(String, SocketAddr)>,
}

impl Gateway {
    /// Starts a gateway, and waits until it is ready.
    pub async fn start(config: impl Display) -> Self {
        Settings::new().start(config).await
    }

    /// Starts a gateway with one worker, so that a later request finds the state
    /// of earlier ones.
    pub async fn start_one_worker(config: impl Display) -> Self {
        Settings::new().workers(1).start(config).await
    }

    pub(crate) async fn start_with(settings: Settings, config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::start_in(directory, settings, config).await
    }

    pub(crate) async fn start_in(directory: TempDir, settings: Settings, config: &str) -> Self {
        let path = directory.path();
        std::fs::write(path.join("janua.toml"), settings.complete(config, path)).unwrap();
        let mut gateway = Self {
            process: Process::start(path, &settings),
            directory,
            settings,
            addresses: Vec::new(),
        };
        gateway.become_ready().await;
        gateway
    }

    async fn become_ready(&mut self) {
        let ready = eventually(async || {
            self.process.expect_running();
            self.is_ready().await.then_some(())
        });
        assert!(ready.await.is_some(), "the gateway did not become ready");
        self.find_addresses().await;
    }

    /// Kills it, as the kernel does when memory is short, and waits for its end.
    pub async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        assert_eq!(self.ended().await, None, "it was killed");
    }

    /// Has it end as an operator does, and waits for that.
    pub async fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.ended().await, Some(0), "{}", self.messages());
    }

    /// Starts it again after it has ended, with the configuration and the state that it left,
    /// and waits until it is ready.
    pub async fn start_again(&mut self) {
        assert!(self.has_ended(), "it runs");
        self.process = Process::start(self.directory.path(), &self.settings);
        self.become_ready().await;
    }

    /// The directory to which relative paths of the configuration refer.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.directory.path().join("janua.toml")
    }

    /// The address of the only listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let [(_, address)] = self.addresses.as_slice() else {
            panic!("not one listener: {:?}", self.addresses);
        };
        *address
    }

    /// The address of a listener.
    #[must_use]
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let mut named = self.addresses.iter().filter(|(name, _)| name == listener);
        let found = named.next().map(|(_, address)| *address);
        found.unwrap_or_else(|| panic!("no listener {listener}: {:?}", self.addresses))
    }

    /// The scheme of the requests that are sent over [`Self::connect`]: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.settings.is_over_tls() {
            "https"
        } else {
            "http"
        }
    }

    /// Connects to the only listener.
    pub async fn connect(&self) -> Wire {
        if Transport::of_process() == Transport::Http2 {
            self.connect_http2().await
        } else if self.settings.is_over_tls() {
            OverTls::get().connect(self.address()).await
        } else {
            Wire::connect(self.address()).await
        }
    }

    /// Performs the handshake on a connection over TCP, if everything runs over TLS or HTTP/2;
    /// otherwise the connection is returned as it is. So a test may choose the client's address, or send
    /// what comes before TLS.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn secure(&self, wire: Wire) -> Result<Wire, TlsError> {
        if Transport::of_process() == Transport::Http2 {
            self.secure_http2(wire).await.map(adapt)
        } else if self.settings.is_over_tls() {
            OverTls::get().secure(wire).await
        } else {
            Ok(wire)
        }
    }

    /// Connects to the only listener with TLS, and asks for a host by its name; the handshake
    /// must succeed.
    pub async fn connect_tls(&self, client: &TlsClient, host: &str) -> Wire {
        let connected = client.connect(self.address(), host).await;
        connected.unwrap_or_else(|error| panic!("no TLS connection for {host}: {error}"))
    }

    /// Sends a request over a connection of its own and reads the response.
    pub async fn send(&self, request: Request) -> Response {
        self.connect().await.exchange(&request).await
    }

    /// Sends a `GET` over a connection of its own and reads the response.
    pub async fn get(&self, target: &str) -> Response {
        self.send(Request::get(target)).await
    }

    /// Writes another configuration without reloading it.
    pub fn write_config(&self, config: impl Display) {
        let text = self
            .settings
            .complete(&config.to_string(), self.directory());
        std::fs::write(self.config_path(), text).unwrap();
    }

    /// Puts a file with another configuration in the place of the old one, as editors and
    /// deploys do: nobody ever reads a part of it.
    pub fn replace_config(&self, config: impl Display) {
        let text = self
            .settings
            .complete(&config.to_string(), self.directory());
        let new = self.config_path().with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.config_path()).unwrap();
    }

    /// Reloads with another configuration, which must succeed.
    pub async fn reload(&mut self, config: impl Display) -> Value {
        let answer = self.try_reload(config).await;
        self.find_addresses().await;
        answer.unwrap_or_else(|refused| panic!("refused: {refused}"))
    }

    /// Reloads with another configuration.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn try_reload(&self, config: impl Display) -> Result<Value, Value> {
        self.write_config(config);
        let answer = self.ask("POST", "/reload").await;
        match answer.status {
            200 => Ok(answer.json()),
            422 => Err(answer.json()),
            status => panic!("reload answered {status}: {:?}", answer.body),
        }
    }

    /// The current metrics.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(self.ask("GET", "/metrics").await.text())
    }

    /// The sum of all series of a metric with these labels, now.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().await.sum(name, labels)
    }

    /// Waits until no request is in flight: a client has its response before the
    /// request is counted and logged.
    pub async fn settled(&self) {
        let settled = eventually(async || (self.status().await["in_flight"] == 0).then_some(()));
        assert!(settled.await.is_some(), "requests stay in flight");
    }

    /// The current status.
    pub async fn status(&self) -> Value {
        self.ask("GET", "/status").await.json()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        self.process.signal(signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().is_some()
    }

    /// Waits until it has exited by itself. Returns its exit code; none after a
    /// signal.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = eventually(async || self.process.try_wait()).await;
        ended.expect("the gateway ends").code()
    }

    /// Its resident memory in KiB without file-backed pages, which the kernel
    /// may load and drop at any time.
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        self.process.rss_kib()
    }

    async fn find_addresses(&mut self) {
        let status = self.status().await;
        let listeners = status["listeners"].as_array().into_iter().flatten();
        self.addresses = listeners
            .flat_map(|listener| {
                let name = listener["name"].as_str().unwrap_or_default();
                let addresses = listener["addresses"].as_array().into_iter().flatten();
                addresses.map(move |address| {
                    let text = address.as_str().unwrap_or_default();
                    (
                        name.to_owned(),
                        text.parse().unwrap_or_else(|e| panic!("{e}: {text}")),
                    )
                })
            })
            .collect();
    }
}
