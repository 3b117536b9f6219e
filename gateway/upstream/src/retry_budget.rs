//! The budget of retries: which share of an upstream's requests may be sent again.
//!
//! If all endpoints fail because they have too much to do, repeating each request would multiply
//! what they have to do. So what is sent again within ten seconds is limited to a share of the
//! requests of that time. Limiting how many are sent again at one moment, as Envoy does, would
//! not fit both cases: an endpoint that stops loses all of its requests at once, which are many
//! at that moment and few in ten seconds; and requests that fail immediately are never many at one
//! moment, however many they are.
//!
//! Nothing is counted while all goes well: the requests are the sum of the endpoints' own counts,
//! which is taken when a request is to be sent again.

use std::sync::{Mutex, PoisonError};

/// The time over which requests are counted, in milliseconds.
const PERIOD_MS: u64 = 10_000;

/// So many may always be sent again in that time, so that a few requests are not taken for many.
const ALWAYS: u64 = 200;

/// The budget of one upstream, over all workers.
#[derive(Debug, Default)]
pub struct RetryBudget(Mutex<Window>);

impl RetryBudget {
    /// Takes the place of one request that is to be sent again; false if there is none. `sent` is
    /// the number of requests sent to all endpoints so far, repetitions included, and `percent`
    /// the share that may be sent again.
    pub fn spend(&self, sent: u64, percent: u8, now_ms: u64) -> bool {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.spend(sent, percent, now_ms)
    }
}

/// A sliding window of about [`PERIOD_MS`]: the current period, and the part of the one before it
/// that is still within the window.
#[derive(Debug, Default)]
struct Window {
    /// When the current period began.
    begin_ms: u64,
    /// How many had been sent at that time.
    begin_sent: u64,
    /// Repetitions in the current period.
    spent: u64,
    before: Period,
}

#[derive(Debug, Default)]
struct Period {
    requests: u64,
    spent: u64,
}

impl Window {
    fn spend(&mut self, sent: u64, percent: u8, now_ms: u64) -> bool {
        // An endpoint that is replaced takes its count along.
        self.begin_sent = self.begin_sent.min(sent);
        self.advance(sent, now_ms);
        let rest_ms = PERIOD_MS.saturating_sub(now_ms.saturating_sub(self.begin_ms));
        let within = |count: u64| count.saturating_mul(rest_ms) / PERIOD_MS;
        let recent = self.requests(sent) + within(self.before.requests);
        let allowed = recent.saturating_mul(percent.into()) / 100;
        if self.spent + within(self.before.spent) >= allowed.max(ALWAYS) {
            return false;
        }
        self.spent += 1;
        true
    }

    /// Requests in the current period, without repetitions.
    fn requests(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.begin_sent)
            .saturating_sub(self.spent)
    }

    /// Begins a new period if the current one is over.
    fn advance(&mut self, sent: u64, now_ms: u64) {
        let lasted_ms = now_ms.saturating_sub(self.begin_ms);
        if lasted_ms < PERIOD_MS {
            return;
        }
        // Nothing was sent again for some time: what was counted meanwhile is taken to have
        // been the same in each period.
        let in_a_period = |count: u64| {
            let count = u128::from(count) * u128::from(PERIOD_MS) / u128::from(lasted_ms);
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        let spent = match lasted_ms < 2 * PERIOD_MS {
            true => in_a_period(self.spent),
            false => 0,
        };
        *self = Self {
            begin_ms: now_ms,
            begin_sent: sent,
            spent: 0,
            before: Period {
                requests: in_a_period(self.requests(sent)),
                spent,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many requests in each of so many milliseconds, each of which fails and would be sent
    /// twice more: how many are sent in all.
    fn outage(window: &mut Window, from_ms: u64, millis: u64, each: u64, percent: u8) -> u64 {
        let mut sent = from_ms * each;
        let begin = sent;
        for now_ms in from_ms..from_ms + millis {
            for _ in 0..each {
                sent += 1;
                for _ in 0..2 {
                    if window.spend(sent, percent, now_ms) {
                        sent += 1;
                    }
                }
            }
        }
        sent - begin
    }

    #[test]
    fn an_outage_is_not_multiplied() {
        let mut window = Window::default();
        let sent = outage(&mut window, 100_000, 120_000, 5, 20);
        let requests = 120_000 * 5;
        assert!(sent <= requests * 12 / 10 + ALWAYS, "{sent}");
        assert!(
            sent >= requests * 119 / 100,
            "and the share is used: {sent}"
        );
    }

    #[test]
    fn an_endpoint_that_stops_loses_nothing() {
        // 1,000 requests a second, of which 1,000 wait for an endpoint when it stops.
        let mut window = Window::default();
        let now_ms = 60_000;
        let sent = 60 * 1_000;
        assert!((0..1_000).all(|n| window.spend(sent + n, 20, now_ms)));
    }

    #[test]
    fn few_requests_may_all_be_sent_again() {
        let mut window = Window::default();
        let mut sent = 0;
        for n in 0..1_000 {
            sent += 1;
            // One in 50 ms.
            assert!(window.spend(sent, 1, 50_000 + n * 51), "{n}");
            sent += 1;
        }
    }

    #[test]
    fn what_was_spent_is_there_again_after_a_while() {
        let mut window = Window::default();
        let spend = |window: &mut Window, now_ms| {
            let spent = (0..1_000).filter(|_| window.spend(10_000, 1, now_ms));
            spent.count()
        };
        assert_eq!(spend(&mut window, 1_000_000), 200);
        assert_eq!(spend(&mut window, 1_009_000), 0);
        let later = spend(&mut window, 1_015_000);
        assert!((60..=200).contains(&later), "{later}");
        assert_eq!(spend(&mut window, 1_050_000), 200);
    }

    /// New endpoints count from 0, however many repetitions there have been before.
    #[test]
    fn the_share_is_that_of_recent_requests_also_after_endpoints_were_replaced() {
        let mut window = Window::default();
        outage(&mut window, 100_000, 120_000, 5, 20);
        let (mut requests, mut repeated) = (0, 0);
        for now_ms in 300_000..340_000 {
            for _ in 0..5 {
                requests += 1;
                repeated += u64::from(window.spend(requests + repeated, 20, now_ms));
            }
        }
        assert!(
            (requests * 19 / 100..=requests / 5 + ALWAYS).contains(&repeated),
            "{repeated}"
        );
    }

    #[test]
    fn counts_that_become_smaller_are_no_harm() {
        let mut window = Window::default();
        assert!(window.spend(1_000_000, 20, 20_000));
        assert!(window.spend(3, 20, 20_001));
        assert!(window.spend(0, 20, 90_000));
    }
}
