//! The upstreams that a request of a route may be sent to, if there are several: those of a split,
//! and those that policies may choose.

use std::sync::Arc;

use janua_upstream::split::Draw;
use janua_wasm::Input;

use super::target::To;

/// The upstreams among which the requests of a route are divided.
#[derive(Debug)]
pub(crate) struct Split {
    /// In the order of the file, as in `weights`.
    pub(crate) members: Box<[To]>,
    /// What a request must have in common with another one to get the same upstream; none if each
    /// draws anew.
    pub(crate) by: Option<By>,
    /// The weights, which are kept across reloads that do not change the split.
    pub(crate) weights: Arc<janua_upstream::Split>,
}

/// A value of requests by which they are divided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) input: Input,
    /// As it is written in the file.
    pub(crate) word: Box<str>,
}

/// Which of its route's upstreams a request is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The one of a split with this index, or the only one.
    Member(usize),
    /// The one of [`Choices::all`] with this index.
    ByPolicy(usize),
}

/// What the policies of a route may choose in place of its own upstream.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    pub(crate) all: Box<[Choice]>,
    /// For each policy, by its index in the snapshot: the indices in `all` of the upstreams that
    /// it declares, in the order of [`janua_wasm::Policy::upstreams`].
    pub(crate) declared: Box<[(usize, Box<[usize]>)]>,
}

impl Choices {
    /// The index in `all` of the upstream that this policy has declared at this place. None on
    /// routes without an upstream, whose requests go to none.
    pub(crate) fn of(&self, policy: usize, place: usize) -> Option<usize> {
        let mut declared = self.declared.iter();
        let (_, declared) = declared.find(|(declaring, _)| *declaring == policy)?;
        declared.get(place).copied()
    }
}

/// An upstream that a policy may choose.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) to: To,
    /// What it takes part with in a split by a key.
    pub(crate) draw: Draw,
}
