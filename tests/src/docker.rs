//! A stand-in for the Docker Engine, and `janua discover docker` as a process.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::background;
use crate::gateway::binary;

/// The API of the Engine at a socket: `/containers/json`, `/containers/ID/json` and `/events`.
#[derive(Debug)]
pub struct DockerEngine {
    state: Arc<State>,
    task: AbortHandle,
}

/// How the stand-in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As the Engine does.
    Well,
    /// With what is no JSON.
    Malformed,
    /// With a body without an end.
    Endless,
    /// With 500.
    Refusing,
    /// With nothing at all.
    Silent,
    /// With events that have no line ends.
    EndlessEvent,
}

#[derive(Debug)]
struct State {
    containers: Mutex<BTreeMap<String, Value>>,
    manner: Mutex<Manner>,
    /// What was asked, as sent.
    asked: Mutex<Vec<String>>,
    /// The number of events so far.
    events: watch::Sender<usize>,
}

impl DockerEngine {
    /// Starts it at this socket.
    pub async fn start(socket: &Path) -> Self {
        let state = Arc::new(State {
            containers: Mutex::default(),
            manner: Mutex::new(Manner::Well),
            asked: Mutex::default(),
            events: watch::Sender::new(0),
        });
        Self::with(socket, state).await
    }

    async fn with(socket: &Path, state: Arc<State>) -> Self {
        let _ = std::fs::remove_file(socket);
        let path = socket.to_owned();
        let opening = background::runtime().spawn(async move { UnixListener::bind(path) });
        let listener = opening.await.unwrap().expect("the socket can be bound");
        let task = background::runtime().spawn(accept(listener, Arc::clone(&state)));
        Self {
            state,
            task: task.abort_handle(),
        }
    }

    /// Ends, and closes all connections; another one with the same containers can be started.
    pub async fn restart(self, socket: &Path) -> Self {
        self.task.abort();
        Self::with(socket, Arc::clone(&self.state)).await
    }

    /// Starts a container with these labels and this address in the network `shop`.
    pub fn run(&self, name: &str, address: &str, labels: &[(&str, &str)]) {
        let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
        let container = json!({
            "Id": id(name),
            "Name": format!("/{name}"),
            "State": { "Status": "running", "Running": true, "Paused": false },
            "Config": { "Labels": labels, "ExposedPorts": { "8080/tcp": {} } },
            "NetworkSettings": { "Networks": { "shop": { "IPAddress": address } } },
        });
        self.state
            .containers
            .lock()
            .unwrap()
            .insert(id(name), container);
        self.happens();
    }

    /// The container ends.
    pub fn end(&self, name: &str) {
        self.state.containers.lock().unwrap().remove(&id(name));
        self.happens();
    }

    /// Its health check has this result.
    pub fn set_health(&self, name: &str, health: &str) {
        if let Some(container) = self.state.containers.lock().unwrap().get_mut(&id(name)) {
            container["State"]["Health"] = json!({ "Status": health });
        }
        self.happens();
    }

    /// Answers in this manner from now on.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
        self.happens();
    }

    /// The targets of the requests so far, decoded.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Announces an event.
    pub fn happens(&self) {
        self.state.events.send_modify(|events| *events += 1);
    }
}

impl Drop for DockerEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// As long as the Engine's, in hexadecimal.
fn id(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}")
}

async fn accept(listener: UnixListener, state: Arc<State>) {
    // Dropped with this task, and all connections with it.
    let mut visits = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        visits.spawn(visit(stream, Arc::clone(&state)));
    }
}

async fn visit(stream: UnixStream, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut target = None;
        loop {
            let mut line = String::new();
            if !stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                return;
            }
            if line == "\r\n" {
                break;
            }
            target.get_or_insert(line);
        }
        let target = target.unwrap_or_default();
        let target = target.split(' ').nth(1).unwrap_or_default().to_owned();
        state.asked.lock().unwrap().push(decoded(&target));
        if answer(&mut stream, &target, &state).await.is_none() {
            return;
        }
    }
}

/// None if the connection has ended.
async fn answer(stream: &mut BufReader<UnixStream>, target: &str, state: &State) -> Option<()> {
    let path = target.split('?').next().unwrap_or_default();
    let manner = *state.manner.lock().unwrap();
    if path == "/events" && !matches!(manner, Manner::Silent | Manner::Refusing) {
        return events(stream, state).await;
    }
    match manner {
        Manner::Well | Manner::EndlessEvent => {}
        Manner::Malformed => return send(stream, 200, "[{\"Id\": \"a").await,
        Manner::Refusing => return send(stream, 500, "{\"message\": \"broken\"}").await,
        Manner::Silent => std::future::pending().await,
        Manner::Endless => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            loop {
                stream.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
    }
    let containers = state.containers.lock().unwrap().clone();
    if path == "/containers/json" {
        let listed = containers.values().map(
            |container| json!({ "Id": container["Id"], "Labels": container["Config"]["Labels"] }),
        );
        let listed: Vec<Value> = listed.collect();
        return send(stream, 200, &json!(listed).to_string()).await;
    }
    let id = path.strip_prefix("/containers/")?.strip_suffix("/json")?;
    match containers.get(id) {
        Some(container) => send(stream, 200, &container.to_string()).await,
        None => send(stream, 404, "{\"message\": \"No such container\"}").await,
    }
}

async fn send(stream: &mut BufReader<UnixStream>, status: u16, body: &str) -> Option<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.ok()
}

async fn events(stream: &mut BufReader<UnixStream>, state: &State) -> Option<()> {
    let mut events = state.events.subscribe();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    loop {
        events.changed().await.ok()?;
        let is_endless = *state.manner.lock().unwrap() == Manner::EndlessEvent;
        let event = match is_endless {
            true => "x".repeat(0x10000),
            false => "{\"Type\": \"container\"}\n".to_owned(),
        };
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(chunk.as_bytes()).await.ok()?;
        if is_endless {
            state.events.send_modify(|events| *events += 1);
        }
    }
}

fn decoded(target: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = target.as_bytes();
    while let [first, after @ ..] = rest {
        match after {
            [one, two, after @ ..] if *first == b'%' => {
                let digits = [*one, *two];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// `janua discover docker` with these arguments, until it is dropped.
#[derive(Debug)]
pub struct Discovery {
    child: Child,
    messages: PathBuf,
}

impl Discovery {
    /// Starts it in this directory.
    #[must_use]
    pub fn start(directory: &Path, socket: &Path, arguments: &[&str]) -> Self {
        let messages = directory.join("discover.log");
        let output = File::create(&messages).unwrap();
        let child = Command::new(binary())
            .args(["discover", "docker", "--socket"])
            .arg(socket)
            .args(arguments)
            .current_dir(directory)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("it can be started");
        Self { child, messages }
    }

    /// What it has logged.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- janua discover ---\n{}---", self.messages());
        }
    }
}
