//! Verdicts: the decisions of a policy.

mod edits;
mod effects;

use std::marker::PhantomData;

use crate::bindings::janua::policy::values;
use crate::bindings::janua::policy::verdicts::{self, Annotation, Outcome, Reuse};
use crate::phase::Answering;
use crate::{Kind, Missing, Named, NamedConstant, Reply, Value};

/// A verdict in phase `P`. It is not reused unless [`until_reload`](Self::until_reload),
/// [`for_seconds`](Self::for_seconds) or [`until`](Self::until) is called.
///
/// What it does must be declared: see [`crate::Phase`].
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<P> {
    verdict: verdicts::Verdict,
    kind: PhantomData<P>,
}

impl<P: Kind> Verdict<P> {
    /// The exchange continues.
    #[must_use]
    pub fn proceed() -> Self {
        Self::of(Outcome::Proceed)
    }

    /// An outcome that is younger than this version of the contract.
    #[must_use]
    pub fn named(outcome: Named<P>) -> Self {
        Self::of(Outcome::Named(outcome.into_contract()))
    }

    fn of(outcome: Outcome) -> Self {
        Self {
            verdict: verdicts::Verdict {
                outcome,
                edits: Vec::new(),
                response_edits: Vec::new(),
                effects: Vec::new(),
                reuse: Reuse::Never,
                annotations: Vec::new(),
            },
            kind: PhantomData,
        }
    }

    /// Allows the gateway to reuse the verdict for the same inputs until the
    /// configuration, the component, or a secret or dataset that it used changes.
    #[must_use]
    pub fn until_reload(self) -> Self {
        self.reuse(Reuse::UntilReload)
    }

    /// Allows the gateway to reuse the verdict for the same inputs for this many seconds.
    #[must_use]
    pub fn for_seconds(self, seconds: u32) -> Self {
        self.reuse(Reuse::Seconds(seconds))
    }

    /// Allows the gateway to reuse the verdict for the same inputs until this moment, in
    /// Unix seconds: for example the expiry of a token.
    #[must_use]
    pub fn until(self, moment: u64) -> Self {
        self.reuse(Reuse::Until(moment))
    }

    /// A rule of reuse that is younger than this version of the contract.
    #[must_use]
    pub fn reuse_named(self, rule: NamedConstant) -> Self {
        self.reuse(Reuse::Named(rule.into_contract()))
    }

    /// A word for the access log, written also when the verdict is reused. The name has
    /// lower-case letters, digits, `-`, `_` and `.`. The value must not contain a secret.
    #[must_use]
    pub fn annotate(mut self, name: &str, value: impl Into<Value<P>>) -> Self {
        self.verdict.annotations.push(Annotation {
            name: name.to_owned(),
            value: value.into().into_parts(),
        });
        self
    }

    /// The annotation `note`: the reason for the verdict, in a word.
    #[must_use]
    pub fn note(self, note: impl Into<Value<P>>) -> Self {
        self.annotate("note", note)
    }

    /// Converts it to the type of the contract.
    #[must_use]
    pub fn into_contract(self) -> verdicts::Verdict {
        self.verdict
    }

    /// For verdicts that the methods here do not allow.
    #[cfg(test)]
    pub(crate) fn verdict_mut(&mut self) -> &mut verdicts::Verdict {
        &mut self.verdict
    }

    fn reuse(mut self, reuse: Reuse) -> Self {
        self.verdict.reuse = reuse;
        self
    }
}

impl<P: Answering> Verdict<P> {
    /// Ends the request with this response. In the phases `fetched` and `response` it
    /// replaces the response.
    #[must_use]
    pub fn respond(reply: Reply<P>) -> Self {
        Self::of(Outcome::Respond(reply.into_contract()))
    }
}

impl Verdict<Missing> {
    /// Serves this path of the same target instead. Inputs and references other than the
    /// path become one segment of it.
    #[must_use]
    pub fn serve(path: impl Into<Value<Missing>>) -> Self {
        Self::of(Outcome::Serve(path.into().into_parts()))
    }
}

/// A field as the contract has it.
pub(crate) fn header<P>(name: &str, value: Value<P>) -> values::Header {
    values::Header {
        name: name.to_owned(),
        value: value.into_parts(),
    }
}
