//! Request collapsing: of all who miss one key at a time, the first asks the
//! upstream and the others wait for what comes of it.
//!
//! The first holds the [`Lead`] and must say what came: an entry, whose body
//! may still be on its way; nothing to store, so that each goes to the upstream
//! itself; or a failure. A lead that is dropped unsaid makes one of the waiters
//! the next leader. All of them wait without a lock and on any worker.

use std::sync::Arc;

use tokio::sync::watch;

use crate::entry::{Body, Entry, Growing, NewEntry};
use crate::fill::Fill;
use crate::growth::Growth;
use crate::key::{Key, Parts, Variance};
use crate::purge::Standing;
use crate::store::{Refused, Store};

pub(crate) mod table;

pub(crate) use table::{Flights, Ticket};

/// What a flight came to, told to each of its waiters.
#[derive(Debug)]
pub enum Landing<F> {
    /// Stored; it answers this request.
    Entry(Arc<Entry>),
    /// Not storable: ask the upstream yourself, without another flight.
    Pass,
    /// Not storable, because of the leader's own credentials: who has none may
    /// look again and join again, who has some asks the upstream themselves.
    Own,
    /// The leader got no response.
    Failed(F),
    /// Look again and join again: the leader went away unsaid, what it stored
    /// answers another variant, or a purge has reached that.
    Retry,
}

/// What a landed flight leaves for its waiters.
#[derive(Clone, Debug)]
pub(crate) enum Landed<F> {
    Entry(Arc<Entry>),
    Pass,
    Own,
    Failed(F),
}

/// What [`Cache::join`](crate::Cache::join) makes of a request.
#[derive(Debug)]
pub enum Joined<F> {
    /// Ask the upstream, and say what came.
    Leader(Lead<F>),
    /// Another asks already.
    Follower(Follow<F>),
    /// A flight landed since the lookup: look again.
    Again,
}

/// A waiter in a flight. Dropped, it just leaves.
#[derive(Debug)]
pub struct Follow<F> {
    pub(crate) store: Arc<Store>,
    pub(crate) receiver: watch::Receiver<Option<Landed<F>>>,
}

impl<F: Clone> Follow<F> {
    /// Waits for the flight to land. `key` and `variant` are those of the
    /// lookup: they tell whether a stored entry answers this request too. One
    /// that a purge reached on its way does not: whoever came after the purge
    /// may not be shown it.
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
                    && entry.standing(&self.store.purges) == Standing::Live =>
            {
                Landing::Entry(entry)
            }
            Some(Landed::Entry(_)) | None => Landing::Retry,
            Some(Landed::Pass) => Landing::Pass,
            Some(Landed::Own) => Landing::Own,
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

/// The one who asks the upstream for all who wait. Dropped unsaid, one of the
/// waiters is told to lead.
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

    /// Publishes a response whose body is on its way, to the index and to all
    /// who wait. `length` is its `Content-Length`, if it has one.
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
            Growth::begin(&self.store.growing, length.unwrap_or(0)).ok_or(Refused::Full)
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

    /// As [`store`](Self::store), for a body that has come whole: one copy, and
    /// nothing else on the way.
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

    /// After a 304: the stored body goes on under a new head. Returns the entry
    /// as it is from now on, which all who wait are given too.
    ///
    /// Where the 304 says that the response varies on more than it was stored
    /// under, the entry becomes that of the request that was answered, whose
    /// values `variant` writes: to others it was never said to belong.
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
        // A body that is still on its way would settle in its old place.
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

    /// Nothing is stored: all who wait go to the upstream at once. For `ttl_ms`
    /// milliseconds (0 for not at all) later requests of the key do not wait
    /// for each other either.
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

    /// Nothing is stored, because of the credentials of this request alone: says
    /// nothing of the key, and is told to all who wait.
    pub fn own(mut self) {
        self.land(Landed::Own);
    }

    /// No response: all who wait are told so.
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
