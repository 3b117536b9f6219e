//! The servers that are measured: how each is configured, started and reloaded.

mod flavour;
pub(crate) mod known;

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use rustix::process::Signal;

use self::flavour::Flavour;
use self::known::Row;
use crate::generator::API_KEY;
use crate::process::{Launch, Process};
use crate::tls::Over;

/// The core that all contenders share.
pub(crate) const PROXY_CORE: usize = 0;
/// The core of the backend and the load.
pub(crate) const LOAD_CORE: usize = 1;

/// One server with one configuration.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    /// A short name, for tables and `--only`.
    pub(crate) name: &'static str,
    /// A short description.
    pub(crate) about: &'static str,
    /// The first line of its version output.
    pub(crate) version: String,
    program: PathBuf,
    flavour: Flavour,
    template: &'static str,
    /// What `{{setting}}` stands for in the template.
    setting: &'static str,
    /// The endpoints of its upstream, instead of the one backend.
    endpoints: Vec<SocketAddr>,
    /// Threads, or processes, that handle requests.
    workers: usize,
}

/// The files and addresses of a contender during a run.
pub(crate) struct Place {
    /// Its configuration, sockets and log.
    directory: PathBuf,
    address: SocketAddr,
    /// Where it listens for TLS, if its configuration says so.
    tls_address: SocketAddr,
    /// Where it listens for HTTP/2 in cleartext, if its configuration says so.
    http2_address: SocketAddr,
    backend: SocketAddr,
}

impl Place {
    /// The configuration file.
    fn file(&self, flavour: Flavour) -> PathBuf {
        self.directory.join(flavour.file_name())
    }

    /// The admin socket, by which some are reloaded.
    fn admin(&self) -> PathBuf {
        self.directory.join("admin.sock")
    }
}

/// A running contender.
pub(crate) struct Running {
    /// The contender.
    pub(crate) contender: Contender,
    /// Its process.
    pub(crate) process: Process,
    place: Place,
}

/// Finds the contenders of `rows` on this machine. Returns those that are installed, and the
/// names of the others. `only` contains the names of wanted ones; empty means all. `janua` is
/// the path of the gateway's binary.
pub(crate) fn installed(
    rows: &[Row],
    only: &[String],
    janua: &Path,
) -> (Vec<Contender>, Vec<&'static str>) {
    let mut present = Vec::new();
    let mut absent = Vec::new();
    for &(name, flavour, template, setting, about) in rows {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let Some(program) = flavour.find(janua) else {
            absent.push(name);
            continue;
        };
        present.push(Contender {
            name,
            about,
            version: flavour.version(&program),
            program,
            flavour,
            template,
            setting,
            endpoints: Vec::new(),
            workers: 1,
        });
    }
    (present, absent)
}

/// Several builds of the gateway as contenders with the configuration of one row. The first
/// one is named `janua`, the others have the names in [`EARLIER`].
///
/// # Errors
/// A build does not exist, or there are too many.
pub(crate) fn builds(row: &Row, binaries: &[PathBuf]) -> anyhow::Result<Vec<Contender>> {
    let &(_, flavour, template, setting, about) = row;
    let names = std::iter::once(&"janua").chain(EARLIER);
    if binaries.len() > EARLIER.len() + 1 {
        anyhow::bail!("at most {} builds", EARLIER.len() + 1);
    }
    let each = binaries.iter().zip(names);
    each.map(|(binary, &name)| {
        let program = fs::canonicalize(binary).with_context(|| binary.display().to_string())?;
        Ok(Contender {
            name,
            about,
            version: flavour.version(&program),
            program,
            flavour,
            template,
            setting,
            endpoints: Vec::new(),
            workers: 1,
        })
    })
    .collect()
}

/// The names of earlier builds that one is compared with.
const EARLIER: &[&str] = &["before", "before-2", "before-3"];

impl Contender {
    /// The same with so many workers. With more than one, it runs on as many cores, the load's
    /// among them. Except for Envoy, the template must have a place for the number.
    pub(crate) fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// The same with these endpoints in its upstream, if the template has a place for them.
    pub(crate) fn with_endpoints(self, endpoints: Vec<SocketAddr>) -> Self {
        Self { endpoints, ..self }
    }

    /// Writes the configuration and starts the process on its core, without files of an
    /// earlier run.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub(crate) fn start(&self, work: &Path, backend: SocketAddr) -> anyhow::Result<Running> {
        self.start_under(&[], work, backend)
    }

    /// As [`start`](Self::start), but under a tool such as valgrind: `tool` is its command
    /// line, to which that of the contender is appended.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub(crate) fn start_under(
        &self,
        tool: &[OsString],
        work: &Path,
        backend: SocketAddr,
    ) -> anyhow::Result<Running> {
        let directory = work.join(self.name);
        // The directory may not exist.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let place = Place {
            directory: fs::canonicalize(&directory)?,
            address: crate::process::free_address()?,
            tls_address: crate::process::free_address()?,
            http2_address: crate::process::free_address()?,
            backend,
        };
        if self.template.contains("{{tls_") {
            crate::tls::write_certificate(&place.directory)?;
        }
        self.configure(&place, "a")?;
        let launch = Launch {
            command: [
                tool,
                &self.flavour.command(&self.program, &place, self.workers),
            ]
            .concat(),
            environment: vec![
                ("GOMAXPROCS", "1".into()),
                ("XDG_DATA_HOME", place.directory.clone().into()),
                ("XDG_CONFIG_HOME", place.directory.clone().into()),
            ],
            cores: (PROXY_CORE..PROXY_CORE + self.workers).collect(),
            address: place.address,
        };
        let process = Process::start(&launch, &place.directory.join("log"))
            .with_context(|| format!("{} does not start", self.name))?;
        Ok(Running {
            contender: self.clone(),
            process,
            place,
        })
    }

    /// True if the measurement can reload it. Envoy would need a second process that takes
    /// over, or a control plane.
    pub(crate) fn reloads(&self) -> bool {
        matches!(
            self.flavour,
            Flavour::Nginx | Flavour::Haproxy | Flavour::Caddy | Flavour::Janua
        )
    }

    /// True if its responses tell the configuration in use.
    pub(crate) fn shows_turn(&self) -> bool {
        self.template.contains("{{turn}}")
    }

    fn configure(&self, place: &Place, turn: &str) -> anyhow::Result<()> {
        let directory = place.directory.display().to_string();
        let state = place.directory.with_file_name("janua-state");
        let files = place.directory.with_file_name("files");
        let text = [
            ("dir", directory.as_str()),
            ("state", &state.display().to_string()),
            ("files", &files.display().to_string()),
            ("address", &place.address.to_string()),
            ("port", &place.address.port().to_string()),
            ("tls_address", &place.tls_address.to_string()),
            ("tls_port", &place.tls_address.port().to_string()),
            ("http2_address", &place.http2_address.to_string()),
            ("http2_port", &place.http2_address.port().to_string()),
            ("backend", &place.backend.to_string()),
            ("backend_port", &place.backend.port().to_string()),
            ("key", API_KEY),
            ("setting", self.setting),
            ("endpoints", &self.flavour.endpoints(&self.endpoints)),
            ("workers", &self.workers.to_string()),
            ("turn", turn),
        ]
        .iter()
        .fold(self.template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        });
        // Replaced by a rename, as a deployment does, since the gateway may watch the file.
        let file = place.file(self.flavour);
        let fresh = file.with_extension("new");
        fs::write(&fresh, text)?;
        fs::rename(&fresh, &file).with_context(|| file.display().to_string())
    }
}

impl Running {
    /// The address for requests that are sent in this way.
    pub(crate) fn address(&self, over: Over) -> SocketAddr {
        match over {
            Over::Cleartext => self.process.address,
            Over::Http2 => self.place.http2_address,
            _ => self.place.tls_address,
        }
    }

    /// Reloads it with another configuration, in which `X-Turn` (if it is set) is `turn`.
    /// Returns once the contender has accepted the reload.
    ///
    /// # Errors
    /// The configuration cannot be written or is refused.
    pub(crate) fn reload(&self, turn: &str) -> anyhow::Result<()> {
        self.contender.configure(&self.place, turn)?;
        let mut command = Command::new(&self.contender.program);
        match self.contender.flavour {
            Flavour::Nginx => return self.process.signal(Signal::HUP),
            Flavour::Haproxy => return self.process.signal(Signal::USR2),
            Flavour::Envoy | Flavour::Hyper | Flavour::Varnish | Flavour::VarnishOnDisk => {
                return Ok(());
            }
            Flavour::Caddy => {
                let socket = self.place.admin();
                command
                    .args(["reload", "--force", "--adapter", "caddyfile", "--config"])
                    .arg(self.place.file(Flavour::Caddy))
                    .arg("--address")
                    .arg(format!("unix/{}", socket.display()));
            }
            Flavour::Janua => {
                command.args(["reload", "--admin"]).arg(self.place.admin());
            }
        }
        let output = command.output()?;
        if !output.status.success() {
            anyhow::bail!("reload: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_has_a_place() {
        for &(name, flavour, template, ..) in known::HTTP2 {
            let told = flavour == Flavour::Envoy || template.contains("{{workers}}");
            assert!(told, "{name}");
        }
    }

    #[test]
    fn the_gateway_accepts_its_configurations() {
        let directory = std::env::temp_dir().join(format!("janua-load-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let place = Place {
            directory: directory.clone(),
            address: "127.0.0.1:8080".parse().unwrap(),
            tls_address: "127.0.0.1:8443".parse().unwrap(),
            http2_address: "127.0.0.1:8082".parse().unwrap(),
            backend: "127.0.0.1:8081".parse().unwrap(),
        };
        for &(name, flavour, template, setting, about) in known::all() {
            if flavour != Flavour::Janua {
                continue;
            }
            let contender = Contender {
                name,
                about,
                version: String::new(),
                program: PathBuf::new(),
                flavour,
                template,
                setting,
                endpoints: vec![place.backend],
                workers: 1,
            };
            contender.configure(&place, "b").unwrap();
            if let Err(wrong) = janua_config::load(&place.file(flavour)) {
                panic!("{name}:\n{wrong}");
            }
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
