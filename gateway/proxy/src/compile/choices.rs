//! Compiles to which upstreams the requests of a route are sent: those among which they are
//! divided, those that its policies may choose, and those that get copies.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use janua_config as config;
use janua_upstream::split::Draw;
use janua_wasm::Policy;

use super::inputs::input;
use super::targets::Own;
use super::{Compiler, retries};
use crate::snapshot::{By, Choice, Choices, Mirror, Route, Snapshot, Split, Target, To};
use crate::stats::{ChoiceStats, MirrorStats};

/// A route, by what is the same after a reload: the labels of its site and of itself, and how many
/// routes with the same label come before it.
pub(super) struct Place<'a> {
    site: &'a Arc<str>,
    label: &'a str,
    earlier: usize,
}

impl<'a> Place<'a> {
    pub(super) fn of(
        site: &config::Site,
        route: &config::Route,
        name: &'a Arc<str>,
        label: &'a str,
    ) -> Self {
        let before = site.routes.iter();
        let before = before.take_while(|other| !std::ptr::eq(*other, route));
        Self {
            site: name,
            label,
            earlier: before.filter(|other| other.label() == label).count(),
        }
    }

    /// The same route in another snapshot.
    fn find<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Route> {
        let sites = snapshot.sites.iter();
        let routes = sites.filter(|site| site.name == *self.site);
        let routes = routes.flat_map(|site| &site.routes);
        let mut same = routes.filter(|route| *route.terms.label == *self.label);
        same.nth(self.earlier)
    }
}

impl Compiler<'_, '_> {
    /// A division among upstreams. Its weights are those that the previous snapshot has now, if
    /// the split is the same: what was set by command lasts until the split changes.
    pub(super) fn split(
        &self,
        place: &Place<'_>,
        route: &config::Route,
        split: &config::Split,
    ) -> Target {
        let members = split.split.iter();
        let weights = members.map(|member| (member.upstream.as_str(), member.weight));
        let weights = janua_upstream::Split::new(weights);
        let by = split.by.as_ref().map(|by| By {
            input: input(by),
            word: by.to_string().into(),
        });
        let previous = self.previous.and_then(|previous| place.find(previous));
        let kept = previous.and_then(|previous| match &previous.target {
            Target::Split(old) if old.by == by && old.weights.is_configured_as(&weights) => {
                Some(Arc::clone(&old.weights))
            }
            _ => None,
        });
        let member = |member: &config::SplitMember| {
            self.counted(place, route, member.upstream.as_str(), &Own::of(member))
        };
        Target::Split(Split {
            members: split.split.iter().map(member).collect(),
            by,
            weights: kept.unwrap_or_else(|| Arc::new(weights)),
        })
    }

    /// What policies may choose on a route. Each has its index in the snapshot.
    pub(super) fn choices(
        &self,
        place: &Place<'_>,
        route: &config::Route,
        policies: &[(usize, Vec<Box<str>>)],
    ) -> Choices {
        if !route.target.is_upstream() {
            return Choices::default();
        }
        let mut names: Vec<&str> = Vec::new();
        let mut index = |name| match names.iter().position(|known| *known == name) {
            Some(known) => known,
            None => {
                names.push(name);
                names.len() - 1
            }
        };
        let declared = policies
            .iter()
            .map(|(policy, upstreams)| {
                let indices = upstreams.iter().map(|name| index(name));
                (*policy, indices.collect())
            })
            .collect();
        let choice = |name: &&str| {
            // On a route that divides its requests, a member keeps its own settings.
            let member = match &route.target {
                config::Target::Split(split) => {
                    let mut members = split.split.iter();
                    members.find(|member| member.upstream.as_str() == *name)
                }
                _ => None,
            };
            let own = member.map(Own::of).unwrap_or_default();
            Choice {
                to: self.counted(place, route, name, &own),
                draw: Draw::of(name),
            }
        };
        Choices {
            all: names.iter().map(choice).collect(),
            declared,
        }
    }

    /// Who gets copies of the requests of a route.
    pub(super) fn mirrors(&self, place: &Place<'_>, route: &config::Route) -> Box<[Arc<Mirror>]> {
        let Some(mirrors) = &route.mirror else {
            return Box::default();
        };
        let previous = self.previous.and_then(|previous| place.find(previous));
        let mirror = |mirror: &config::Mirror| {
            let name = mirror.upstream.as_str();
            let upstream = self.config.upstreams.get(name);
            let kept = previous.and_then(|previous| {
                let mut mirrors = previous.mirrors.iter();
                mirrors.find(|known| known.stats.upstream() == name)
            });
            Arc::new(Mirror {
                // The file model has verified that the upstream exists.
                upstream: self.places.get(name).copied().unwrap_or_default(),
                // A copy that fails is not sent again, and waits for no endpoint.
                retries: upstream.map(|upstream| retries::once(upstream)),
                up_to: up_to(mirror.share()),
                body: super::bytes(&mirror.body),
                timeout: mirror.timeout.value,
                most: usize::try_from(mirror.most.get()).unwrap_or(usize::MAX),
                in_progress: kept.map_or_else(
                    || Arc::new(AtomicUsize::new(0)),
                    |kept| Arc::clone(&kept.in_progress),
                ),
                stats: MirrorStats::new(&self.estate.metrics, place.site, place.label, name),
            })
        };
        let copies = |mirror: &&config::Mirror| mirror.share() > 0.0;
        mirrors.iter().filter(copies).map(mirror).collect()
    }

    /// The way to an upstream that is one of several, whose requests are counted.
    fn counted(&self, place: &Place<'_>, route: &config::Route, name: &str, own: &Own<'_>) -> To {
        let metrics = &self.estate.metrics;
        To {
            stats: Some(ChoiceStats::new(metrics, place.site, place.label, name)),
            ..self.upstream(route, name, own)
        }
    }
}

/// The largest of the random numbers for which a request is copied, if this share of all requests
/// is, which is above 0.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the share is from 0 to 1, and a cast of a float saturates"
)]
fn up_to(share: f64) -> u64 {
    (share * u64::MAX as f64) as u64
}

/// The upstreams that each of these policies declares, of those that declare any.
pub(super) fn declared(policy: usize, of: &Policy) -> Option<(usize, Vec<Box<str>>)> {
    let upstreams = of.upstreams();
    (!upstreams.is_empty()).then(|| (policy, upstreams.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::up_to;

    #[test]
    fn the_share_of_random_numbers() {
        for (share, number) in [(1.0, u64::MAX), (0.5, 1 << 63), (0.25, 1 << 62), (1e-30, 0)] {
            assert_eq!(up_to(share), number, "{share}");
        }
    }
}
