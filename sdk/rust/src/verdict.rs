//! Verdicts: the decisions of a policy.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types::{self, Edit, Effect, Outcome, Reuse};
use crate::effect::{Ban, CacheLookup, CacheRule, Purge, Take, Verify};
use crate::phase::{PerExchange, WithResponse};
use crate::{Fetched, Kind, Missing, Reply, Request, Value};

/// A verdict in phase `P`. It is not reused unless [`until_reload`](Self::until_reload) or
/// [`for_seconds`](Self::for_seconds) is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<P> {
    verdict: types::Verdict,
    kind: PhantomData<P>,
}

impl<P: Kind> Verdict<P> {
    /// The exchange continues.
    #[must_use]
    pub fn proceed() -> Self {
        Self::of(Outcome::Proceed)
    }

    /// Ends the request with this response. In the phases `fetched` and `response` it
    /// replaces the response.
    #[must_use]
    pub fn respond(reply: Reply<P>) -> Self {
        Self::of(Outcome::Respond(reply.into_contract()))
    }

    fn of(outcome: Outcome) -> Self {
        Self {
            verdict: types::Verdict {
                outcome,
                edits: Vec::new(),
                effects: Vec::new(),
                reuse: Reuse::Never,
                note: None,
            },
            kind: PhantomData,
        }
    }

    /// Replaces all lines of the field by one. An absent value removes the field.
    #[must_use]
    pub fn set_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::SetHeader(header))
    }

    /// Adds a line of the field. An absent value does nothing.
    #[must_use]
    pub fn append_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::AppendHeader(header))
    }

    /// Adds the field if there is no line of it.
    #[must_use]
    pub fn default_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::DefaultHeader(header))
    }

    /// Removes all lines of the field.
    #[must_use]
    pub fn remove_header(self, name: &str) -> Self {
        self.edit(Edit::RemoveHeader(name.to_owned()))
    }

    /// Allows the gateway to reuse the verdict for the same inputs until the
    /// configuration, the component or a secret changes.
    #[must_use]
    pub fn until_reload(mut self) -> Self {
        self.verdict.reuse = Reuse::UntilReload;
        self
    }

    /// Allows the gateway to reuse the verdict for the same inputs for this many seconds.
    #[must_use]
    pub fn for_seconds(mut self, seconds: u32) -> Self {
        self.verdict.reuse = Reuse::Seconds(seconds);
        self
    }

    /// A short text for the access log, written also when the verdict is reused.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.verdict.note = Some(note.into());
        self
    }

    /// Converts it to the type of the contract.
    #[must_use]
    pub fn into_contract(self) -> types::Verdict {
        self.verdict
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.verdict.edits.push(edit);
        self
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.verdict.effects.push(effect);
        self
    }
}

impl Verdict<Request> {
    /// Replaces the path, which is then normalised. The route stays the same.
    ///
    /// The inputs `path` and `original-path` go in as they are; any other input or reference
    /// becomes a part of one segment: `/` is written as `%2F` and `%` as `%25`. A request whose
    /// inputs would make a dot segment is answered with 400. Text that the policy makes itself,
    /// as with `inputs.get(…)`, is a literal: put the slot in instead.
    #[must_use]
    pub fn set_path(self, path: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetPath(path.into().into_parts()))
    }

    /// Replaces the query, without `?`. An absent value removes it. The inputs `query`,
    /// `original-query` and `raw-query-parameter` go in as they are; any other input or
    /// reference becomes the value of one parameter: `&` is written as `%26`.
    #[must_use]
    pub fn set_query(self, query: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetQuery(query.into().into_parts()))
    }

    /// Takes tokens from a bucket. If there are not enough, the request ends with the
    /// response of the [`Take`].
    #[must_use]
    pub fn take(self, take: Take) -> Self {
        self.effect(Effect::Take(take.into_contract()))
    }

    /// Verifies a signature. If it is not valid, the request ends with the response of the
    /// [`Verify`].
    #[must_use]
    pub fn verify(self, verify: Verify) -> Self {
        self.effect(Effect::Verify(verify.into_contract()))
    }

    /// Selects an upstream by its configured name.
    #[must_use]
    pub fn choose_upstream(self, name: &str) -> Self {
        self.effect(Effect::ChooseUpstream(name.to_owned()))
    }

    /// Sets the cache key of the request.
    #[must_use]
    pub fn cache_lookup(self, lookup: CacheLookup) -> Self {
        self.effect(Effect::CacheLookup(lookup.into_contract()))
    }
}

impl Verdict<Fetched> {
    /// Sets whether and for how long the response is stored.
    #[must_use]
    pub fn cache_rule(self, rule: CacheRule) -> Self {
        self.effect(Effect::CacheRule(rule.into_contract()))
    }

    /// Adds the cache tags in this value, which are separated by commas or spaces. It can
    /// be a reference to a field with tags. An absent value adds none.
    #[must_use]
    pub fn tag(self, tag: impl Into<Value<Fetched>>) -> Self {
        self.effect(Effect::Tag(tag.into().into_parts()))
    }
}

impl Verdict<Missing> {
    /// Serves this path of the same target instead. The edits apply to that response. Inputs
    /// go in as in [`set_path`](Verdict::set_path).
    #[must_use]
    pub fn serve(path: impl Into<Value<Missing>>) -> Self {
        Self::of(Outcome::Serve(path.into().into_parts()))
    }
}

impl<P: WithResponse> Verdict<P> {
    /// Replaces the status, 200 to 599.
    #[must_use]
    pub fn set_status(self, status: u16) -> Self {
        self.edit(Edit::SetStatus(status))
    }
}

impl<P: PerExchange> Verdict<P> {
    /// Purges stored responses.
    #[must_use]
    pub fn purge(self, purge: Purge<P>) -> Self {
        self.effect(Effect::Purge(purge.into_contract()))
    }

    /// Counts towards a ban.
    #[must_use]
    pub fn ban(self, ban: Ban<P>) -> Self {
        self.effect(Effect::Ban(ban.into_contract()))
    }
}

/// A field as the contract has it.
pub(crate) fn header<P>(name: &str, value: Value<P>) -> types::Header {
    types::Header {
        name: name.to_owned(),
        value: value.into_parts(),
    }
}
