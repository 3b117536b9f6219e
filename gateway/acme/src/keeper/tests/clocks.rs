//! The keeper with an authority that nobody can reach, and clocks that the tests set.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

use janua_tls::Issued;
use tokio::task::LocalSet;

use super::super::*;
use crate::door::Door;
use crate::settings::{Authority, Challenge, KeyType, Wanted};
use crate::status::{Event, State};
use crate::store::directory::Directory;

/// A door that counts orders.
#[derive(Default)]
struct Counting {
    orders: AtomicUsize,
    issued: Arc<Issued>,
}

impl Door for Counting {
    fn put_http(&self, _: &str, _: &str) {}
    fn remove_http(&self, _: &str) {}
    fn put_tls_alpn(&self, _: &str, _: Arc<rustls::ServerConfig>) {}
    fn remove_tls_alpn(&self, _: &str) {}
    fn issued(&self, _: &str) -> Arc<Issued> {
        Arc::clone(&self.issued)
    }
    fn event(&self, _: &Event) {}
    fn count_order(&self, _: &str, outcome: &str) {
        assert_eq!(outcome, "unreachable");
        self.orders.fetch_add(1, SeqCst);
    }
    fn count_question(&self, _: &'static str) {}
}

struct Scene {
    door: Arc<Counting>,
    keeper: Keeper,
    state: tempfile::TempDir,
}

fn scene(clock: fn() -> i64) -> Scene {
    scene_in(tempfile::tempdir().unwrap(), clock)
}

fn scene_in(state: tempfile::TempDir, clock: fn() -> i64) -> Scene {
    let store = Directory::new(state.path().join("acme"));
    let door = Arc::new(Counting::default());
    let desk = Desk::with_clock(Arc::new(store), Arc::clone(&door) as Arc<dyn Door>, clock);
    Scene {
        keeper: Keeper::new(desk, Arc::default()),
        door,
        state,
    }
}

/// One name at an authority on a port that nobody listens on.
fn plan() -> Plan {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    Plan {
        authorities: vec![Authority {
            name: "default".to_owned(),
            directory: format!("http://{address}/dir"),
            test_directory: None,
            email: None,
            challenges: vec![Challenge::Http01],
            dns: None,
            profile: None,
            key_type: KeyType::P256,
            eab: None,
            roots: None,
            fallback: Vec::new(),
        }],
        wanted: vec![Wanted {
            authority: "default".to_owned(),
            name: "a.example".to_owned(),
        }],
        ..Plan::default()
    }
}

impl Scene {
    /// Begins what is due, and waits until it is done.
    async fn settle(&mut self) {
        self.keeper.tick();
        while let Some(done) = self.keeper.tasks.join_next().await {
            self.keeper.finish(done);
        }
        let now = self.keeper.look();
        self.keeper.publish(now);
    }

    fn orders(&self) -> usize {
        self.door.orders.load(SeqCst)
    }
}

#[tokio::test]
async fn a_clock_that_jumps_lets_orders_that_failed_be_tried_again() {
    static WALL: AtomicI64 = AtomicI64::new(1_790_000_000);
    let test = async {
        let mut scene = scene(|| WALL.load(SeqCst));
        scene.keeper.configure(plan()).await;
        scene.settle().await;
        assert_eq!(scene.orders(), 1);
        scene.settle().await;
        assert_eq!(scene.orders(), 1);
        let status = &scene.keeper.statuses.load()[0];
        assert_eq!((status.state, status.failures), (State::Failing, 1));
        // A machine without a battery learns the time from the network.
        for seconds in [10 * 365 * 86_400, -10 * 365 * 86_400] {
            let before = scene.orders();
            WALL.fetch_add(seconds, SeqCst);
            scene.settle().await;
            assert_eq!(scene.orders(), before + 1, "{seconds}");
        }
        // A clock that is set by seconds has not jumped.
        WALL.fetch_add(30, SeqCst);
        scene.settle().await;
        assert_eq!(scene.orders(), 3);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_reload_hastens_an_order_only_if_it_changes_its_authority() {
    let test = async {
        let mut scene = scene(|| 1_790_000_000);
        let mut plan = plan();
        scene.keeper.configure(plan.clone()).await;
        scene.settle().await;
        assert_eq!(scene.orders(), 1);
        plan.wanted.push(Wanted {
            authority: "default".to_owned(),
            name: "b.example".to_owned(),
        });
        scene.keeper.configure(plan.clone()).await;
        scene.settle().await;
        assert_eq!(scene.orders(), 2, "only the new name");
        plan.authorities[0].email = Some("ops@example.com".to_owned());
        scene.keeper.configure(plan).await;
        scene.settle().await;
        assert_eq!(scene.orders(), 4);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn names_that_are_gone_are_forgotten() {
    let test = async {
        let mut scene = scene(|| 1_790_000_000);
        scene.keeper.configure(plan()).await;
        assert_eq!(scene.keeper.statuses.load().len(), 1);
        scene.keeper.configure(Plan::default()).await;
        assert_eq!(scene.keeper.statuses.load().len(), 0);
        scene.settle().await;
        assert_eq!(scene.orders(), 0);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn failures_are_counted_across_restarts() {
    let test = async {
        let mut scene = scene(|| 1_790_000_000);
        let plan = plan();
        scene.keeper.configure(plan.clone()).await;
        scene.settle().await;
        // It is tried once at each start, and the next failure waits longer.
        let mut scene = scene_in(scene.state, || 1_790_000_000);
        scene.keeper.configure(plan).await;
        let failures = |scene: &Scene| scene.keeper.statuses.load()[0].failures;
        assert_eq!(failures(&scene), 1);
        scene.settle().await;
        assert_eq!((scene.orders(), failures(&scene)), (1, 2));
    };
    LocalSet::new().run_until(test).await;
}
