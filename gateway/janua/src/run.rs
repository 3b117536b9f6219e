//! `janua run`: starts the gateway, and handles signals.
//!
//! | signal | effect |
//! |---|---|
//! | SIGHUP | reload |
//! | SIGUSR1 | reopen the access log's file |
//! | SIGTERM, SIGINT | drain and stop; a second one stops at once |

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use janua_admin::{Asker, BindError, Control, Server, SocketOptions};
use janua_config::{Diagnostic, Diagnostics, Loaded, Sources, Span};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::gateway::{self, Gateway, StartError};

/// How long a second signal waits for the logs to be written, if no request is
/// in progress.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Why it could not start, as text for the terminal.
pub(crate) fn run(config: &Path, admin: Option<PathBuf>) -> Result<(), String> {
    let loaded = gateway::load(config).map_err(|found| found.render(false))?;
    let _diagnostics = janua_telemetry::diagnostics::init(loaded.config.log.level.as_str(), false)
        .map_err(|error| error.to_string())?;
    let is_by_option = admin.is_some();
    let socket = socket(&loaded, admin);
    let words = |error| match error {
        StartError::Refused(found) => found.render(false),
        StartError::Machine(words) => words,
    };
    let named = match is_by_option {
        true => Named::ByOption,
        false => Named::InFile(loaded.config.admin.socket.span, loaded.sources.clone()),
    };
    let gateway = Gateway::start(config, loaded).map_err(words)?;
    let control: Arc<dyn Control> = Arc::clone(&gateway) as Arc<dyn Control>;
    let admin = Server::start(&socket, control).map_err(|error| refused_socket(&error, named))?;
    tracing::info!(socket = %admin.path().display(), "admin endpoint");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // Installed before anyone can see that the gateway runs and send a signal.
    let signals = {
        let _runtime = runtime.enter();
        Signals::catch().map_err(|error| error.to_string())?
    };
    // Last of all: from here on, clients are served.
    gateway.serve().map_err(words)?;
    let ended = runtime.block_on(handle_signals(gateway, signals));
    // After a second signal, requests still in progress are not waited for.
    runtime.shutdown_background();
    ended.map_err(|error| error.to_string())
}

fn socket(loaded: &Loaded, path: Option<PathBuf>) -> SocketOptions {
    let admin = &loaded.config.admin;
    SocketOptions {
        path: path.unwrap_or_else(|| admin.socket.value.clone()),
        mode: admin.mode.value.0,
        group: admin.group.as_ref().map(|group| group.value.clone()),
    }
}

/// The source of the admin socket's path.
enum Named {
    /// `--admin`.
    ByOption,
    /// The configuration. The span is empty for the default.
    InFile(Span, Sources),
}

/// The message for a failed admin socket, with the position of its path if
/// there is one, and how to choose another path if that would help.
fn refused_socket(error: &BindError, named: Named) -> String {
    let help = match named {
        Named::ByOption => "name another path by `--admin`",
        Named::InFile(..) => "name another path by `socket` in `[admin]`",
    };
    let help = error.is_about_the_path().then_some(help);
    match named {
        Named::InFile(span, sources) if span.end > span.start => {
            let fault = Diagnostic::error(span, error.to_string());
            let mut found = Diagnostics::new(sources);
            found.push(match help {
                Some(help) => fault.help(help),
                None => fault,
            });
            found.render(false)
        }
        _ => match help {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        },
    }
}

/// The signals that the gateway handles.
struct Signals {
    hangup: Signal,
    user1: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to receive them.
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Waits for the end of a task; for ever if there is none.
async fn ended(task: &mut Option<JoinHandle<()>>) {
    match task {
        // A panic has already been logged.
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}

async fn handle_signals(gateway: Arc<Gateway>, signals: Signals) -> std::io::Result<()> {
    let Signals {
        mut hangup,
        mut user1,
        mut terminate,
        mut interrupt,
    } = signals;
    // One at a time; signals that come meanwhile are one more. It may take long to compile a
    // component, and the other signals do not wait for that.
    let mut reloading: Option<JoinHandle<()>> = None;
    loop {
        let gateway = Arc::clone(&gateway);
        tokio::select! {
            _ = hangup.recv(), if reloading.is_none() => {
                reloading = Some(tokio::task::spawn_blocking(move || {
                    // Its result is in the log.
                    let _ = gateway.reload(&Asker::default());
                }));
            }
            () = ended(&mut reloading) => reloading = None,
            _ = user1.recv() => gateway.reopen_log(),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("draining");
    let draining = {
        let gateway = Arc::clone(&gateway);
        tokio::task::spawn_blocking(move || gateway.drain())
    };
    tokio::pin!(draining);
    tokio::select! {
        biased;
        _ = &mut draining => return Ok(()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    match gateway.requests_in_flight() {
        // No request is aborted; only the log remains to be written.
        0 => drop(tokio::time::timeout(LAST_WRITES, draining).await),
        requests => tracing::warn!(requests, "a second signal: requests were cut off"),
    }
    Ok(())
}
