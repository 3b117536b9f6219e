//! The operator, who changes everything that may change while the gateway runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use janua_tests::{PATIENCE, Request, eventually, run};

use crate::client::{Client, Trouble, Visited, check, violation};
use crate::config::HOST;
use crate::scene::{Scene, swapped};

/// An operator, and two connections that are open from the beginning and outlive all changes.
struct Operator<'a> {
    scene: &'a Scene,
    clear: Client<'a>,
    secure: Client<'a>,
}

/// Takes turns until the plan ends.
pub(crate) async fn operate(scene: Arc<Scene>) {
    let mut turns = 0;
    let mut operator = match Operator::begin(&scene).await {
        Ok(operator) => operator,
        Err(trouble) => return scene.ledger.violated(format!("the operator: {trouble}")),
    };
    while scene.plan.goes_on(scene.begin, turns) && scene.is_on() {
        turns += 1;
        if let Err(trouble) = Box::pin(operator.turn(turns)).await {
            scene.ledger.violated(format!("turn {turns}: {trouble}"));
            return;
        }
        scene.ledger.noted("turns");
    }
}

impl<'a> Operator<'a> {
    async fn begin(scene: &'a Scene) -> Result<Self, Trouble> {
        let clear = Client::clear(scene).await;
        let secure = Client::secure(scene, &scene.certificates.client(), HOST).await?;
        Ok(Self {
            scene,
            clear,
            secure,
        })
    }

    async fn turn(&mut self, turn: usize) -> Visited {
        self.reload().await?;
        self.replace_configuration().await?;
        self.renew_certificate().await?;
        self.swap_component(turn).await?;
        self.be_refused(turn).await
    }

    /// By command: one route is removed and another one added.
    async fn reload(&mut self) -> Visited {
        let scene = self.scene;
        let revision = scene.revision.load(SeqCst) + 1;
        scene
            .gateway
            .replace_config(scene.endpoints.config(revision));
        let ran = run(scene.gateway.directory(), &["reload"]).await;
        check(ran.code == Some(0), || format!("refused: {}", ran.stderr))?;
        scene.ledger.noted("reloads by command");
        self.went_live(revision).await
    }

    /// The same by a changed file alone.
    async fn replace_configuration(&mut self) -> Visited {
        let scene = self.scene;
        let revision = scene.revision.load(SeqCst) + 1;
        scene
            .gateway
            .replace_config(scene.endpoints.config(revision));
        let text = revision.to_string();
        let request = Request::get("/revision");
        let begin = Instant::now();
        loop {
            let found = self.clear.expect("/revision", &request, 200).await?;
            if found.body == text.as_bytes() {
                break;
            }
            pause(begin, "a changed file takes no effect").await?;
        }
        scene.ledger.noted("reloads by a changed file");
        self.went_live(revision).await
    }

    /// Checks on the old connections, and on a new one, that a revision is live.
    async fn went_live(&mut self, revision: usize) -> Visited {
        let scene = self.scene;
        scene.revision.store(revision, SeqCst);
        let mut fresh = Client::clear(scene).await;
        for client in [&mut self.clear, &mut self.secure, &mut fresh] {
            let request = Request::get("/revision");
            let found = client.expect("/revision", &request, 200).await?;
            check(found.body == revision.to_string().as_bytes(), || {
                format!("{:?} instead of revision {revision}", found.body)
            })?;
            let there = Request::get(&format!("/only/{revision}"));
            client.expect("/only/", &there, 200).await?;
            let gone = Request::get(&format!("/only/{}", revision - 1));
            client.expect("none", &gone, 404).await?;
            check(!client.is_over(), || {
                "a reload ends a connection".to_owned()
            })?;
        }
        Ok(())
    }

    /// The files of the certificate are replaced. New handshakes get it.
    async fn renew_certificate(&mut self) -> Visited {
        let scene = self.scene;
        let number = scene.certificates.install(scene.gateway.directory());
        let begin = Instant::now();
        loop {
            let tls = scene.certificates.client();
            let fresh = Client::secure(scene, &tls, HOST).await?;
            let shown = fresh.wire.handshake().certificate.as_deref();
            if shown.and_then(|der| scene.certificates.number(der)) == Some(number) {
                break;
            }
            pause(begin, "a renewed certificate is not served").await?;
        }
        scene.certificates.is_seen(number);
        scene.ledger.noted("certificates renewed");
        let request = Request::get("/revision");
        self.secure.expect("/revision", &request, 200).await?;
        check(!self.secure.is_over(), || {
            "a renewal ends a connection".to_owned()
        })
    }

    /// The component of a policy is replaced by another one.
    async fn swap_component(&mut self, turn: usize) -> Visited {
        let scene = self.scene;
        let path = |name: &str| scene.gateway.directory().join(name);
        let before = self.identity().await;
        std::fs::write(path("swapped.new"), swapped(turn)).unwrap();
        std::fs::rename(path("swapped.new"), path("swapped.wasm")).unwrap();
        let is_swapped = eventually(async || (self.identity().await != before).then_some(()));
        if is_swapped.await.is_none() {
            return Err(violation("a replaced component takes no effect"));
        }
        scene.ledger.noted("components replaced");
        let request = Request::get("/swapped");
        let response = self.clear.expect("/swapped", &request, 200).await?;
        check(response.header("x-swapped") == Some("yes"), || {
            format!("{:?}", response.fields)
        })
    }

    async fn identity(&self) -> serde_json::Value {
        let status = self.scene.gateway.status().await;
        let policies = status["policies"].as_array().cloned().unwrap_or_default();
        let named = policies.iter().find(|policy| policy["name"] == "swapped");
        named
            .map(|policy| policy["identity"].clone())
            .unwrap_or_default()
    }

    /// A wrong configuration is refused, and the old one goes on.
    async fn be_refused(&mut self, turn: usize) -> Visited {
        let scene = self.scene;
        let revision = scene.revision.load(SeqCst);
        let good = scene.endpoints.config(revision);
        let bad = if turn.is_multiple_of(2) {
            good.replace("upstream = \"steady\"", "upstream = \"nowhere\"")
        } else {
            good.replace("swapped.wasm", "site.crt")
        };
        scene.gateway.replace_config(bad);
        let answer = scene.gateway.ask("POST", "/reload").await;
        check(answer.status == 422, || {
            format!("a wrong configuration: {}", answer.status)
        })?;
        scene.ledger.noted("reloads refused");
        let response = self
            .clear
            .expect("/revision", &Request::get("/revision"), 200)
            .await?;
        check(response.body == revision.to_string().as_bytes(), || {
            "a refused configuration is live".to_owned()
        })?;
        scene.gateway.replace_config(good);
        let answer = scene.gateway.ask("POST", "/reload").await;
        check(answer.status == 200, || {
            format!("refused: {}", answer.text())
        })
    }
}

/// The pause before a condition is looked at again; a violation if it took too long.
async fn pause(begin: Instant, what: &str) -> Visited {
    tokio::time::sleep(Duration::from_millis(20)).await;
    check(begin.elapsed() < PATIENCE, || what.to_owned())
}
