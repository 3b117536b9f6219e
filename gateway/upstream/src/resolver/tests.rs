use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::{Answer, Lookup, serve};
use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::group::Group;

/// Gives its results in turn, repeating the last, and records the time of each
/// call.
#[derive(Clone)]
struct Script {
    answers: Rc<RefCell<VecDeque<Result<Answer, String>>>>,
    asked: Rc<RefCell<Vec<u64>>>,
    start: Instant,
}

impl Script {
    fn new(answers: &[Result<(&str, u64), &str>]) -> Self {
        let each = answers.iter().map(|answer| match answer {
            Ok((addresses, ttl)) => Ok(Answer {
                addresses: addresses.split(' ').map(|ip| ip.parse().unwrap()).collect(),
                ttl: Duration::from_secs(*ttl),
            }),
            Err(error) => Err((*error).to_owned()),
        });
        Self {
            answers: Rc::new(RefCell::new(each.collect())),
            asked: Rc::default(),
            start: Instant::now(),
        }
    }

    /// The times of the look-ups, in seconds since the start.
    fn asked(&self) -> Vec<u64> {
        self.asked.borrow().clone()
    }
}

impl Lookup for Script {
    async fn lookup(&self, host: &str) -> Result<Answer, String> {
        assert_eq!(host, "backend");
        self.asked.borrow_mut().push(self.start.elapsed().as_secs());
        let next = match self.answers.borrow_mut().as_mut_slices().0 {
            [last] => Some(last.clone()),
            _ => None,
        };
        match next.or_else(|| self.answers.borrow_mut().pop_front()) {
            Some(answer) if answer == Err("silence".to_owned()) => std::future::pending().await,
            Some(answer) => answer,
            None => Err("no script".to_owned()),
        }
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        (&self.addresses, self.ttl) == (&other.addresses, other.ttl)
    }
}

fn endpoint() -> Arc<Endpoint> {
    Arc::new(Endpoint::new(
        &Group::new("u"),
        Address::parse("backend:3000").unwrap(),
    ))
}

fn addresses(endpoint: &Endpoint) -> Vec<String> {
    let resolution = endpoint.resolution();
    resolution
        .addresses
        .iter()
        .map(SocketAddr::to_string)
        .collect()
}

/// Serves the script while `test` runs.
async fn with(script: &Script, endpoint: &Arc<Endpoint>, test: impl Future<Output = ()>) {
    let (names, new) = mpsc::unbounded_channel();
    names.send(Arc::downgrade(endpoint)).unwrap();
    let tasks = LocalSet::new();
    tasks.spawn_local(serve(new, script.clone()));
    tasks.run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_again_at_its_ttl_within_bounds() {
    let script = Script::new(&[
        Ok(("127.0.0.1 ::1", 10)),
        Ok(("127.0.0.2", 0)),
        Ok(("127.0.0.3", 86_400)),
        Ok(("127.0.0.4", 86_400)),
    ]);
    let endpoint = endpoint();
    assert!(!endpoint.is_resolved());
    with(&script, &endpoint, async {
        endpoint.answered().await;
        assert_eq!(addresses(&endpoint), ["127.0.0.1:3000", "[::1]:3000"]);
        assert!(endpoint.is_resolved());
        sleep(Duration::from_secs(312)).await;
        assert_eq!(script.asked(), [0, 10, 11, 311]);
        assert_eq!(addresses(&endpoint), ["127.0.0.4:3000"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_keep_the_old_addresses_and_are_tried_again_ever_slower() {
    let script = Script::new(&[
        Ok(("127.0.0.1", 5)),
        Err("server failure"),
        Err("silence"),
        Err("server failure"),
    ]);
    let endpoint = endpoint();
    with(&script, &endpoint, async {
        endpoint.answered().await;
        sleep(Duration::from_millis(5_500)).await;
        assert_eq!(addresses(&endpoint), ["127.0.0.1:3000"]);
        assert!(endpoint.is_resolved());
        let error = endpoint.resolution().error.clone();
        assert_eq!(error.as_deref(), Some("server failure"));
        sleep(Duration::from_secs(120)).await;
        // The look-up before the fourth took ten seconds to time out.
        assert_eq!(script.asked(), [0, 5, 6, 18, 22, 30, 46, 76, 106]);
        assert_eq!(addresses(&endpoint), ["127.0.0.1:3000"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_gets_a_result_and_is_found_later() {
    let script = Script::new(&[Err("no such name"), Ok(("127.0.0.1", 60))]);
    let endpoint = endpoint();
    with(&script, &endpoint, async {
        endpoint.answered().await;
        assert!(!endpoint.is_resolved());
        sleep(Duration::from_millis(1_500)).await;
        assert!(endpoint.is_resolved());
        assert_eq!(endpoint.resolution().error, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_causes_an_early_look_up_at_a_limited_rate() {
    let script = Script::new(&[Ok(("127.0.0.1", 300))]);
    let endpoint = endpoint();
    with(&script, &endpoint, async {
        endpoint.answered().await;
        sleep(Duration::from_secs(100)).await;
        for _ in 0..50 {
            endpoint.wake_resolver.notify_one();
            sleep(Duration::from_millis(100)).await;
        }
        // Connecting fails for five seconds: at most one query per second.
        assert_eq!(script.asked(), [0, 100, 101, 102, 103, 104]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_gone_is_looked_up_no_more() {
    let script = Script::new(&[Ok(("127.0.0.1", 10))]);
    let endpoint = endpoint();
    let weak = Arc::downgrade(&endpoint);
    with(&script, &endpoint.clone(), async {
        endpoint.answered().await;
        sleep(Duration::from_secs(15)).await;
    })
    .await;
    assert_eq!(script.asked(), [0, 10]);

    let script = Script::new(&[Ok(("127.0.0.1", 300))]);
    let (names, new) = mpsc::unbounded_channel();
    let tasks = LocalSet::new();
    tasks.spawn_local(serve(new, script.clone()));
    let test = async {
        names.send(weak.clone()).unwrap();
        sleep(Duration::from_secs(1)).await;
        let wake_resolver = Arc::clone(&endpoint.wake_resolver);
        drop(endpoint);
        assert_eq!(weak.strong_count(), 0, "the resolver holds no endpoint");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(Arc::strong_count(&wake_resolver), 1, "its task has ended");
        sleep(Duration::from_secs(600)).await;
        assert_eq!(script.asked(), [0]);
    };
    tasks.run_until(test).await;
}
