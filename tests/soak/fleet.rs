//! Instances that come and go while they are used: a list names them, commands take them out, and
//! a split divides requests between two of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use janua_tests::{Endpoint, Request, Response, Upstream, eventually};
use serde_json::{Value, json};

use crate::client::{Client, Visited, check, violation};
use crate::origin;
use crate::scene::Scene;

/// The names of the instances in `X-Endpoint`.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];
/// The list of those that get requests.
pub(crate) const LIST: &str = "fleet.toml";
/// The requests with which a change is checked, over a connection each.
const REQUESTS: usize = 12;

/// Three instances, which all live.
pub(crate) struct Fleet {
    instances: [Upstream; 3],
}

impl Fleet {
    /// Starts all.
    pub(crate) async fn start() -> Self {
        let version = Arc::<AtomicU64>::default();
        let start = |name| {
            let any_port = Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            origin::endpoint(any_port, name, Arc::clone(&version))
        };
        let [a, b, c] = NAMES.map(start);
        Self {
            instances: [a.await, b.await, c.await],
        }
    }

    /// The addresses of all.
    pub(crate) fn addresses(&self) -> [String; 3] {
        self.instances.each_ref().map(Upstream::endpoint)
    }

    /// Lists these. Nobody ever reads a part of it.
    pub(crate) fn list(&self, directory: &Path, numbers: &[usize]) {
        let addresses: Vec<String> = numbers
            .iter()
            .map(|number| self.instances[*number].endpoint())
            .collect();
        let new = directory.join("fleet.new");
        std::fs::write(&new, format!("endpoints = {addresses:?}\n")).unwrap();
        std::fs::rename(new, directory.join(LIST)).unwrap();
    }
}

/// Changes one after the other, until the plan ends.
pub(crate) async fn change(scene: &Scene) {
    let mut turns = 0;
    while scene.plan.goes_on(scene.begin, turns) && scene.is_on() {
        let number = turns % NAMES.len();
        turns += 1;
        if let Err(trouble) = turn(scene, number).await {
            let what = format!("turn {turns} of the fleet: {trouble}");
            return scene.ledger.violated(what);
        }
        scene.ledger.noted("turns of the fleet");
    }
}

async fn turn(scene: &Scene, number: usize) -> Visited {
    take_out(scene, number).await?;
    leave_out(scene, number).await?;
    replace_all(scene).await?;
    weigh(scene).await
}

/// A command takes an instance out, and another one lets it in.
async fn take_out(scene: &Scene, number: usize) -> Visited {
    let endpoint = json!({ "upstream": "fleet", "endpoint": scene.endpoints.fleet[number] });
    command(scene, "/upstreams/drain", &endpoint).await?;
    answered_by(scene, "/fleet/", |name| name != NAMES[number]).await?;
    command(scene, "/upstreams/undrain", &endpoint).await?;
    answers(scene, "/fleet/", NAMES[number]).await?;
    scene.ledger.noted("instances taken out");
    Ok(())
}

/// The list leaves one out, and then has it again.
async fn leave_out(scene: &Scene, number: usize) -> Visited {
    let others: Vec<usize> = (0..NAMES.len()).filter(|other| *other != number).collect();
    listed(scene, &others).await?;
    answered_by(scene, "/fleet/", |name| name != NAMES[number]).await?;
    listed(scene, &[0, 1, 2]).await?;
    answers(scene, "/fleet/", NAMES[number]).await?;
    scene.ledger.noted("lists without one");
    Ok(())
}

/// There is none at all for a moment, and requests wait.
async fn replace_all(scene: &Scene) -> Visited {
    listed(scene, &[]).await?;
    let mut client = Client::clear(scene).await;
    client.send(&Request::get("/fleet/bytes/700")).await?;
    let labels = [("upstream", "fleet")];
    let waits = eventually(async || {
        let held = scene.gateway.metric("janua_upstream_held", &labels).await;
        (held > 0.0).then_some(())
    });
    let waits = waits.await.is_some();
    // The clients wait too, whatever comes of this.
    listed(scene, &[0, 1, 2]).await?;
    check(waits, || "no request waits".to_owned())?;
    let head = client.head("/fleet/", "GET").await?;
    let body = client.wire.take_body(head.framing).await;
    let body = body.map_err(|error| violation(format!("what has waited: {error}")))?;
    check(head.status == 200 && body.0.len() == 700, || {
        format!("what has waited: {} {:?}", head.status, head.fields)
    })?;
    scene.ledger.noted("lists without any");
    Ok(())
}

/// All requests of the split go to one upstream, and then to both again.
async fn weigh(scene: &Scene) -> Visited {
    let status = scene.gateway.status().await;
    let route = &status["splits"][0]["route"];
    let green = |weight: u32| json!({ "route": route, "upstream": "green", "weight": weight });
    command(scene, "/splits/weight", &green(0)).await?;
    answered_by(scene, "/split/", |name| name == NAMES[0]).await?;
    command(scene, "/splits/weight", &green(1)).await?;
    answers(scene, "/split/", NAMES[1]).await?;
    scene.ledger.noted("weights changed");
    Ok(())
}

/// A request to the admin socket, which must succeed.
async fn command(scene: &Scene, path: &str, body: &Value) -> Visited {
    let request = Request::post(path, body.to_string());
    let answer = scene.gateway.ask_with(&request).await;
    check(answer.status == 200, || {
        format!("{path} {body}: {} {}", answer.status, answer.text())
    })
}

/// Lists these, and waits until they are the upstream's endpoints.
async fn listed(scene: &Scene, numbers: &[usize]) -> Visited {
    scene.fleet.list(scene.gateway.directory(), numbers);
    let expected = numbers.iter().map(|number| &scene.endpoints.fleet[*number]);
    let expected: Vec<&String> = expected.collect();
    let is_so = async || {
        let status = scene.gateway.status().await;
        let mut upstreams = status["upstreams"].as_array()?.iter();
        let fleet = upstreams.find(|upstream| upstream["name"] == "fleet")?;
        let endpoints = fleet["endpoints"].as_array()?;
        let addresses = endpoints.iter().map(|it| it["address"].as_str());
        let expected = expected.iter().map(|it| Some(it.as_str()));
        addresses.eq(expected).then_some(())
    };
    match eventually(is_so).await {
        Some(()) => Ok(()),
        None => Err(violation(format!("{expected:?} are not taken up"))),
    }
}

/// The next requests are answered by such instances only.
async fn answered_by(
    scene: &Scene,
    route: &'static str,
    is_right: impl Fn(&str) -> bool,
) -> Visited {
    for _ in 0..REQUESTS {
        let response = ask(scene, route).await?;
        check(is_right(name(&response)), || {
            format!("{route} is answered by {}", name(&response))
        })?;
    }
    Ok(())
}

/// Waits until an instance answers.
async fn answers(scene: &Scene, route: &'static str, expected: &str) -> Visited {
    for _ in 0..1_000 {
        if name(&ask(scene, route).await?) == expected {
            return Ok(());
        }
    }
    Err(violation(format!("{expected} gets no request of {route}")))
}

/// A client without a session.
async fn ask(scene: &Scene, route: &'static str) -> Visited<Response> {
    let mut client = Client::clear(scene).await;
    let request = Request::get(&format!("{route}bytes/700"));
    client.expect(route, &request, 200).await
}

fn name(response: &Response) -> &str {
    response.header("x-endpoint").unwrap_or("nobody")
}
