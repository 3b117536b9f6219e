//! Healthy requests while another policy misbehaves: they are always answered
//! correctly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use janua_tests::{
    Gateway, Proxy, Request, Response, Upstream, Wire, assert_eventually, component,
};
use tokio::task::JoinSet;

/// A policy `name` that does `what`, with its route `/name/`.
pub(crate) fn misbehaving(name: &str, what: &str, more: &str) -> String {
    let component = component("misbehave");
    format!(
        r#"
[policies.{name}]
component = "{}"
config = {{ {what} }}
{more}
[[sites.routes]]
path = "/{name}/"
policies = ["{name}"]
upstream = "app"
"#,
        component.display()
    )
}

/// A site with the route `/good`, its policy `good`, and these routes.
pub(crate) fn beside(upstream: &Upstream, misbehaving: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/good\"\npolicies = [\"good\"]");
    format!(
        r#"{proxy}{misbehaving}
[policies.good]
component = "headers"
[policies.good.config]
request = {{ set = {{ X-Good = "{{path}}" }} }}
response = {{ always = true, set = {{ X-Back = "{{status}}" }} }}
"#
    )
}

pub(crate) fn marked(path: &str) -> Request {
    Request::get(path).header("X-Misbehave", "1")
}

/// Three healthy clients: one uses a route of a bundled policy, two use routes
/// of the misbehaving component, with and without remembered verdicts.
pub(crate) async fn healthy(gateway: &Gateway, remembered: &'static str) -> Traffic {
    let make = move |n: usize| match n % 3 {
        0 => Request::get("/good"),
        1 => Request::get(remembered),
        _ => Request::get(&format!("/quiet/{n}")),
    };
    let check = move |n: usize, response: &Response| {
        assert_eq!(response.status, 200, "{n}: {}", response.text());
        let echo = response.json();
        let target = match n % 3 {
            0 => "/good".to_owned(),
            1 => remembered.to_owned(),
            _ => format!("/quiet/{n}"),
        };
        assert_eq!(echo["target"], target, "{n}");
        if n.is_multiple_of(3) {
            assert_eq!(echo["headers"]["x-good"], "/good");
            assert_eq!(response.header("x-back"), Some("200"));
        }
    };
    Traffic::start(gateway.address(), 3, make, check).await
}

/// Clients that continually send requests, each over a persistent connection,
/// and check every response.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Vec<Arc<AtomicBool>>,
    clients: JoinSet<u64>,
}

impl Traffic {
    /// `make` creates the n-th request of a client, `check` verifies its
    /// response. Returns when each client has had a response.
    pub(crate) async fn start(
        address: SocketAddr,
        clients: usize,
        make: impl Fn(usize) -> Request + Clone + Send + 'static,
        check: impl Fn(usize, &Response) + Clone + Send + 'static,
    ) -> Self {
        let mut traffic = Self {
            stop: Arc::default(),
            answered: Vec::new(),
            clients: JoinSet::new(),
        };
        for _ in 0..clients {
            let answered = Arc::new(AtomicBool::new(false));
            traffic.answered.push(Arc::clone(&answered));
            let stop = Arc::clone(&traffic.stop);
            let (make, check) = (make.clone(), check.clone());
            traffic.clients.spawn(async move {
                let mut wire = Wire::connect(address).await;
                let mut n = 0;
                while !stop.load(SeqCst) {
                    let response = wire.exchange(&make(n)).await;
                    check(n, &response);
                    n += 1;
                    answered.store(true, SeqCst);
                    // Leaves processor time for what the test is about.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                n as u64
            });
        }
        let mut traffic = Some(traffic);
        assert_eventually!(
            match &mut traffic {
                Some(traffic) => {
                    // Does not wait for a client that has already failed.
                    if let Some(ended) = traffic.clients.try_join_next() {
                        ended.unwrap();
                    }
                    traffic
                        .answered
                        .iter()
                        .all(|answered| answered.load(SeqCst))
                }
                None => false,
            },
            "no client is answered"
        );
        traffic.take().unwrap()
    }

    /// Stops the clients, and fails if any response was wrong. Returns the
    /// number of requests.
    pub(crate) async fn finish(mut self) -> u64 {
        self.stop.store(true, SeqCst);
        let mut sum = 0;
        while let Some(ended) = self.clients.join_next().await {
            sum += ended.unwrap_or_else(|error| panic!("a healthy request failed: {error}"));
        }
        sum
    }
}
