use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::{Answer, Followed, Lookup, Resolver, serve};
use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::names::{Answer as Named, Family, NameList, Names, Outcome, Question};

/// Gives its results in turn, repeating the last, and records the time of each
/// call.
#[derive(Clone)]
struct Script {
    answers: Rc<RefCell<VecDeque<Result<Answer, String>>>>,
    outcomes: Rc<RefCell<VecDeque<Outcome>>>,
    asked: Rc<RefCell<Vec<u64>>>,
    /// How many look-ups are in progress, and the most at once.
    open: Rc<Cell<(usize, usize)>>,
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
            outcomes: Rc::default(),
            asked: Rc::default(),
            open: Rc::default(),
            start: Instant::now(),
        }
    }

    /// Gives these outcomes to questions about endpoints.
    fn of_lists(outcomes: &[Outcome]) -> Self {
        let script = Self::new(&[]);
        *script.outcomes.borrow_mut() = outcomes.iter().cloned().collect();
        script
    }

    /// The times of the look-ups, in seconds since the start.
    fn asked(&self) -> Vec<u64> {
        self.asked.borrow().clone()
    }
}

/// A look-up in progress.
struct Open<'a>(&'a Cell<(usize, usize)>);

impl<'a> Open<'a> {
    fn new(open: &'a Cell<(usize, usize)>) -> Self {
        let (now, most) = open.get();
        open.set((now + 1, most.max(now + 1)));
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let (now, most) = self.0.get();
        self.0.set((now - 1, most));
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
            Some(answer) if answer == Err("silence".to_owned()) => {
                let _open = Open::new(&self.open);
                std::future::pending().await
            }
            Some(answer) => answer,
            None => Err("no script".to_owned()),
        }
    }

    async fn ask(&self, _: &Question) -> Outcome {
        self.asked.borrow_mut().push(self.start.elapsed().as_secs());
        let mut outcomes = self.outcomes.borrow_mut();
        let next = outcomes.pop_front().expect("there is always one left");
        if outcomes.is_empty() {
            outcomes.push_back(next.clone());
        }
        next
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
    let followed = Followed::Endpoint(Arc::downgrade(endpoint));
    names.send(followed).unwrap();
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
        names.send(Followed::Endpoint(weak.clone())).unwrap();
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

/// A list that is followed by the script while `test` runs, and how often it has told of changes.
async fn with_list(script: &Script, test: impl AsyncFnOnce(Arc<NameList>, Arc<AtomicUsize>)) {
    let (followed, new) = mpsc::unbounded_channel();
    let names = Names::new(Resolver { followed });
    let changes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&changes);
    names.on_change(move || {
        counted.fetch_add(1, Relaxed);
    });
    let question = Question::Addresses {
        host: "backend".to_owned(),
        port: 3000,
        family: Family::Any,
    };
    let list = names.follow(&question);
    assert!(Arc::ptr_eq(&list, &names.follow(&question)));
    assert!(names.is_waiting());
    let tasks = LocalSet::new();
    tasks.spawn_local(serve(new, script.clone()));
    tasks.run_until(test(list, changes)).await;
}

fn found(addresses: &str, ttl: u64) -> Outcome {
    let addresses = addresses.split(' ').map(|ip| ip.parse().unwrap()).collect();
    Outcome::Answer(Named::Addresses(addresses), Duration::from_secs(ttl))
}

fn listed(list: &NameList) -> Vec<String> {
    let listed = list.listed();
    listed
        .found
        .iter()
        .map(|it| it.address.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_is_looked_up_again_at_its_ttl_and_tells_of_changes() {
    let gone = Outcome::Gone("no such name".to_owned());
    let script = Script::of_lists(&[
        found("127.0.0.1 ::1", 10),
        found("::1 127.0.0.1", 0),
        found("127.0.0.2", 86_400),
        gone,
    ]);
    with_list(&script, async |list, changes| {
        sleep(Duration::from_millis(10_500)).await;
        assert_eq!(script.asked(), [0, 10]);
        assert_eq!(listed(&list), ["127.0.0.1:3000", "[::1]:3000"]);
        assert_eq!(changes.load(Relaxed), 1, "the order does not matter");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(listed(&list), ["127.0.0.2:3000"]);
        assert_eq!(changes.load(Relaxed), 2);
        // The name is gone, which is believed only after a while.
        sleep(Duration::from_secs(320)).await;
        assert_eq!(script.asked(), [0, 10, 11, 311, 312, 314, 318, 326]);
        assert_eq!(listed(&list), ["127.0.0.2:3000"]);
        assert_eq!(list.listed().error.as_deref(), Some("no such name"));
        sleep(Duration::from_secs(20)).await;
        assert_eq!(script.asked().last(), Some(&342));
        assert!(listed(&list).is_empty());
        assert_eq!(changes.load(Relaxed), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_nobody_holds_is_looked_up_no_more() {
    let script = Script::of_lists(&[found("127.0.0.1", 10)]);
    with_list(&script, async |list, _| {
        sleep(Duration::from_secs(15)).await;
        // A connection that fails causes an early look-up.
        list.wake.notify_one();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(script.asked(), [0, 10, 15]);
        let wake = Arc::clone(&list.wake);
        drop(list);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(script.asked(), [0, 10, 15]);
        assert_eq!(Arc::strong_count(&wake), 1, "its task has ended");
    })
    .await;
}

/// Some servers fail for one family for ever. What they say of the other one is valid for its TTL.
#[tokio::test(start_paused = true)]
async fn a_list_of_which_one_family_fails_is_looked_up_at_the_ttl_of_the_other() {
    let partial = |addresses: &str| {
        let Outcome::Answer(answer, ttl) = found(addresses, 5) else {
            unreachable!()
        };
        Outcome::Partial(answer, ttl, Family::Ipv6, "server failure".to_owned())
    };
    let mut outcomes = vec![partial("127.0.0.1"); 6];
    outcomes.push(partial("127.0.0.2"));
    let script = Script::of_lists(&outcomes);
    with_list(&script, async |list, _| {
        sleep(Duration::from_millis(22_500)).await;
        assert_eq!(script.asked(), [0, 1, 3, 7, 12, 17, 22]);
        assert_eq!(listed(&list), ["127.0.0.2:3000"]);
    })
    .await;
}

/// As many names as an answer may have, whose name server says nothing: each look-up takes file
/// descriptors.
#[tokio::test(start_paused = true)]
async fn a_thousand_names_that_get_no_answer_take_turns() {
    let script = Script::new(&[Err("silence")]);
    let endpoints: Vec<_> = (0..1_000).map(|_| endpoint()).collect();
    let (names, new) = mpsc::unbounded_channel();
    for endpoint in &endpoints {
        let followed = Followed::Endpoint(Arc::downgrade(endpoint));
        names.send(followed).unwrap();
    }
    let tasks = LocalSet::new();
    tasks.spawn_local(serve(new, script.clone()));
    tasks
        .run_until(async {
            sleep(Duration::from_secs(85)).await;
            for endpoint in &endpoints {
                assert!(endpoint.resolution().error.is_some(), "it had its turn");
            }
        })
        .await;
    assert_eq!(script.open.get().1, super::MOST_AT_ONCE);
}
