//! What checks, passive health and outlier detection together say about an
//! endpoint.
//!
//! They are independent: an endpoint gets all requests only if each of them lets it,
//! and one that two have ejected is back once the probes of both have succeeded.
//! One request may be the probe of both.

use crate::admission::{Admission, Entry};
use crate::check::CheckState;
use crate::health::PassiveHealth;
use crate::upstream::{Member, Upstream};

impl Upstream {
    /// Which requests an endpoint gets as far as its health is concerned.
    pub(crate) fn eligibility(&self, member: &Member, now_ms: u64) -> Admission {
        let endpoint = &member.endpoint;
        self.group().sweep.follow(self.outliers());
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

    /// Whether a request may be sent to an endpoint that was chosen. If it is a probe,
    /// claims it; false if another request has done that meanwhile.
    pub(crate) fn claim(&self, member: &Member, is_last_resort: bool, now_ms: u64) -> bool {
        let is_claimed = self.claim_outlier(member, is_last_resort, now_ms);
        let Some(rule) = self.rule() else {
            return is_claimed;
        };
        if !is_claimed {
            return false;
        }
        let is_claimed = self.claim_passive(member, rule, is_last_resort, now_ms);
        if !is_claimed {
            member.endpoint.watch().unclaim(now_ms);
        }
        is_claimed
    }

    fn claim_passive(
        &self,
        member: &Member,
        rule: &PassiveHealth,
        is_last_resort: bool,
        now_ms: u64,
    ) -> bool {
        let health = member.endpoint.health_cell();
        match health.load().admission(now_ms).entry {
            Entry::Open => true,
            Entry::Probe if health.claim(now_ms, rule) => {
                self.group().change();
                true
            }
            _ if is_last_resort => {
                health.try_anyway(now_ms, rule);
                true
            }
            _ => false,
        }
    }

    fn claim_outlier(&self, member: &Member, is_last_resort: bool, now_ms: u64) -> bool {
        let watch = member.endpoint.watch();
        let Some(rule) = self.outliers().filter(|_| watch.is_out()) else {
            return true;
        };
        match watch.admits(now_ms).entry {
            Entry::Open => true,
            Entry::Probe if watch.claim(now_ms, rule) => {
                self.group().change();
                true
            }
            _ if is_last_resort => {
                watch.try_anyway(now_ms, rule);
                true
            }
            _ => false,
        }
    }
}
