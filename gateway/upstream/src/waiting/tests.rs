use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Wake};

use super::*;

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A request that waits, as a future that is polled by hand.
struct Request {
    bell: Arc<Bell>,
    waiter: Waiter,
}

impl Request {
    fn new(group: &Arc<Group>, worker: usize, now_ms: u64) -> Self {
        let mut request = Self {
            bell: Arc::default(),
            waiter: group.wait_for_connection(worker, now_ms),
        };
        assert!(!request.is_called());
        request
    }

    fn is_called(&mut self) -> bool {
        let waker = Arc::clone(&self.bell).into();
        let called = std::pin::pin!(self.waiter.called());
        called.poll(&mut Context::from_waker(&waker)).is_ready()
    }

    fn rings(&self) -> u32 {
        self.bell.0.load(SeqCst)
    }
}

fn group() -> Arc<Group> {
    Group::new("app")
}

#[test]
fn closed_connections_call_in_the_order_of_arrival() {
    let group = group();
    let mut requests: Vec<Request> = (0..3)
        .map(|worker| Request::new(&group, worker, 0))
        .collect();
    assert!(group.is_waited_for());
    for turn in 0..3 {
        group.waiting.closed();
        let called: Vec<bool> = requests.iter().map(|it| it.rings() > 0).collect();
        let expected: Vec<bool> = (0..3).map(|it| it <= turn).collect();
        assert_eq!(called, expected);
        assert!(requests[turn].is_called());
    }
    assert!(!group.is_waited_for());
    group.waiting.closed();
}

#[test]
fn an_idle_connection_goes_to_a_request_of_its_worker_unless_another_has_waited_long() {
    let group = group();
    assert_eq!(
        group.connection_is_idle(1, 0),
        Handover::Keep,
        "nobody waits"
    );
    let mut of_zero = Request::new(&group, 0, 1_000);
    let mut of_one = Request::new(&group, 1, 1_050);
    assert_eq!(group.connection_is_idle(1, 1_099), Handover::Keep);
    assert!(of_one.is_called());
    assert_eq!(group.connection_is_idle(1, 1_099), Handover::Close);
    assert_eq!(
        of_zero.rings(),
        0,
        "it is called when the connection is closed"
    );

    let mut of_one = Request::new(&group, 1, 1_060);
    assert_eq!(group.connection_is_idle(1, 1_100), Handover::Close);
    assert_eq!(of_one.rings(), 0);
    group.waiting.closed();
    assert!(of_zero.is_called());
    assert_eq!(group.connection_is_idle(1, 9_000), Handover::Keep);
    assert!(of_one.is_called());
}

#[test]
fn who_finds_nothing_waits_in_the_old_position() {
    let group = group();
    let mut first = Request::new(&group, 0, 0);
    let mut second = Request::new(&group, 0, 0);
    group.waiting.closed();
    assert!(first.is_called());
    assert!(first.is_called(), "it looks once more");
    assert!(!first.is_called(), "it waits again");
    group.waiting.closed();
    assert!(first.is_called());
    assert!(!second.is_called());
}

/// While a request that was called looks for a connection, nobody is in the line whom another
/// connection that is closed could call.
#[test]
fn what_is_closed_while_somebody_looks_is_not_missed() {
    let group = group();
    let mut request = Request::new(&group, 0, 0);
    group.waiting.closed();
    assert!(request.is_called());
    // It finds that another request has taken the place, and that one gives it back.
    group.waiting.closed();
    assert!(request.is_called(), "it joins the line, and looks");
    assert!(group.is_waited_for());
    assert!(!request.is_called());
    group.waiting.closed();
    assert_eq!(request.rings(), 2);
    assert!(request.is_called());
    // It finds a place, and leaves.
    drop(request);
    assert!(!group.is_waited_for());
}

#[test]
fn who_leaves_the_line_takes_no_call_along() {
    let group = group();
    let (first, second) = (Request::new(&group, 0, 0), Request::new(&group, 0, 0));
    let third = Request::new(&group, 0, 0);
    drop(second);
    group.waiting.closed();
    assert_eq!((first.rings(), third.rings()), (1, 0));
    // Called, but its client went away before it could do anything about it.
    drop(first);
    assert_eq!(third.rings(), 1);
    drop(third);
    assert!(!group.is_waited_for());
}
