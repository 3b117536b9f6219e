//! What checks, passive health and outlier detection together say about an
//! endpoint.
//!
//! They are independent: an endpoint gets all requests only if each of them lets it,
//! and one that two have ejected is back once the probes of both have succeeded.
//! One request may be the probe of both.

use crate::admission::{Admission, Entry};
use crate::check::CheckState;
use crate::endpoint::Endpoint;
use crate::upstream::{Member, Upstream};

/// Of which ejections a request is the probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) of_health: bool,
    pub(crate) of_outlier: bool,
}

/// What became of a claim for a request that is to be sent to an endpoint.
enum Claim {
    /// It needs none, or is sent although the endpoint is ejected.
    Unneeded,
    /// It is the probe.
    Probe,
    /// Another request is the probe.
    Refused,
}

impl Upstream {
    /// Which requests an endpoint gets as far as its health is concerned.
    pub(crate) fn eligibility(&self, member: &Member, now_ms: u64) -> Admission {
        let endpoint = &member.endpoint;
        let checks = endpoint.check_cell().state();
        if !checks.admits() {
            let is_last_resort = checks == CheckState::Down && self.panic().tries_failed_checks();
            return Admission::for_good(match is_last_resort {
                true => Entry::LastResort,
                false => Entry::Closed,
            });
        }
        let passive = match self.rule() {
            Some(_) => endpoint.health().admission(now_ms),
            None => Admission::OPEN,
        };
        let outlier = match self.outliers() {
            Some(_) => endpoint.watch().admits(now_ms),
            None => Admission::OPEN,
        };
        let entry = match (passive.entry, outlier.entry) {
            (Entry::Open, other) | (other, Entry::Open) => other,
            (Entry::Probe, Entry::Probe) => Entry::Probe,
            _ => Entry::LastResort,
        };
        let entry = match entry {
            Entry::LastResort if !self.panic().tries_ejected() => Entry::Closed,
            entry => entry,
        };
        Admission {
            entry,
            until_ms: passive.until_ms.min(outlier.until_ms),
        }
    }

    /// Claims the probe for a request to an endpoint that was chosen, if it has to be one. None if
    /// the request may not be sent, because another has claimed it meanwhile.
    pub(crate) fn claim(
        &self,
        member: &Member,
        is_last_resort: bool,
        now_ms: u64,
    ) -> Option<Probe> {
        let mut probe = Probe::default();
        match self.claim_outlier(member, is_last_resort, now_ms) {
            Claim::Unneeded => {}
            Claim::Probe => probe.of_outlier = true,
            Claim::Refused => return None,
        }
        match self.claim_health(member, is_last_resort, now_ms) {
            Claim::Unneeded => {}
            Claim::Probe => probe.of_health = true,
            Claim::Refused => {
                member.endpoint.unclaim(probe, now_ms);
                return None;
            }
        }
        if probe != Probe::default() {
            self.group().change();
        }
        Some(probe)
    }

    fn claim_health(&self, member: &Member, is_last_resort: bool, now_ms: u64) -> Claim {
        let Some(rule) = self.rule() else {
            return Claim::Unneeded;
        };
        let health = member.endpoint.health_cell();
        match health.load().admission(now_ms).entry {
            Entry::Open => Claim::Unneeded,
            Entry::Probe if health.claim(now_ms, rule) => Claim::Probe,
            _ if is_last_resort => {
                health.try_anyway(now_ms, rule);
                Claim::Unneeded
            }
            _ => Claim::Refused,
        }
    }

    fn claim_outlier(&self, member: &Member, is_last_resort: bool, now_ms: u64) -> Claim {
        let watch = member.endpoint.watch();
        let Some(rule) = self.outliers().filter(|_| watch.is_out()) else {
            return Claim::Unneeded;
        };
        match watch.admits(now_ms).entry {
            Entry::Open => Claim::Unneeded,
            Entry::Probe if watch.claim(now_ms, rule) => Claim::Probe,
            _ if is_last_resort => {
                watch.try_anyway(now_ms, rule);
                Claim::Unneeded
            }
            _ => Claim::Refused,
        }
    }
}

impl Endpoint {
    /// Gives claimed probes back: the request is not sent, and another one may be the probe.
    pub(crate) fn unclaim(&self, probe: Probe, now_ms: u64) {
        if probe.of_health {
            self.health_cell().unclaim(now_ms);
        }
        if probe.of_outlier {
            self.watch().unclaim(now_ms);
        }
        if probe != Probe::default() {
            self.group().change();
        }
    }
}
