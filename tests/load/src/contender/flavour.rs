//! The programs: how each is found and started.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Place;

/// Which program a contender is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flavour {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Envoy.
    Envoy,
    /// Caddy.
    Caddy,
    /// Varnish with objects in memory.
    Varnish,
    /// Varnish with objects in a file.
    VarnishOnDisk,
    /// This program's bare hyper proxy.
    Hyper,
    /// The gateway.
    Janua,
}

impl Flavour {
    /// The path of the program, if it is installed.
    pub(super) fn find(self, janua: &Path) -> Option<PathBuf> {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::Varnish | Self::VarnishOnDisk => "varnishd",
            Self::Hyper => return std::env::current_exe().ok(),
            Self::Janua => return fs::canonicalize(janua).ok(),
        };
        // On Debian, servers are in directories that are not in the PATH of ordinary users.
        // `make bench-peers` installs into the last one.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let further = ["/usr/sbin", "/usr/local/sbin", "target/tools/venv/bin"];
        std::env::split_paths(&path)
            .chain(further.iter().map(PathBuf::from))
            .map(|directory| directory.join(name))
            .find_map(|candidate| {
                fs::canonicalize(candidate)
                    .ok()
                    .filter(|file| file.is_file())
            })
    }

    /// The first line of its version output, shortened.
    pub(super) fn version(self, program: &Path) -> String {
        let argument = match self {
            Self::Nginx | Self::Haproxy => "-v",
            Self::Envoy | Self::Janua => "--version",
            Self::Caddy => "version",
            Self::Varnish | Self::VarnishOnDisk => "-V",
            Self::Hyper => return "hyper 1, tokio 1".to_owned(),
        };
        let Ok(output) = Command::new(program).arg(argument).output() else {
            return "unknown".to_owned();
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| !line.trim().is_empty());
        let line = line.unwrap_or("unknown").trim();
        match self {
            // The program's path, a hash, the version, how it was built.
            Self::Envoy => line
                .rsplit("version:")
                .next()
                .and_then(|build| build.split('/').nth(1))
                .unwrap_or(line),
            // The version and a checksum.
            Self::Caddy => line.split(' ').next().unwrap_or(line),
            // The program, the version and a hash.
            Self::Varnish | Self::VarnishOnDisk => line
                .split(['(', ' '])
                .find(|word| word.starts_with("varnish-"))
                .unwrap_or(line),
            // The version, its date and a link.
            _ => line.split(" 20").next().unwrap_or(line),
        }
        .to_owned()
    }

    /// The endpoints of an upstream as its configuration lists them.
    pub(super) fn endpoints(self, all: &[SocketAddr]) -> String {
        let each = all.iter().enumerate();
        let lines = each.map(|(number, address)| match self {
            Self::Nginx => format!("server {address};"),
            Self::Haproxy => format!("server s{number} {address}"),
            _ => format!("\"{address}\","),
        });
        lines.collect::<Vec<String>>().join("\n        ")
    }

    /// The name of its configuration file.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Envoy => "envoy.yaml",
            Self::Caddy => "Caddyfile",
            Self::Varnish | Self::VarnishOnDisk => "varnish.vcl",
            Self::Hyper => "unused",
            Self::Janua => "janua.toml",
        }
    }

    /// Program and arguments. `workers` matters only to those that are told by an argument.
    pub(super) fn command(self, program: &Path, place: &Place, workers: usize) -> Vec<OsString> {
        let file = place.file(self).into_os_string();
        let mut command = vec![program.as_os_str().to_owned()];
        let mut add = |words: &[&str]| command.extend(words.iter().map(OsString::from));
        match self {
            Self::Nginx => {
                add(&["-e", "stderr", "-g", "daemon off;", "-c"]);
                command.push(file);
            }
            Self::Haproxy => {
                // With master and worker processes, as its service unit runs it.
                add(&["-W", "-f"]);
                command.push(file);
            }
            Self::Envoy => {
                add(&[
                    "--concurrency",
                    &workers.to_string(),
                    "--disable-hot-restart",
                    "--log-level",
                    "error",
                    "-c",
                ]);
                command.push(file);
            }
            Self::Caddy => {
                add(&["run", "--adapter", "caddyfile", "--config"]);
                command.push(file);
            }
            Self::Varnish => varnish(&mut command, place, file, "malloc,256m".into()),
            Self::VarnishOnDisk => {
                let objects = place.directory.join("objects");
                let storage = format!("file,{},256m", objects.display());
                varnish(&mut command, place, file, storage);
            }
            Self::Hyper => {
                add(&["hyper", "--address", &place.address.to_string()]);
                add(&["--backend", &place.backend.to_string()]);
            }
            Self::Janua => {
                add(&["run", "--config"]);
                command.push(file);
                command.push("--admin".into());
                command.push(place.admin().into_os_string());
            }
        }
        command
    }
}

/// The log records that Varnish writes for every request. They are switched off, as no other
/// contender writes an access log.
const VARNISH_SILENT: &str = "vsl_mask=-Begin,-End,-Link,-SessOpen,-SessClose,-ReqStart,-ReqMethod,\
    -ReqURL,-ReqProtocol,-ReqHeader,-ReqUnset,-ReqAcct,-RespProtocol,-RespStatus,-RespReason,\
    -RespHeader,-RespUnset,-Timestamp,-Hit,-VCL_call,-VCL_return";

fn varnish(command: &mut Vec<OsString>, place: &Place, file: OsString, storage: String) {
    let address = place.address.to_string();
    let name = place.directory.join("varnish").display().to_string();
    // One pool with enough threads from the start, since each active request takes one.
    command.extend(
        [
            "-F",
            "-j",
            "none",
            "-n",
            &name,
            "-a",
            &address,
            "-s",
            &storage,
            "-p",
            "thread_pools=1",
            "-p",
            "thread_pool_min=100",
            "-p",
            VARNISH_SILENT,
            "-f",
        ]
        .map(OsString::from),
    );
    command.push(file);
}
