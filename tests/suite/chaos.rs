//! Endpoints that die, stop, slow down, break connections off and come back, under the load of
//! clients of HTTP/1.1, TLS and HTTP/2.
//!
//! Of three endpoints, each a process of its own, one or two fail. No client sees an error of a
//! request that may be repeated. One that must not be repeated is lost only if it had been sent, and
//! no endpoint receives it twice.

pub(crate) mod endpoint;
mod load;

use std::collections::BTreeMap;

use janua_tests::{Gateway, Issue, Settings, assert_eventually};
use tempfile::TempDir;

use crate::tls::Stage;
use endpoint::{Endpoint, NAMES};
use load::{HOST, Load, Tally};

/// The words of `Proxy-Status` for a request that had been sent when its endpoint failed.
const SENT: [&str; 3] = [
    "connection_terminated",
    "http_response_timeout",
    "http_response_incomplete",
];

/// A request that may be repeated is sent to the others, whatever becomes of it.
const REPEATED: &str = "retries = { more = 2, on = [\"connect\", \"reset\", \"timeout\"], \
                        try_timeout = \"2s\", budget = \"100%\" }";
/// An endpoint that fails is held back for a while, and then tried by one request.
const HELD_BACK: &str = "passive_health = { max_fails = 3, fail_timeout = \"1s\" }";
/// It gets requests as if nothing had happened.
const NEVER_HELD_BACK: &str = "passive_health = { max_fails = 0 }";

/// A gateway before three endpoints, and its clients.
struct Scene {
    // The endpoints end last, so that the gateway has nothing to complain about.
    load: Load,
    gateway: Gateway,
    endpoints: [Endpoint; 3],
    _journals: TempDir,
}

impl Scene {
    /// Starts everything, with endpoints that speak this version of HTTP and lines for the
    /// upstream. Ends once each endpoint has answered.
    async fn start(http: &'static str, upstream: &[&str]) -> Self {
        let journals = tempfile::tempdir().unwrap();
        let endpoints = endpoint::three(journals.path(), http);
        let stage = Stage::new();
        stage.issue("site", &Issue::new(&[HOST]));
        let client = stage.client();
        let addresses = endpoints.each_ref().map(Endpoint::address);
        let upstream = upstream.join("\n");
        let config = format!(
            r#"
[listeners.plain]
address = "127.0.0.1:0"

[listeners.tls]
address = "127.0.0.1:0"
tls = true

[upstreams.app]
endpoints = {addresses:?}
http = "{http}"
{upstream}

[[sites]]
hosts = ["*"]
certificate = {{ cert = "site.crt", key = "site.key" }}

[[sites.routes]]
upstream = "app"
"#
        );
        let gateway = stage.start_with(Settings::new(), config).await;
        let scene = Self {
            load: Load::on(&gateway, &client),
            gateway,
            endpoints,
            _journals: journals,
        };
        for name in NAMES {
            scene.load.answers(Some(name), 5).await;
        }
        scene
    }

    /// Waits until the gateway says that an endpoint is down, or up.
    async fn health(&self, number: usize, expected: &str) {
        let is_so = async || {
            let status = self.gateway.status().await;
            status["upstreams"][0]["endpoints"][number]["health"] == expected
        };
        assert_eventually!(is_so().await, "{} is not {expected}", NAMES[number]);
    }

    /// Waits until the others have answered for a while, although an endpoint is down.
    async fn goes_on_without(&self, number: usize) {
        self.health(number, "down").await;
        self.load.answers(None, 40).await;
    }

    /// Waits until an endpoint answers again.
    async fn is_back(&self, number: usize) {
        self.load.answers(Some(NAMES[number]), 5).await;
        self.health(number, "up").await;
    }

    /// Ends the load, and checks what became of each request. Returns what clients saw.
    async fn end(self) -> Tally {
        let tally = self.load.stop().await;
        assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
        for (request, why) in &tally.lost {
            let had_been_sent = SENT.iter().any(|word| why.contains(word));
            assert!(had_been_sent, "{request}: {why}");
        }
        for endpoint in &self.endpoints {
            endpoint.has_read_all().await;
        }
        let mut received: BTreeMap<String, usize> = BTreeMap::new();
        for (request, count) in self.endpoints.iter().flat_map(Endpoint::received) {
            *received.entry(request).or_default() += count;
        }
        let posts = received.iter().filter(|(it, _)| it.starts_with("POST "));
        let twice: Vec<_> = posts.filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "received twice: {twice:#?}");
        for request in &tally.posted {
            assert!(received.contains_key(request), "{request}: who answered?");
        }
        self.gateway.settled().await;
        tally
    }
}

/// While it is away, its port refuses connections.
#[tokio::test]
async fn one_is_killed() {
    is_killed("1.1").await;
}

/// Many requests share the connections that end with it.
#[tokio::test]
async fn one_of_http2_is_killed() {
    is_killed("2").await;
}

async fn is_killed(http: &'static str) {
    let mut scene = Scene::start(http, &[REPEATED, HELD_BACK]).await;
    scene.endpoints[0].kill();
    scene.goes_on_without(0).await;
    scene.endpoints[0].start("well");
    scene.is_back(0).await;
    scene.end().await;
}

/// While it is away, the kernel accepts connections for it, and takes what is sent.
#[tokio::test]
async fn one_is_stopped() {
    is_stopped("1.1").await;
}

#[tokio::test]
async fn one_of_http2_is_stopped() {
    is_stopped("2").await;
}

async fn is_stopped(http: &'static str) {
    let scene = Scene::start(http, &[REPEATED, HELD_BACK]).await;
    scene.endpoints[1].freeze();
    scene.goes_on_without(1).await;
    scene.endpoints[1].thaw();
    scene.is_back(1).await;
    scene.end().await;
}

/// It answers, but far too late.
#[tokio::test]
async fn one_is_slow() {
    misbehaves("1.1", "slow").await;
}

#[tokio::test]
async fn one_of_http2_is_slow() {
    misbehaves("2", "slow").await;
}

/// It receives each request, and resets the connection.
#[tokio::test]
async fn one_resets_connections() {
    misbehaves("1.1", "reset").await;
}

/// It receives each request, and there is never anything on the connection again.
#[tokio::test]
async fn one_is_silent() {
    misbehaves("1.1", "silent").await;
}

/// It receives each request, closes its side and waits for the gateway to close the other one.
#[tokio::test]
async fn one_half_closes_connections() {
    misbehaves("1.1", "half").await;
}

async fn misbehaves(http: &'static str, behaviour: &str) {
    let mut scene = Scene::start(http, &[REPEATED, NEVER_HELD_BACK]).await;
    scene.endpoints[2].behave(behaviour);
    // What it has received, and must not be repeated, is lost.
    scene.load.loses_one().await;
    scene.goes_on_without(2).await;
    scene.endpoints[2].behave("well");
    scene.is_back(2).await;
    scene.end().await;
}

/// Over and over: each time it is noticed, and each time it gets requests again.
#[tokio::test]
async fn one_is_restarted_again_and_again() {
    let mut scene = Scene::start("1.1", &[REPEATED, HELD_BACK]).await;
    for turn in 0..4 {
        let number = turn % 2;
        scene.endpoints[number].kill();
        if turn < 2 {
            scene.goes_on_without(number).await;
        }
        scene.endpoints[number].start("well");
        scene.load.answers(Some(NAMES[number]), 5).await;
    }
    scene.end().await;
}

/// One is dead and another one hangs, so that each request may meet both before it gets to the last
/// one.
#[tokio::test]
async fn two_of_three_fail_in_different_ways() {
    let mut scene = Scene::start("1.1", &[REPEATED, HELD_BACK]).await;
    scene.endpoints[0].kill();
    scene.endpoints[1].freeze();
    scene.goes_on_without(0).await;
    scene.goes_on_without(1).await;
    scene.endpoints[1].thaw();
    scene.endpoints[0].start("well");
    scene.is_back(0).await;
    scene.is_back(1).await;
    scene.end().await;
}

/// A deploy as an operator does it: each endpoint is taken out, replaced and put back. Nothing at
/// all is lost. There is no limit of time, which a busy machine might exceed.
#[tokio::test]
async fn a_deploy_one_after_the_other_loses_nothing() {
    let mut scene = Scene::start("1.1", &[HELD_BACK]).await;
    for number in 0..3 {
        let address = scene.endpoints[number].address();
        let drain = ["upstream", "drain", "app", &address, "--wait"];
        scene.gateway.done(&drain).await;
        scene.load.answers(None, 20).await;
        scene.endpoints[number].kill();
        scene.load.answers(None, 20).await;
        scene.endpoints[number].start("well");
        let undrain = ["upstream", "undrain", "app", &address, "--wait"];
        scene.gateway.done(&undrain).await;
        scene.is_back(number).await;
    }
    let tally = scene.end().await;
    assert!(tally.lost.is_empty(), "{:#?}", tally.lost);
}
