//! Request collapsing: of all requests that miss one key at the same time, the first
//! is sent to the upstream and the others wait for its response. Together they are
//! a flight; it lands when the response, or its absence, is known.
//!
//! The leader holds the [`Lead`] and must report the result: an entry, whose body
//! may still be arriving; a response that may not be stored, so that each waiter goes
//! to the upstream itself; or a failure. If the lead is dropped without a report, one
//! of the waiters becomes the next leader. Waiters hold no lock and may be on any worker.

use std::sync::Arc;

use tokio::sync::watch;

use crate::entry::{Body, Entry, Growing, NewEntry};
use crate::fill::Fill;
use crate::growth::Growth;
use crate::key::{Key, Parts, Variance};
use crate::purge::PurgeState;
use crate::store::{Refused, Store};

pub(crate) mod table;

pub(crate) use table::{Flights, Ticket};

/// The result of a flight for one of its waiters.
#[derive(Debug)]
pub enum Landing<F> {
    /// The response is stored and answers this request.
    Entry(Arc<Entry>),
    /// The response may not be stored: send the request to the upstream, without
    /// another flight.
    Pass,
    /// The response may not be stored because of the leader's credentials. A request
    /// without credentials may look up and join again; one with credentials goes to
    /// the upstream.
    LeaderOnly,
    /// The leader got no response.
    Failed(F),
    /// Look up and join again: the leader ended without a report, its response is
    /// another variant, or a purge has removed it.
    Retry,
}

/// What the leader reported.
#[derive(Clone, Debug)]
pub(crate) enum Landed<F> {
    Entry(Arc<Entry>),
    Pass,
    LeaderOnly,
    Failed(F),
}

/// The role of a request in the flight of its key; see [`Cache::join`](crate::Cache::join).
#[derive(Debug)]
pub enum Joined<F> {
    /// Send the request to the upstream, and report the result.
    Leader(Lead<F>),
    /// Another request was sent already: wait for its result.
    Follower(Follow<F>),
    /// A flight landed since the lookup: look up again.
    Again,
}

/// A waiter in a flight. It may be dropped at any time.
#[derive(Debug)]
pub struct Follow<F> {
    pub(crate) store: Arc<Store>,
    pub(crate) receiver: watch::Receiver<Option<Landed<F>>>,
}

impl<F: Clone> Follow<F> {
    /// Waits for the flight to land. `key` and `variant` are those of the
    /// lookup: they tell whether the stored entry answers this request too. An
    /// entry that was purged meanwhile does not, since this request may have come
    /// after the purge.
    pub async fn landing(
        mut self,
        key: &mut Key,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
    ) -> Landing<F> {
        let landed = match self.receiver.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone(),
            Err(_) => None,
        };
        match landed {
            Some(Landed::Entry(entry))
                if serves(&entry, key, variant)
                    && entry.purge_state(&self.store.purges) == PurgeState::Live =>
            {
                Landing::Entry(entry)
            }
            Some(Landed::Entry(_)) | None => Landing::Retry,
            Some(Landed::Pass) => Landing::Pass,
            Some(Landed::LeaderOnly) => Landing::LeaderOnly,
            Some(Landed::Failed(failure)) => Landing::Failed(failure),
        }
    }
}

fn serves(entry: &Entry, key: &mut Key, variant: &mut dyn FnMut(&Variance, &mut Parts)) -> bool {
    if entry.primary() != key.primary.0 {
        return false;
    }
    let Some(variance) = entry.variance() else {
        return true;
    };
    variance.begin(&mut key.variant);
    variant(&variance, &mut key.variant);
    entry.variant() == key.variant.0
}

/// The duty of the request that is sent to the upstream for all that wait. If it is
/// dropped without a report, one of the waiters becomes the leader.
#[derive(Debug)]
pub struct Lead<F> {
    store: Arc<Store>,
    flights: Arc<Flights<F>>,
    ticket: Ticket<F>,
    /// Number of the newest purge when the upstream was asked.
    level: u64,
}

impl<F> Lead<F> {
    pub(crate) fn new(
        store: Arc<Store>,
        flights: Arc<Flights<F>>,
        ticket: Ticket<F>,
        level: u64,
    ) -> Self {
        Self {
            store,
            flights,
            ticket,
            level,
        }
    }

    /// Stores a response whose body is still arriving, and gives it to all waiters.
    /// `length` is its `Content-Length`, if it has one.
    ///
    /// # Errors
    /// [`Refused`] if it may not be stored; the waiters go to the upstream
    /// themselves.
    pub fn store(
        mut self,
        new: NewEntry<'_>,
        variance: &Variance,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
        length: Option<u64>,
    ) -> Result<Fill, Refused> {
        let started = self.store.admits(length).and_then(|()| {
            Growth::begin(&self.store.fill_budget, length.unwrap_or(0)).ok_or(Refused::Full)
        });
        let growth = match started {
            Ok(growth) => growth,
            Err(refused) => {
                self.land(Landed::Pass);
                return Err(refused);
            }
        };
        let body = Body::Growing(Growing(Arc::clone(&growth)));
        match self.publish(new, variance, variant, body) {
            Ok(entry) => Ok(Fill::new(Arc::clone(&self.store), entry, growth, length)),
            Err(refused) => Err(refused),
        }
    }

    /// As [`store`](Self::store), for a complete body, which is copied once.
    ///
    /// # Errors
    /// [`Refused`] if it may not be stored; the waiters go to the upstream
    /// themselves.
    pub fn store_whole(
        mut self,
        new: NewEntry<'_>,
        variance: &Variance,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
        body: &[u8],
    ) -> Result<Arc<Entry>, Refused> {
        if let Err(refused) = self.store.admits(Some(body.len() as u64)) {
            self.land(Landed::Pass);
            return Err(refused);
        }
        let body = Body::Bytes(bytes::Bytes::copy_from_slice(body));
        let entry = self.publish(new, variance, variant, body)?;
        self.store.write_to_disk(&entry);
        Ok(entry)
    }

    /// After a 304: stores the body under the updated head. Returns the new entry,
    /// which the waiters get too.
    ///
    /// Where the 304 says that the response varies on more than it was stored
    /// under, the new entry answers only requests with the values of this one, which
    /// `variant` writes: the upstream did not select it for any others.
    pub fn revalidated(
        mut self,
        entry: &Entry,
        new: NewEntry<'_>,
        variance: &Variance,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
    ) -> Arc<Entry> {
        let known = entry.variance().unwrap_or_default();
        let all = known.union(variance);
        if all == known {
            let entry = Arc::new(entry.revalidated(entry.variant(), new, self.level));
            self.keep(&entry);
            return entry;
        }
        let varies = self.store.vary(entry.primary(), &all);
        let mut values = Parts::default();
        let all = varies.as_ref().unwrap_or(&all);
        all.begin(&mut values);
        variant(all, &mut values);
        let entry = Arc::new(entry.revalidated(&values.0, new, self.level));
        // A body that is still arriving would be completed under the old variant.
        match varies.is_ok() && !matches!(entry.body(), Body::Growing(_)) {
            true => self.keep(&entry),
            false => self.land(Landed::Pass),
        }
        entry
    }

    fn keep(&mut self, entry: &Arc<Entry>) {
        self.store.insert(entry);
        self.store.write_to_disk(entry);
        self.land(Landed::Entry(Arc::clone(entry)));
    }

    /// Reports that the response may not be stored: all waiters go to the upstream at
    /// once. For `ttl_ms` milliseconds later requests for the key do not wait for each
    /// other either; 0 stands for no such time.
    pub fn pass(mut self, ttl_ms: u64, now_ms: u64) {
        if ttl_ms > 0 {
            let flight = &self.ticket.flight;
            self.store.pass(
                &flight.primary,
                &flight.variant,
                now_ms.saturating_add(ttl_ms),
            );
        }
        self.land(Landed::Pass);
    }

    /// Reports that the response may not be stored because of the credentials of this
    /// request. That says nothing about other requests for the key.
    pub fn leader_only(mut self) {
        self.land(Landed::LeaderOnly);
    }

    /// Reports that there is no response.
    pub fn fail(mut self, failure: F) {
        self.land(Landed::Failed(failure));
    }

    fn publish(
        &mut self,
        new: NewEntry<'_>,
        variance: &Variance,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
        body: Body,
    ) -> Result<Arc<Entry>, Refused> {
        let flight = Arc::clone(&self.ticket.flight);
        let published =
            self.store
                .publish(&flight.primary, new, variance, variant, body, self.level);
        self.land(match &published {
            Ok(entry) => Landed::Entry(Arc::clone(entry)),
            Err(_) => Landed::Pass,
        });
        published
    }

    fn land(&mut self, landed: Landed<F>) {
        self.flights.land(&mut self.ticket, Some(landed));
    }
}

impl<F> Drop for Lead<F> {
    fn drop(&mut self) {
        self.flights.land(&mut self.ticket, None);
    }
}

#[cfg(test)]
mod tests;
