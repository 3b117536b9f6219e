//! Healthy requests beside a policy that misbehaves: whatever it does, they
//! are answered, and rightly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use janua_tests::{
    Gateway, Proxy, Request, Response, Upstream, Wire, assert_eventually, component,
};
use tokio::task::JoinSet;

/// A policy `name` that does `what`, and its route `/name/`.
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

/// A site with the route `/good`, its policy `good`, and these.
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

/// Three healthy clients: over the route of a bundled policy, and over routes
/// of a misbehaving component, remembered and asked anew.
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

/// Clients that send requests all the time, each over a kept connection, and
/// insist on the right answers.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Vec<Arc<AtomicBool>>,
    clients: JoinSet<u64>,
}

impl Traffic {
    /// `make` gives the n-th request of a client, `check` judges its response.
    /// Returns once each client has been answered.
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
                    // Leaves the machine to what the test is about.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                n as u64
            });
        }
        let mut traffic = Some(traffic);
        assert_eventually!(
            match &mut traffic {
                Some(traffic) => {
                    // A client that has failed already is no reason to wait.
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

    /// Ends, and fails if any answer was wrong. How many there were.
    pub(crate) async fn finish(mut self) -> u64 {
        self.stop.store(true, SeqCst);
        let mut sum = 0;
        while let Some(ended) = self.clients.join_next().await {
            sum += ended.unwrap_or_else(|error| panic!("a healthy request failed: {error}"));
        }
        sum
    }
}
