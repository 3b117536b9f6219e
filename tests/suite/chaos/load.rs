//! Clients of HTTP/1.1, of TLS and of HTTP/2 that ask again and again while endpoints fail, and
//! what became of each request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use janua_tests::{Gateway, Http2Client, Request, Response, TlsClient, Wire, eventually};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The host that all clients ask for.
pub(crate) const HOST: &str = "a.example";
/// Clients of each kind.
const CLIENTS: usize = 3;
/// The pause between two requests of a client.
const PAUSE: Duration = Duration::from_millis(2);

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Tls,
    Http2,
}

/// Where clients of all kinds connect to.
#[derive(Clone)]
struct Doors {
    plain: SocketAddr,
    tls: SocketAddr,
    client: TlsClient,
}

enum Connection {
    Http1(Wire),
    Http2(Http2Client),
}

/// The load, which goes on until it is stopped.
pub(crate) struct Load {
    tally: Arc<Mutex<Tally>>,
    going: watch::Sender<bool>,
    clients: JoinSet<()>,
}

/// What became of the requests so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Right answers by endpoint.
    pub(crate) answered: BTreeMap<String, usize>,
    /// Requests that may be repeated and were not answered rightly.
    pub(crate) wrong: Vec<String>,
    /// Requests that must not be repeated and were answered, as in the journals.
    pub(crate) posted: Vec<String>,
    /// Those that were not, and what their clients saw.
    pub(crate) lost: Vec<(String, String)>,
}

impl Load {
    /// Starts clients of all kinds. The gateway has the listeners `plain` and `tls`.
    pub(crate) fn on(gateway: &Gateway, client: &TlsClient) -> Self {
        let doors = Doors {
            plain: gateway.address_of("plain"),
            tls: gateway.address_of("tls"),
            client: client.clone(),
        };
        let tally = Arc::<Mutex<Tally>>::default();
        let (going, _) = watch::channel(true);
        let mut clients = JoinSet::new();
        for kind in [Kind::Plain, Kind::Tls, Kind::Http2] {
            for number in 0..CLIENTS {
                let name = format!("{kind:?}-{number}");
                let (doors, tally) = (doors.clone(), Arc::clone(&tally));
                let going = going.subscribe();
                clients.spawn(async move { ask(kind, &name, &doors, &tally, &going).await });
            }
        }
        Self {
            tally,
            going,
            clients,
        }
    }

    /// What became of the requests so far.
    pub(crate) fn so_far(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Waits for so many further answers from an endpoint; from any if there is no name.
    pub(crate) async fn answers(&self, name: Option<&str>, count: usize) {
        let answers = |tally: &Tally| match name {
            Some(name) => tally.answered.get(name).copied().unwrap_or_default(),
            None => tally.answered.values().sum(),
        };
        let what = format!("{count} answers from {}", name.unwrap_or("anybody"));
        self.grows(answers, count, &what).await;
    }

    /// Waits until a request that must not be repeated is lost.
    pub(crate) async fn loses_one(&self) {
        self.grows(|tally| tally.lost.len(), 1, "lost request")
            .await;
    }

    async fn grows(&self, number: impl Fn(&Tally) -> usize, count: usize, what: &str) {
        let now = || number(&self.tally.lock().unwrap());
        let before = now();
        let came = eventually(async || (now() >= before + count).then_some(())).await;
        assert!(came.is_some(), "no {what}: {:?}", self.so_far());
    }

    /// Has all clients finish their request.
    pub(crate) async fn stop(mut self) -> Tally {
        self.going.send_replace(false);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client goes on until it is stopped");
        }
        self.so_far()
    }
}

/// One client: a GET, another one, a PUT and a POST by turns, over one connection as long as that
/// is possible.
async fn ask(
    kind: Kind,
    name: &str,
    doors: &Doors,
    tally: &Mutex<Tally>,
    going: &watch::Receiver<bool>,
) {
    let mut connection = doors.open(kind).await;
    for number in 0.. {
        if !*going.borrow() {
            return;
        }
        let path = format!("/{name}/{number}");
        let request = match number % 4 {
            0 | 1 => Request::get(&path),
            2 => Request::new("PUT", &path).body("put".repeat(100)),
            _ => Request::post(&path, "post".repeat(100)),
        };
        let outcome = connection.send(&request).await;
        let is_right = outcome.as_ref().is_ok_and(|it| it.status == 200);
        tally.lock().unwrap().note(&request, &path, outcome);
        if !is_right {
            // The gateway closes a connection on which it has not read a whole request.
            connection = doors.open(kind).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Doors {
    async fn open(&self, kind: Kind) -> Connection {
        match kind {
            Kind::Plain => Connection::Http1(Wire::connect(self.plain).await),
            Kind::Tls => Connection::Http1(self.secure(&["http/1.1"]).await),
            Kind::Http2 => Connection::Http2(Http2Client::over(self.secure(&["h2"]).await).await),
        }
    }

    async fn secure(&self, protocols: &[&str]) -> Wire {
        let client = self.client.clone().protocols(protocols);
        let connected = client.connect(self.tls, HOST).await;
        connected.unwrap_or_else(|error| panic!("no connection to the gateway: {error}"))
    }
}

impl Connection {
    async fn send(&mut self, request: &Request) -> Result<Response, String> {
        match self {
            Self::Http1(wire) => {
                let sent = wire.try_send(request.to_bytes()).await;
                sent.map_err(|error| format!("not sent: {error}"))?;
                let received = wire.try_receive(request.method()).await;
                received.map_err(|error| error.to_string())
            }
            Self::Http2(client) => {
                let received = client.try_send(request).await;
                received.map_err(|error| error.to_string())
            }
        }
    }
}

impl Tally {
    fn note(&mut self, request: &Request, path: &str, outcome: Result<Response, String>) {
        let line = format!("{} {path}", request.method());
        let is_post = request.method() == "POST";
        match checked(path, outcome) {
            Ok(endpoint) => {
                *self.answered.entry(endpoint).or_default() += 1;
                if is_post {
                    self.posted.push(line);
                }
            }
            Err(why) if is_post => self.lost.push((line, why)),
            Err(why) => self.wrong.push(format!("{line}: {why}")),
        }
    }
}

/// The endpoint that has given the right answer; or what is wrong.
fn checked(path: &str, outcome: Result<Response, String>) -> Result<String, String> {
    let response = outcome?;
    if response.status != 200 {
        let error = response.header("proxy-status").unwrap_or_default();
        return Err(format!("{} {error}", response.status));
    }
    let echoed = response.text().split(' ').next();
    let endpoint = response.header("x-endpoint");
    match endpoint {
        Some(endpoint) if echoed == Some(path) => Ok(endpoint.to_owned()),
        _ => Err(format!("another answer: {:?}", response.text())),
    }
}
