//! Measures what the number of endpoints costs, and one that is dead.
//!
//! The contenders are measured at the same time as in [`compare`]: with three endpoints, with three
//! of which one refuses all connections, and with a thousand. All endpoints are addresses of one
//! backend.

use std::net::SocketAddr;

use anyhow::bail;

use crate::backend::{Fleet, member};
use crate::case::Order;
use crate::compare::{self, Comparison, Plan};
use crate::contender::{self, Contender, known};
use crate::generator::Ask;

/// Name for the selection of cases.
pub(crate) const NAME: &str = "fleet";
/// Endpoints of a large upstream.
pub(crate) const MANY: u16 = 1000;
const RATE: f64 = 1500.0;
const CONNECTIONS: usize = 32;

/// The endpoints of a contender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Members {
    /// Three.
    Three,
    /// Three, at one of which nobody listens.
    OneDead,
    /// [`MANY`].
    Many,
}

impl Members {
    fn addresses(self, first: SocketAddr) -> Vec<SocketAddr> {
        let numbers: Vec<u16> = match self {
            Self::Three => vec![0, 1, 2],
            // The backend listens on the addresses below.
            Self::OneDead => vec![0, 1, MANY],
            Self::Many => (0..MANY).collect(),
        };
        let each = numbers.into_iter();
        each.map(|number| member(first, number)).collect()
    }
}

/// The result.
pub(crate) struct Fleets {
    /// The contenders that were measured.
    pub(crate) contenders: Vec<Contender>,
    /// The contenders that are not installed.
    pub(crate) absent: Vec<&'static str>,
    /// The figures.
    pub(crate) comparison: Comparison,
}

/// Starts all contenders, and measures them.
///
/// # Errors
/// No contender starts, or all connections to one are refused later.
pub(crate) fn measure(order: &Order<'_>) -> anyhow::Result<Fleets> {
    let work = order.work.join(NAME);
    let fleet = Fleet {
        addresses: MANY,
        ..Fleet::ONE
    };
    let backend = compare::start_fleet(&work, "fleet", &fleet)?;
    let (mut contenders, mut absent) = (Vec::new(), Vec::new());
    for (members, rows) in known::FLEETS {
        let (found, missing) = contender::installed(rows, order.only, order.janua);
        let endpoints = members.addresses(backend.address);
        let with = found.into_iter();
        contenders.extend(with.map(|one| one.with_endpoints(endpoints.clone())));
        absent.extend(missing);
    }
    let running = compare::start_all(&contenders, &work, &backend);
    if running.is_empty() {
        bail!("{NAME}: no contender runs");
    }
    let plan = Plan {
        ask: Ask::plain("/1k", 1024),
        rate: Some(RATE),
        connections: CONNECTIONS,
        window: order.window,
        rounds: order.rounds,
    };
    Ok(Fleets {
        comparison: compare::compare(&running, &backend, &plan)?,
        contenders,
        absent,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_dead_one_is_no_address_of_the_backend() {
        let first: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let many: HashSet<_> = Members::Many.addresses(first).into_iter().collect();
        assert_eq!(many.len(), 1000);
        let listening = |members: Members| -> Vec<bool> {
            let each = members.addresses(first).into_iter();
            each.map(|address| many.contains(&address)).collect()
        };
        assert_eq!(listening(Members::Three), [true, true, true]);
        assert_eq!(listening(Members::OneDead), [true, true, false]);
    }
}
