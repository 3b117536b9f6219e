//! The endpoints of the pair die in turn, and come back.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use janua_tests::{Endpoint, Http2Upstream, Port, Upstream, eventually};

use crate::calls;
use crate::origin;
use crate::scene::Scene;

/// The names of the pair in `X-Endpoint`.
pub(crate) const NAMES: [&str; 2] = ["one", "two"];

/// The pair of endpoints. Each is two servers, which die and come back together.
pub(crate) struct Pair {
    ports: [Port; 2],
    calls: [Port; 2],
    live: [Option<(Upstream, Http2Upstream)>; 2],
    version: Arc<AtomicU64>,
}

impl Pair {
    /// Starts both.
    pub(crate) async fn start(version: Arc<AtomicU64>) -> Self {
        let mut pair = Self {
            ports: [Port::reserve(), Port::reserve()],
            calls: [Port::reserve(), Port::reserve()],
            live: [None, None],
            version,
        };
        for number in 0..2 {
            pair.revive(number).await;
        }
        pair
    }

    /// The addresses of the servers of HTTP/1.1.
    pub(crate) fn addresses(&self) -> [String; 2] {
        self.ports.each_ref().map(Port::endpoint)
    }

    /// The addresses of the servers of gRPC.
    pub(crate) fn call_addresses(&self) -> [String; 2] {
        self.calls.each_ref().map(Port::endpoint)
    }

    /// Lets them die in turn, until the plan ends. The next one dies once the last one is used
    /// again.
    pub(crate) async fn suffer(mut self, scene: &Scene) -> Self {
        let mut outages = 0;
        while scene.plan.goes_on(scene.begin, outages) && scene.is_on() {
            let number = outages % 2;
            let (http, calls) = self.live[number].take().unwrap();
            scene.ledger.dies(NAMES[number]);
            tokio::join!(http.stop(), calls.stop());
            scene.ledger.has_died();
            self.until(scene, number, 0.0).await;
            self.revive(number).await;
            self.until(scene, number, 1.0).await;
            scene.ledger.noted("outages");
            outages += 1;
        }
        self
    }

    async fn revive(&mut self, number: usize) {
        let at = Endpoint::Tcp(self.ports[number].address());
        let version = Arc::clone(&self.version);
        let http = origin::endpoint(at, NAMES[number], version).await;
        let at = Some(self.calls[number].address());
        self.live[number] = Some((http, calls::server(at, NAMES[number]).await));
    }

    /// Waits until the gateway has noticed for both servers of an endpoint.
    async fn until(&self, scene: &Scene, number: usize, health: f64) {
        let endpoint = self.ports[number].endpoint();
        let calls = self.calls[number].endpoint();
        let servers = [("pair", &*endpoint), ("calls", &*calls)];
        let noticed = eventually(async || {
            let metrics = scene.gateway.metrics().await;
            let is_so = |(upstream, endpoint)| {
                let labels = [("upstream", upstream), ("endpoint", endpoint)];
                metrics.sum("janua_endpoint_healthy", &labels) == health
            };
            (servers.into_iter().all(is_so) || !scene.is_on()).then_some(())
        });
        if noticed.await.is_none() {
            let what = format!("the health of {endpoint} and {calls} does not become {health}");
            scene.ledger.violated(what);
        }
    }
}
