//! When a request is repeated, doubled or kept waiting: the settings of an upstream or a route, and
//! the decisions that need nothing else.
//!
//! Two things decide whether a request is repeated: what has happened, which the operator has or
//! has not listed, and what may have become of the request. One that was sent may have been
//! processed, so that only an idempotent one is sent again (RFC 9110 §9.2.2).

use std::cell::Cell;
use std::time::Duration;

use janua_upstream::HeadTimes;

/// How requests are repeated, doubled and kept waiting.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    /// How many attempts may follow the first; none for one at each endpoint.
    pub(crate) more: Option<u32>,
    pub(crate) on: Conditions,
    /// The time limit of one attempt, up to the head of the response.
    pub(crate) try_timeout: Option<Duration>,
    /// The share of requests that may be sent again, in percent.
    pub(crate) budget: u8,
    /// How many bytes of a body are kept, so that it can be sent again.
    pub(crate) body: usize,
    /// When a request is sent to a second endpoint although the first has not failed.
    pub(crate) hedge: Option<Hedge>,
    /// How long a request waits while no endpoint can be reached; 0 for not at all.
    pub(crate) hold: Duration,
}

/// When a request is sent to a second endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hedge {
    After(Duration),
    /// After the time in which this share of recent requests was answered, in percent.
    Quantile(u8),
}

/// After what a request is repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub(crate) connect: bool,
    pub(crate) reset: bool,
    /// Also requests that may then be processed twice.
    pub(crate) reset_any: bool,
    pub(crate) timeout: bool,
    /// A bit for each status from 400 on.
    pub(crate) statuses: [u64; 4],
    /// A bit for each status of gRPC.
    pub(crate) calls: u32,
}

/// What has happened to an attempt that reached an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connection was lost before the first byte of the response.
    Lost,
    /// The head of the response did not arrive in time.
    Timeout,
    /// The response has this status.
    Status(u16),
    /// A call of gRPC was answered with this status alone.
    Call(u8),
}

/// What may have become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) is_idempotent: bool,
    /// No byte of it was sent.
    pub(crate) nothing: bool,
    /// Its body can be sent from the beginning.
    pub(crate) can_be_repeated: bool,
}

/// The first status that can be a condition.
const FIRST_STATUS: u16 = 400;

impl Conditions {
    /// Adds a status; one below 400 has no effect.
    pub(crate) fn add_status(&mut self, status: u16) {
        if let Some((word, bit)) = place(status)
            && let Some(word) = self.statuses.get_mut(word)
        {
            *word |= bit;
        }
    }

    /// Adds a status of gRPC.
    pub(crate) fn add_call(&mut self, status: u8) {
        self.calls |= 1_u32.checked_shl(status.into()).unwrap_or(0);
    }

    /// Whether a response with this status is a condition.
    pub(crate) fn has_status(&self, status: u16) -> bool {
        let word = place(status).and_then(|(word, bit)| Some(self.statuses.get(word)? & bit));
        word.is_some_and(|bits| bits != 0)
    }

    /// Whether any status of gRPC is a condition.
    pub(crate) fn has_calls(&self) -> bool {
        self.calls != 0
    }

    /// Whether a request may be sent again, now that this has happened.
    pub(crate) fn allow(&self, event: Event, sent: Sent) -> bool {
        sent.can_be_repeated
            && match event {
                Event::Lost => self.reset_any || self.reset && (sent.is_idempotent || sent.nothing),
                Event::Timeout => self.timeout && sent.is_idempotent,
                Event::Status(status) => self.has_status(status) && sent.is_idempotent,
                // Its methods are not known to be idempotent or not; the operator has said that
                // they may be repeated.
                Event::Call(status) => {
                    self.calls & 1_u32.checked_shl(status.into()).unwrap_or(0) != 0
                }
            }
    }

    /// Whether the body of a request is worth keeping, because the request may be sent again.
    pub(crate) fn keep_body(&self, is_idempotent: bool) -> bool {
        let after_any = self.reset_any || self.has_calls();
        let after_idempotent = self.reset || self.timeout || self.statuses != [0; 4];
        after_any || is_idempotent && after_idempotent
    }
}

/// The place of the bit of a status.
fn place(status: u16) -> Option<(usize, u64)> {
    let number = status.checked_sub(FIRST_STATUS)?;
    Some((usize::from(number / 64), 1 << (number % 64)))
}

/// The pause before the endpoints of an upstream are tried again, all of which have failed: 25 ms,
/// then twice as much each time up to 250 ms, and of that between a half and the whole, so that
/// requests that have failed together do not come back together.
pub(crate) fn pause(rounds: u32, random: u128) -> Duration {
    let most = 25_u64.saturating_mul(1 << rounds.min(8)).min(250);
    let half = most.div_ceil(2);
    let jitter = random % u128::from(most - half + 1);
    Duration::from_millis(half + u64::try_from(jitter).unwrap_or_default())
}

/// The time after which a request is sent to a second endpoint, by quantile. A worker works it out
/// ten times a second, however many requests it has.
#[derive(Debug, Default)]
pub(crate) struct HedgeDelay(Cell<Option<Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    percent: u8,
    until_ms: u64,
    delay: Option<Duration>,
}

const FRESH_MS: u64 = 100;

impl HedgeDelay {
    /// The time, if enough is known for one.
    pub(crate) fn get(&self, percent: u8, times: &HeadTimes, now_ms: u64) -> Option<Duration> {
        match self.0.get() {
            Some(known) if known.percent == percent && now_ms < known.until_ms => known.delay,
            _ => {
                let delay = times.quantile(percent);
                self.0.set(Some(Known {
                    percent,
                    until_ms: now_ms + FRESH_MS,
                    delay,
                }));
                delay
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Sent = Sent {
        is_idempotent: true,
        nothing: false,
        can_be_repeated: true,
    };
    const POST: Sent = Sent {
        is_idempotent: false,
        ..GET
    };

    fn conditions(set: impl FnOnce(&mut Conditions)) -> Conditions {
        let mut conditions = Conditions::default();
        set(&mut conditions);
        conditions
    }

    #[test]
    fn only_what_is_listed_is_repeated() {
        let all = [
            Event::Lost,
            Event::Timeout,
            Event::Status(503),
            Event::Call(14),
        ];
        let table = [
            (conditions(|_| {}), [false; 4]),
            (
                conditions(|it| it.reset = true),
                [true, false, false, false],
            ),
            (
                conditions(|it| it.reset_any = true),
                [true, false, false, false],
            ),
            (
                conditions(|it| it.timeout = true),
                [false, true, false, false],
            ),
            (
                conditions(|it| it.add_status(503)),
                [false, false, true, false],
            ),
            (
                conditions(|it| it.add_call(14)),
                [false, false, false, true],
            ),
        ];
        for (conditions, expected) in table {
            let found = all.map(|event| conditions.allow(event, GET));
            assert_eq!(found, expected, "{conditions:?}");
        }
    }

    #[test]
    fn a_request_that_was_sent_is_repeated_only_if_it_is_idempotent() {
        let all = conditions(|it| {
            it.reset = true;
            it.timeout = true;
            it.add_status(503);
        });
        for event in [Event::Lost, Event::Timeout, Event::Status(503)] {
            assert!(all.allow(event, GET), "{event:?}");
            assert!(!all.allow(event, POST), "{event:?}");
        }
        let unsent = Sent {
            nothing: true,
            ..POST
        };
        assert!(all.allow(Event::Lost, unsent));
        // It has processed the request, or has it still.
        assert!(!all.allow(Event::Status(503), unsent));
        assert!(!all.allow(Event::Timeout, unsent));
        let any = conditions(|it| it.reset_any = true);
        assert!(any.allow(Event::Lost, POST) && !any.allow(Event::Timeout, POST));
    }

    #[test]
    fn nothing_is_repeated_whose_body_is_lost() {
        let all = conditions(|it| {
            it.reset_any = true;
            it.timeout = true;
            it.add_status(503);
            it.add_call(14);
        });
        let cut = Sent {
            can_be_repeated: false,
            ..GET
        };
        for event in [
            Event::Lost,
            Event::Timeout,
            Event::Status(503),
            Event::Call(14),
        ] {
            assert!(!all.allow(event, cut), "{event:?}");
        }
    }

    #[test]
    fn each_status_is_its_own() {
        let some = conditions(|it| {
            for status in [400, 463, 464, 503, 599, 399, 100, u16::MAX] {
                it.add_status(status);
            }
        });
        let has: Vec<u16> = (0..=u16::MAX).filter(|it| some.has_status(*it)).collect();
        assert_eq!(has, [400, 463, 464, 503, 599]);
        assert!(!some.allow(Event::Call(200), GET));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        for (rounds, most) in [
            (0, 25),
            (1, 50),
            (2, 100),
            (3, 200),
            (4, 250),
            (u32::MAX, 250),
        ] {
            let pauses = (0..1_000).map(|random| pause(rounds, random).as_millis());
            let (least, longest) = (pauses.clone().min().unwrap(), pauses.max().unwrap());
            assert_eq!(
                (least, longest),
                (u128::from(most_half(most)), u128::from(most))
            );
        }
    }

    fn most_half(most: u64) -> u64 {
        most.div_ceil(2)
    }

    #[test]
    fn a_delay_is_worked_out_now_and_then() {
        let (delay, times) = (HedgeDelay::default(), HeadTimes::default());
        assert_eq!(delay.get(95, &times, 0), None);
        for _ in 0..200 {
            times.record(Duration::from_millis(10), 0);
        }
        assert_eq!(
            delay.get(95, &times, 50),
            None,
            "it was worked out just now"
        );
        let found = delay.get(95, &times, 100).unwrap();
        assert!(found >= Duration::from_millis(10) && found < Duration::from_millis(13));
        assert_eq!(
            delay.get(50, &times, 101),
            Some(found),
            "for another share at once"
        );
    }
}
