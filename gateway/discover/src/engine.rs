//! The API of the Docker Engine, over its Unix socket.
//!
//! `bollard` has all of this API, at the price of generated types for it and of several crates. Of
//! two requests and a stream, a few fields are needed here. Responses are bounded in time and in
//! length, since something else may listen at the socket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::UnixStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::container::{Inspected, LabelPrefix};

/// How long a request may take, to the last byte of its response.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest response, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// The longest event, in bytes.
const LONGEST_EVENT: usize = 256 * 1024;

/// The most containers that are looked at.
const MOST_CONTAINERS: usize = 10_000;

/// What may change the endpoints. Health checks cause others all the time.
const EVENTS: [&str; 11] = [
    "start",
    "die",
    "stop",
    "pause",
    "unpause",
    "rename",
    "update",
    "destroy",
    "health_status",
    "connect",
    "disconnect",
];

/// Why the Engine gives no answer.
#[derive(Debug)]
pub(crate) struct Error(String);

impl Error {
    /// What was found cannot be written.
    pub(crate) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the Engine listens.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    socket: PathBuf,
}

/// A connection to the Engine.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
}

/// The events as they happen.
pub(crate) struct Events {
    body: Incoming,
    /// The bytes of an event that is not complete.
    rest: BytesMut,
    _connection: Connection,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
}

impl Engine {
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// The running containers that ask for an upstream by a label with this prefix, in the order of
    /// their identifiers.
    pub(crate) async fn containers(&self, prefix: &LabelPrefix) -> Result<Vec<Inspected>, Error> {
        let filters = json!({ "label": [prefix.label("upstream")], "status": ["running"] });
        let mut connection = self.connect().await?;
        let path = format!("/containers/json?filters={}", encoded(&filters.to_string()));
        let mut listed: Vec<Listed> = match connection.get(&path).await? {
            Some(listed) => listed,
            None => return Err(Error("the Engine knows no containers".to_owned())),
        };
        if listed.len() > MOST_CONTAINERS {
            return Err(Error(format!("there are {} containers", listed.len())));
        }
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        let mut containers = Vec::with_capacity(listed.len());
        for Listed { id } in listed {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(Error(format!(
                    "{id:?} is not the identifier of a container"
                )));
            }
            let inspected: Option<Inspected> =
                connection.get(&format!("/containers/{id}/json")).await?;
            // One that has ended meanwhile is not found.
            containers.extend(inspected.map(|mut container| {
                container.forget_other_labels(prefix);
                container
            }));
        }
        Ok(containers)
    }

    /// The events from now on.
    pub(crate) async fn events(&self) -> Result<Events, Error> {
        let filters = json!({ "type": ["container", "network"], "event": EVENTS });
        let path = format!("/events?filters={}", encoded(&filters.to_string()));
        let mut connection = self.connect().await?;
        let response = within(connection.send(&path)).await?;
        if response.status() != StatusCode::OK {
            return Err(refused(&path, response.status()));
        }
        Ok(Events {
            body: response.into_body(),
            rest: BytesMut::new(),
            _connection: connection,
        })
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let socket = self.socket.display();
        let connecting = async {
            let stream = UnixStream::connect(&self.socket)
                .await
                .map_err(|error| Error(format!("{socket}: {error}")))?;
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Error(format!("{socket}: {error}")))
        };
        let (sender, connection) = within(connecting).await?;
        let driver = tokio::spawn(async move {
            // Its error is that of the request too.
            let _ = connection.await;
        });
        Ok(Connection {
            sender,
            driver: driver.abort_handle(),
        })
    }
}

impl Connection {
    /// The answer to a GET; none if there is no such thing.
    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<Option<T>, Error> {
        let body = within(async {
            let response = self.send(path).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => {
                    self.read(response).await?;
                    return Ok(None);
                }
                status => return Err(refused(path, status)),
            }
            self.read(response).await.map(Some)
        });
        let Some(body) = body.await? else {
            return Ok(None);
        };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| Error(format!("the Engine's answer is not understood: {error}")))
    }

    async fn send(&mut self, path: &str) -> Result<Response<Incoming>, Error> {
        let failed = |error: hyper::Error| Error(format!("the Engine does not answer: {error}"));
        self.sender.ready().await.map_err(failed)?;
        let request = Request::get(path)
            .header(hyper::header::HOST, "docker")
            .body(Empty::new())
            .map_err(|error| Error(error.to_string()))?;
        self.sender.send_request(request).await.map_err(failed)
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, Error> {
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| Error(format!("the Engine's answer: {error}")))?;
        Ok(body.to_bytes())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Events {
    /// Waits for an event. What it says does not matter: the containers are listed anew. May be
    /// cancelled.
    ///
    /// # Errors
    /// There will be no further events.
    pub(crate) async fn next(&mut self) -> Result<(), Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                drop(self.rest.split_to(end + 1));
                return Ok(());
            }
            if self.rest.len() > LONGEST_EVENT {
                return Err(Error(format!(
                    "an event is longer than {LONGEST_EVENT} bytes"
                )));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.rest.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(Error(format!("the events have ended: {error}"))),
                None => return Err(Error("the Engine has ended the events".to_owned())),
            }
        }
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(Error(format!(
            "the Engine has not answered within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn refused(path: &str, status: StatusCode) -> Error {
    let path = path.split('?').next().unwrap_or_default();
    Error(format!("the Engine answers {path} with {status}"))
}

/// As the value of a query parameter.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn filters_are_encoded() {
        assert_eq!(
            encoded(r#"{"a":["b c"]}"#),
            "%7B%22a%22%3A%5B%22b%20c%22%5D%7D"
        );
        assert_eq!(encoded("a-b_c.~9&#é"), "a-b_c.~9%26%23%C3%A9");
    }
}
