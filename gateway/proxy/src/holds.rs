//! The requests of a worker that wait because no endpoint of their upstream can be reached, in the
//! order in which they came.
//!
//! The first of them looks for an endpoint now and then, on behalf of all. Once it has found one,
//! the next two follow, and each of these is followed by two more as soon as it has a connection:
//! so an endpoint that has just started is not met by all at once, and if it is gone again, few have
//! left their place in vain. Whoever comes meanwhile stands behind.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use janua_http::Failure;
use janua_upstream::{Held, Upstream};

/// How many follow one that has found an endpoint.
const FOLLOWERS: usize = 2;

/// The queues of a worker, one for each upstream for which requests wait.
#[derive(Default)]
pub(crate) struct Holds(RefCell<Vec<Rc<Queue>>>);

/// The requests that wait for one upstream. It is found by the name, so that it outlives reloads.
struct Queue {
    upstream: Box<str>,
    /// By number, which is the order in which they came.
    waiting: RefCell<BTreeMap<u64, Waiting>>,
    next: Cell<u64>,
    /// Why no endpoint could be reached when that was last tried.
    failure: RefCell<Failure>,
}

#[derive(Default)]
struct Waiting {
    waker: Option<Waker>,
    /// It may look for an endpoint itself.
    is_released: bool,
}

/// What a request that waits is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is the first: it tries now and then whether there is an endpoint.
    Lead,
    /// There is an endpoint.
    Follow,
}

/// The place of a request in its queue, which it leaves when this is dropped.
pub(crate) struct Place {
    holds: Rc<Holds>,
    queue: Rc<Queue>,
    number: u64,
    _held: Held,
}

impl Holds {
    /// Why requests to this upstream wait, if some do.
    pub(crate) fn failure(&self, upstream: &str) -> Option<Failure> {
        let queue = self.queue(upstream)?;
        let failure = queue.failure.borrow().clone();
        Some(failure)
    }

    /// Takes the last place in the queue of an upstream, whose endpoints could not be reached for
    /// this reason; none if too many requests wait.
    pub(crate) fn join(self: &Rc<Self>, upstream: &Upstream, failure: &Failure) -> Option<Place> {
        let held = Held::enter(upstream)?;
        let queue = self.queue(upstream.name()).unwrap_or_else(|| {
            let queue = Rc::new(Queue {
                upstream: upstream.name().into(),
                waiting: RefCell::default(),
                next: Cell::new(0),
                failure: RefCell::new(failure.clone()),
            });
            self.0.borrow_mut().push(Rc::clone(&queue));
            queue
        });
        let number = queue.next.get();
        queue.next.set(number + 1);
        let mut waiting = queue.waiting.borrow_mut();
        waiting.insert(number, Waiting::default());
        drop(waiting);
        Some(Place {
            holds: Rc::clone(self),
            queue,
            number,
            _held: held,
        })
    }

    fn queue(&self, upstream: &str) -> Option<Rc<Queue>> {
        let queues = self.0.borrow();
        let mut queues = queues.iter();
        queues.find(|queue| &*queue.upstream == upstream).cloned()
    }
}

impl Queue {
    /// The number of the first request that waits and is not released.
    fn leader(&self) -> Option<u64> {
        let waiting = self.waiting.borrow();
        let mut waiting = waiting.iter();
        let leader = waiting.find(|(_, waiting)| !waiting.is_released);
        leader.map(|(number, _)| *number)
    }

    /// Wakes the first request that waits, if it has just become the first.
    fn wake_leader(&self) {
        let Some(leader) = self.leader() else {
            return;
        };
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&leader)
            && let Some(waker) = waiting.waker.take()
        {
            waker.wake();
        }
    }
}

impl Place {
    /// True if the request is the first.
    pub(crate) fn leads(&self) -> bool {
        self.queue.leader() == Some(self.number)
    }

    /// Waits until the request is to do something.
    pub(crate) async fn turn(&self) -> Turn {
        poll_fn(|context| {
            let leads = self.leads();
            let mut waiting = self.queue.waiting.borrow_mut();
            match waiting.get_mut(&self.number) {
                Some(waiting) if waiting.is_released => Poll::Ready(Turn::Follow),
                Some(waiting) if !leads => {
                    waiting.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(Turn::Lead),
            }
        })
        .await
    }

    /// Waits until there is an endpoint, as far as others have found one.
    pub(crate) async fn follow(&self) {
        poll_fn(|context| {
            let mut waiting = self.queue.waiting.borrow_mut();
            match waiting.get_mut(&self.number) {
                Some(waiting) if !waiting.is_released => {
                    waiting.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Why no endpoint could be reached when that was last tried.
    pub(crate) fn failure(&self) -> Failure {
        self.queue.failure.borrow().clone()
    }

    /// The request has found no endpoint, for this reason, and waits on where it was.
    pub(crate) fn stay(&self, failure: Failure) {
        *self.queue.failure.borrow_mut() = failure;
        let mut waiting = self.queue.waiting.borrow_mut();
        if let Some(waiting) = waiting.get_mut(&self.number) {
            waiting.is_released = false;
        }
    }

    /// The request has found an endpoint: it leaves, and the next ones follow.
    pub(crate) fn leave(self) {
        let mut waiting = self.queue.waiting.borrow_mut();
        let others = waiting
            .iter_mut()
            .filter(|(number, waiting)| **number != self.number && !waiting.is_released);
        for (_, waiting) in others.take(FOLLOWERS) {
            waiting.is_released = true;
            if let Some(waker) = waiting.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.waiting.borrow_mut().remove(&self.number);
        if self.queue.waiting.borrow().is_empty() {
            let mut queues = self.holds.0.borrow_mut();
            queues.retain(|queue| !Rc::ptr_eq(queue, &self.queue));
        } else {
            self.queue.wake_leader();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Context;

    use janua_http::failure::Kind;
    use janua_upstream::{Registry, Resolver, UpstreamSpec};

    use super::*;

    fn upstream() -> Arc<Upstream> {
        let resolver = Resolver::start("/dev/null".into()).unwrap();
        let mut upstreams =
            Registry::new(resolver).reconcile(&[UpstreamSpec::new("app", Vec::new())]);
        upstreams.remove(0)
    }

    fn join(holds: &Rc<Holds>, upstream: &Upstream) -> Place {
        holds
            .join(upstream, &Kind::ConnectionRefused.into())
            .unwrap()
    }

    fn turn(place: &Place) -> Option<Turn> {
        let mut turn = std::pin::pin!(place.turn());
        let mut context = Context::from_waker(Waker::noop());
        match turn.as_mut().poll(&mut context) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_first_leads_and_the_others_follow_by_twos() {
        let (holds, upstream) = (Rc::new(Holds::default()), upstream());
        let mut places: Vec<_> = (0..6).map(|_| join(&holds, &upstream)).collect();
        let turns = |places: &[Place]| places.iter().map(turn).collect::<Vec<_>>();
        let (lead, follow) = (Some(Turn::Lead), Some(Turn::Follow));
        assert_eq!(turns(&places), [lead, None, None, None, None, None]);
        places.remove(0).leave();
        assert_eq!(turns(&places), [follow, follow, lead, None, None]);
        // Whoever comes now stands behind all others.
        places.push(join(&holds, &upstream));
        places.remove(1).leave();
        assert_eq!(turns(&places), [follow, follow, follow, lead, None]);
        // One has found that there is none, and is the first again.
        places[0].stay(Kind::ConnectTimeout.into());
        assert_eq!(turns(&places), [lead, follow, follow, None, None]);
        assert_eq!(places[4].failure().kind, Kind::ConnectTimeout);
        places.clear();
        assert!(holds.failure("app").is_none() && upstream.group().repeats().held() == 0);
    }

    #[test]
    fn one_that_goes_away_passes_the_lead_on() {
        let (holds, upstream) = (Rc::new(Holds::default()), upstream());
        let (one, two, three) = (
            join(&holds, &upstream),
            join(&holds, &upstream),
            join(&holds, &upstream),
        );
        drop(two);
        assert_eq!(turn(&three), None);
        drop(one);
        assert_eq!(turn(&three), Some(Turn::Lead));
        assert_eq!(holds.failure("app").unwrap().kind, Kind::ConnectionRefused);
        assert!(holds.failure("other").is_none());
    }

    #[test]
    fn no_more_wait_than_may() {
        let (holds, upstream) = (Rc::new(Holds::default()), upstream());
        let failure = Kind::Dns.into();
        let all: Vec<_> = (0..2_000)
            .filter_map(|_| holds.join(&upstream, &failure))
            .collect();
        assert_eq!(all.len(), 1_024);
    }
}
