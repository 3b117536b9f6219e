//! How much CPU time one policy may use on one worker, and whose calls are refused once
//! that is short.
//!
//! A policy has an *allowance*: a bucket of CPU time, from which its calls are paid. It
//! fills at `share` of the worker's time and holds what comes in in a second.
//! - While it is more than half full, every call is made.
//! - Below that, the calls of clients are refused that have recently used the most. A
//!   client may then use `client_share` of the time, and the less, the emptier the
//!   allowance is. So one client that floods a policy is held off, a light client is
//!   served, and of many heavy ones each gets the same.
//! - The allowance may go into debt, up to half of what it holds. Only then is every call
//!   refused.
//!
//! Remembered verdicts cost nothing and are never refused.
//!
//! A network of IPv6 of 48 bits, in which there are 65,536 clients, may use no more than
//! two clients.
//!
//! **What this cannot do.** An attacker with very many addresses or networks is very many
//! light clients. Then calls are refused at random, those of others in proportion to the
//! attacker's, but the policy keeps to its share of the worker.
//!
//! Decisions are pure: time is an argument, in milliseconds of the proxy's clock.

use std::time::Duration;

use crate::accounts::{Accounts, SECONDS_KEPT};
use crate::client::ClientKey;

/// How much of a worker's time a policy may use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ThrottleOptions {
    /// The share of a worker's time that its calls may use, in percent. At 100 no call is
    /// refused.
    pub share_percent: u8,
    /// The share of a worker's time that the calls of one client may use while the
    /// policy's time is short, in percent.
    pub client_share_percent: u8,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            share_percent: 50,
            client_share_percent: 10,
        }
    }
}

/// What a client is charged at least for a call that ends an instance: about what it
/// takes to replace a small one, wherever that is done.
const FORFEIT: Duration = Duration::from_millis(10);

/// As how many clients a network counts.
const CLIENTS_OF_NETWORK: f64 = 2.0;

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    /// The policy's time is short, and this client has used much of it.
    Client,
    /// The policy's time is used up.
    All,
}

#[derive(Debug)]
pub(crate) struct Throttle {
    /// Seconds of CPU time that come in in a second. 1 or more: nothing is refused.
    share: f64,
    /// What the account of a client that uses its full share holds.
    client_most: f64,
    /// Seconds of CPU time that are left. Negative in debt.
    left: f64,
    /// When `left` was worked out.
    at_ms: u64,
    clients: Accounts,
    networks: Accounts,
}

impl Throttle {
    /// With a full allowance.
    pub(crate) fn new(options: &ThrottleOptions) -> Self {
        let share = f64::from(options.share_percent.max(1)) / 100.0;
        Self {
            share,
            client_most: f64::from(options.client_share_percent) / 100.0 * SECONDS_KEPT,
            left: share,
            at_ms: 0,
            clients: Accounts::new(),
            networks: Accounts::new(),
        }
    }

    /// Whether a call of this client may be made.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn admit(&mut self, client: ClientKey, now_ms: u64) -> Result<(), Shed> {
        let level = self.level(now_ms);
        if level > 0.5 || self.share >= 1.0 {
            return Ok(());
        }
        if level <= -0.5 {
            return Err(Shed::All);
        }
        let most = self.client_most * (level + 0.5);
        let of_network = client
            .network()
            .map_or(0.0, |network| self.networks.used(network, self.at_ms));
        let is_heavy =
            self.clients.used(client, self.at_ms) > most || of_network > most * CLIENTS_OF_NETWORK;
        if is_heavy { Err(Shed::Client) } else { Ok(()) }
    }

    /// Pays for a call that was admitted.
    pub(crate) fn pay_call(&mut self, client: ClientKey, cost: Duration, now_ms: u64) {
        self.level(now_ms);
        // A call can take long, if its deadline is. A second later the next one is made.
        let least = -1.5 * self.share;
        self.left = (self.left - cost.as_secs_f64()).max(least);
        self.charge(client, cost);
    }

    /// Pays for a new instance. `client` is the one whose call ended the last instance, if
    /// it is known. Others are not to suffer from it, so this alone does not bring the
    /// allowance into debt.
    pub(crate) fn pay_instance(&mut self, client: Option<ClientKey>, cost: Duration, now_ms: u64) {
        self.level(now_ms);
        let least = self.left.min(0.0);
        self.left = (self.left - cost.as_secs_f64()).max(least);
        if let Some(client) = client {
            self.charge(client, cost);
        }
    }

    /// Charges the client for the instance that its call ended. It comes out of the allowance
    /// as well, so that a client that ends one after another makes the time short, and is held
    /// off, even if each of its calls costs next to nothing here.
    pub(crate) fn forfeit(&mut self, client: ClientKey, now_ms: u64) {
        self.pay_instance(Some(client), FORFEIT, now_ms);
    }

    fn charge(&mut self, client: ClientKey, cost: Duration) {
        self.clients.charge(client, cost, self.at_ms);
        if let Some(network) = client.network() {
            self.networks.charge(network, cost, self.at_ms);
        }
    }

    /// How full the allowance is: 1 is full, and below 0 it is in debt. An exchange may
    /// come with a time that lies before that of an earlier call, because it has waited.
    fn level(&mut self, now_ms: u64) -> f64 {
        let since = Duration::from_millis(now_ms.saturating_sub(self.at_ms));
        self.at_ms = self.at_ms.max(now_ms);
        self.left = (self.left + since.as_secs_f64() * self.share).min(self.share);
        self.left / self.share
    }
}

#[cfg(test)]
mod tests;
