//! A soak from its start to its verdict.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};

use crate::accounts;
use crate::client::Trouble;
use crate::fleet;
use crate::operator;
use crate::outages::Pair;
use crate::plan::{LEAST_VISITS, PAUSE, Plan};
use crate::scene::Scene;
use crate::summary;
use crate::visits::{CLIENTS, Kind};
use crate::vitals::{EVERY, Holdings, Memory};

/// The samples of memory between two lines of progress.
const SAMPLES: u64 = 15;

/// Runs a soak, and fails with all reasons if anything was violated.
///
/// It owns all that it starts. The gateway's process ends when the scene is dropped: at the end,
/// after a panic, and after SIGINT or SIGTERM, which end the soak early.
pub(crate) async fn soak(plan: Plan) {
    let version = Arc::default();
    let pair = Pair::start(Arc::clone(&version)).await;
    let scene = Arc::new(Scene::start(plan, &pair, version).await);
    let ledger = &scene.ledger;
    let at_start = Holdings::of(&scene.gateway);
    let mut memory = Memory::default();

    let mut clients = JoinSet::new();
    for (kind, name, count) in CLIENTS {
        for number in 0..count {
            clients.spawn(client(Arc::clone(&scene), kind, name, number));
        }
    }
    let mut changes = Box::pin(changes(Arc::clone(&scene), pair));
    let ended = tokio::select! {
        ended = &mut changes => Some(ended),
        () = interrupted() => None,
        () = measure(&scene, &mut memory) => None,
    };
    let is_whole = ended.is_some();
    if !is_whole {
        ledger.violated("interrupted");
    }
    scene.goes_on.store(false, SeqCst);
    // The pair lives until the clients have ended.
    let _pair = match ended {
        Some(pair) => pair,
        None => changes.await,
    };
    while let Some(ended) = clients.join_next().await {
        if let Err(panic) = ended {
            ledger.violated(format!("a client ended: {panic}"));
        }
    }

    scene.gateway.settled().await;
    if let Err(more) = at_start.return_to(&scene.gateway).await {
        ledger.violated(more);
    }
    for difference in accounts::differences(&scene.gateway, &ledger.read()).await {
        ledger.violated(difference);
    }
    if is_whole
        && plan.judges_memory()
        && let Some(violation) = memory.violation()
    {
        ledger.violated(violation);
    }
    let pages = ledger.read();
    let held = Holdings::of(&scene.gateway);
    println!("{}", summary::table(scene.begin, &pages, &memory, &held));
    assert!(pages.violations.is_empty(), "{:#?}", pages.violations);
}

/// All that changes, until the plan ends. Returns the endpoints, which are alive again.
async fn changes(scene: Arc<Scene>, pair: Pair) -> Pair {
    let operating = operator::operate(Arc::clone(&scene));
    let changing = fleet::change(&scene);
    let ((), (), pair) = tokio::join!(operating, changing, pair.suffer(&scene));
    pair
}

/// A client: one visit after the other, until the end.
async fn client(scene: Arc<Scene>, kind: Kind, name: &'static str, first: usize) {
    let mut visits = 0;
    while visits < LEAST_VISITS || scene.is_on() && visits < scene.plan.visits() {
        let number = first + usize::try_from(visits).unwrap();
        let own = Arc::clone(&scene);
        // A task of its own, because the harness panics at what it does not expect.
        let visit = tokio::spawn(async move { kind.visit(&own, number).await });
        match visit.await {
            Ok(Ok(()) | Err(Trouble::Explained)) => scene.ledger.visited(name),
            Ok(Err(Trouble::Violation(what))) => scene.ledger.violated(format!("{name}: {what}")),
            Err(panic) => scene.ledger.violated(format!("{name}: {}", words(panic))),
        }
        visits += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a visit panicked with.
fn words(ended: JoinError) -> String {
    let Ok(panic) = ended.try_into_panic() else {
        return "cancelled".to_owned();
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// Measures memory, and tells how far it is.
async fn measure(scene: &Scene, memory: &mut Memory) {
    let mut ticks = tokio::time::interval(EVERY);
    for sample in 0_u64.. {
        ticks.tick().await;
        memory.sample(scene.begin, &scene.gateway);
        if sample.is_multiple_of(SAMPLES) {
            summary::progress(scene.begin, &scene.ledger, memory);
        }
    }
}

/// Waits until somebody wants the soak to end.
async fn interrupted() {
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
