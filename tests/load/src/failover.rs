//! Measures how long clients notice that one of three endpoints is gone.
//!
//! An endpoint is killed, so that its port refuses connections; or stopped, so that the kernel
//! accepts connections for it and nobody answers. Meanwhile clients send requests, and each that
//! fails or takes longer than it would otherwise is disturbed.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use crate::backend::Fleet;
use crate::case::Order;
use crate::client;
use crate::compare;
use crate::contender::{self, Contender, known};
use crate::process::{Process, pause};

/// Name for the selection of cases.
pub(crate) const NAME: &str = "failover";
/// What an endpoint suffers, and how the page calls it.
const FAULTS: [(Signal, &str); 2] = [(Signal::KILL, "SIGKILL"), (Signal::STOP, "SIGSTOP")];
/// How long clients watch after that: longer than nginx leaves a dead endpoint alone.
pub(crate) const WATCH: Duration = Duration::from_secs(13);
/// What takes longer is disturbed.
pub(crate) const SLOW: Duration = Duration::from_millis(200);
/// The endpoint is noticed to be gone once nothing is disturbed for so long.
pub(crate) const QUIET: Duration = Duration::from_secs(3);
/// How many clients ask, and how often each.
pub(crate) const CLIENTS: u32 = 8;
pub(crate) const EVERY: Duration = Duration::from_millis(20);
const BEFORE: Duration = Duration::from_secs(1);

/// The result of one contender and one fault.
pub(crate) struct Failover {
    /// The contender.
    pub(crate) contender: Contender,
    /// The signal that the endpoint got.
    pub(crate) fault: &'static str,
    /// What the clients noticed.
    pub(crate) seen: Seen,
}

/// What clients noticed of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// Requests after the fault.
    pub(crate) requests: usize,
    /// Those that were not answered rightly.
    pub(crate) failed: usize,
    /// Those that were answered late.
    pub(crate) late: usize,
    /// The time of the slowest.
    pub(crate) slowest: Duration,
    /// From the fault until nothing was disturbed any more, for a while.
    pub(crate) noticed: Duration,
    /// Requests that were disturbed after that.
    pub(crate) later: usize,
}

/// One request.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// When it was sent, after the fault.
    sent: Duration,
    took: Duration,
    is_right: bool,
}

/// Measures all contenders, one after the other. One that does not start is reported and left out.
pub(crate) fn measure(order: &Order<'_>) -> Vec<Failover> {
    let (contenders, _) = contender::installed(known::FAILOVERS, order.only, order.janua);
    let mut found = Vec::new();
    for contender in &contenders {
        for (signal, fault) in FAULTS {
            eprintln!("bench: {NAME}: {}, {fault}", contender.name);
            match suffer(contender, signal, order) {
                Ok(seen) => found.push(Failover {
                    contender: contender.clone(),
                    fault,
                    seen,
                }),
                Err(error) => eprintln!("left out: {error:#}"),
            }
        }
    }
    found
}

fn suffer(contender: &Contender, fault: Signal, order: &Order<'_>) -> anyhow::Result<Seen> {
    let work = order.work.join(NAME);
    let names = ["one", "two", "three"];
    let started = names.map(|name| compare::start_fleet(&work, name, &Fleet::ONE));
    let endpoints: Vec<Process> = started.into_iter().collect::<anyhow::Result<_>>()?;
    let addresses = endpoints.iter().map(|one| one.address).collect();
    let contender = contender.clone().with_endpoints(addresses);
    let victim = endpoints.first().context("no endpoint")?;
    let running = contender.start(&work, victim.address)?;
    let address = running.process.address;
    let start = Instant::now() + BEFORE;
    let mut samples = Vec::new();
    thread::scope(|scope| {
        let each = (0..CLIENTS).map(|number| scope.spawn(move || ask(address, start, number)));
        let clients: Vec<_> = each.collect();
        pause(start.saturating_duration_since(Instant::now()));
        let struck = victim.signal(fault);
        for client in clients {
            samples.extend(client.join().unwrap_or_default());
        }
        struck
    })?;
    if fault == Signal::STOP {
        // So that it can be told to end.
        victim.signal(Signal::CONT)?;
    }
    Ok(seen(samples))
}

/// One client, from before the fault until the end.
fn ask(address: SocketAddr, fault: Instant, number: u32) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut due = Instant::now() + EVERY * number / CLIENTS;
    while due < fault + WATCH {
        pause(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        let answer = client::get(address, "/1k");
        let is_right = answer.is_ok_and(|it| it.status == 200 && it.body.len() == 1024);
        if let Some(sent_after) = sent.checked_duration_since(fault) {
            samples.push(Sample {
                sent: sent_after,
                took: sent.elapsed(),
                is_right,
            });
        }
        due = (due + EVERY).max(Instant::now());
    }
    samples
}

fn seen(mut samples: Vec<Sample>) -> Seen {
    samples.sort_by_key(|sample| sample.sent);
    let mut seen = Seen {
        requests: samples.len(),
        ..Seen::default()
    };
    for sample in samples {
        seen.slowest = seen.slowest.max(sample.took);
        if sample.is_right && sample.took <= SLOW {
            continue;
        }
        match sample.is_right {
            true => seen.late += 1,
            false => seen.failed += 1,
        }
        if sample.sent <= seen.noticed + QUIET {
            seen.noticed = seen.noticed.max(sample.sent + sample.took);
        } else {
            seen.later += 1;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_disturbed_at_first_and_later() {
        let ms = Duration::from_millis;
        let sample = |sent, took, is_right| Sample {
            sent: ms(sent),
            took: ms(took),
            is_right,
        };
        let found = seen(vec![
            sample(500, 1000, true),
            sample(10, 5, false),
            sample(20, 3, true),
            sample(11_000, 1200, true),
            sample(4400, 5, false),
        ]);
        let expected = Seen {
            requests: 5,
            failed: 2,
            late: 2,
            slowest: ms(1200),
            noticed: ms(4405),
            later: 1,
        };
        assert_eq!(found, expected);
        assert_eq!(seen(Vec::new()), Seen::default());
    }
}
