//! What a policy decides, built up step by step.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types::{self, Edit, Effect, Outcome, Reuse};
use crate::effect::{Ban, CacheLookup, CacheRule, Purge, Take, Verify};
use crate::phase::{AtTheEdge, WithResponse};
use crate::{Fetched, Kind, Missing, Reply, Request, Value};

/// A verdict of phase `P`. Not reused unless it says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<P> {
    verdict: types::Verdict,
    kind: PhantomData<P>,
}

impl<P: Kind> Verdict<P> {
    /// Goes on.
    #[must_use]
    pub fn proceed() -> Self {
        Self::of(Outcome::Proceed)
    }

    /// Ends here with this response. In the phases `fetched` and `response`
    /// it replaces the response.
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

    /// Replaces every line of this name by one. An absent value removes the field.
    #[must_use]
    pub fn set_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::SetHeader(header))
    }

    /// Adds a line. An absent value does nothing.
    #[must_use]
    pub fn append_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::AppendHeader(header))
    }

    /// Adds a line if there is no such field yet.
    #[must_use]
    pub fn default_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::DefaultHeader(header))
    }

    /// Removes every line of this name.
    #[must_use]
    pub fn remove_header(self, name: &str) -> Self {
        self.edit(Edit::RemoveHeader(name.to_owned()))
    }

    /// The same inputs give the same verdict until the configuration, the
    /// component or a secret changes: the gateway need not ask again.
    #[must_use]
    pub fn until_reload(mut self) -> Self {
        self.verdict.reuse = Reuse::UntilReload;
        self
    }

    /// The same inputs give the same verdict for this many seconds.
    #[must_use]
    pub fn for_seconds(mut self, seconds: u32) -> Self {
        self.verdict.reuse = Reuse::Seconds(seconds);
        self
    }

    /// A short word for the access log and `explain`, said each time, also
    /// when the verdict is reused.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.verdict.note = Some(note.into());
        self
    }

    /// In the words of the contract.
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
    /// Replaces the path; it is normalised again. Does not re-route.
    #[must_use]
    pub fn set_path(self, path: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetPath(path.into().into_parts()))
    }

    /// Replaces the query, without `?`; absent removes it.
    #[must_use]
    pub fn set_query(self, query: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetQuery(query.into().into_parts()))
    }

    /// Takes tokens from a bucket, or answers with its refusal.
    #[must_use]
    pub fn take(self, take: Take) -> Self {
        self.effect(Effect::Take(take.into_contract()))
    }

    /// Checks a signature, or answers with its refusal.
    #[must_use]
    pub fn verify(self, verify: Verify) -> Self {
        self.effect(Effect::Verify(verify.into_contract()))
    }

    /// Chooses the upstream by its configured name.
    #[must_use]
    pub fn choose_upstream(self, name: &str) -> Self {
        self.effect(Effect::ChooseUpstream(name.to_owned()))
    }

    /// Says how the response is found in the cache.
    #[must_use]
    pub fn cache_lookup(self, lookup: CacheLookup) -> Self {
        self.effect(Effect::CacheLookup(lookup.into_contract()))
    }
}

impl Verdict<Fetched> {
    /// Says what the cache does with the response.
    #[must_use]
    pub fn cache_rule(self, rule: CacheRule) -> Self {
        self.effect(Effect::CacheRule(rule.into_contract()))
    }

    /// Adds a cache tag. An absent value adds none; one with commas or spaces
    /// adds several, so a reference to a field of tags will do.
    #[must_use]
    pub fn tag(self, tag: impl Into<Value<Fetched>>) -> Self {
        self.effect(Effect::Tag(tag.into().into_parts()))
    }
}

impl Verdict<Missing> {
    /// Serves this path of the same target instead. The edits are of the
    /// response that is then served.
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

impl<P: AtTheEdge> Verdict<P> {
    /// Purges from the cache.
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

/// A field of the contract.
pub(crate) fn header<P>(name: &str, value: Value<P>) -> types::Header {
    types::Header {
        name: name.to_owned(),
        value: value.into_parts(),
    }
}
