//! What the verdicts of a phase may do, in the words of the operator's grants.

use super::{Phase, once};
use crate::phase::{Answering, BeforeResponse, PerExchange, ResponseHead, WithHead};
use crate::{Fetched, Kind, Missing, Request};

impl<P: Kind> Phase<P> {
    /// Any permission, by its word: one that is younger than this version of the contract.
    pub fn may(&mut self, permission: &str) -> &mut Self {
        once(&mut self.phase.may, permission.to_owned());
        self
    }

    /// Verdicts may have the effect [`crate::Charge`].
    pub fn may_charge(&mut self) -> &mut Self {
        self.may("effect:charge")
    }

    fn may_field(&mut self, kind: &str, name: &str) -> &mut Self {
        let name = name.to_ascii_lowercase();
        once(&mut self.phase.may, [kind, &name].concat());
        self
    }
}

impl<P: WithHead> Phase<P> {
    /// Verdicts may set and remove this field of the head of this phase: of the request
    /// in `request`, and of the response in `fetched` and `response`. The name may end in
    /// `*`, as in `x-auth-*`. In `fetched` and `response`, `set-cookie` is also needed for
    /// that field of a reply.
    pub fn may_edit(&mut self, name: &str) -> &mut Self {
        self.may_field(P::EDIT, name)
    }
}

impl<P: BeforeResponse> Phase<P> {
    /// Verdicts may set and remove this field of the response that is finally delivered.
    /// The name may end in `*`. Replies need it for `set-cookie`.
    pub fn may_edit_response(&mut self, name: &str) -> &mut Self {
        self.may_field("edit:response-header:", name)
    }

    /// Verdicts may set the status of the response that is finally delivered.
    pub fn may_set_response_status(&mut self) -> &mut Self {
        self.may("edit:set-status")
    }
}

impl<P: ResponseHead> Phase<P> {
    /// Verdicts may set the status of the response.
    pub fn may_set_status(&mut self) -> &mut Self {
        self.may("edit:set-status")
    }
}

impl<P: Answering> Phase<P> {
    /// Verdicts may end the request with a response of the policy, or replace the
    /// response by one. The response of an effect, such as the refusal of a
    /// [`crate::Take`], needs the effect only.
    pub fn may_respond(&mut self) -> &mut Self {
        self.may("respond")
    }
}

impl<P: PerExchange> Phase<P> {
    /// Verdicts may have the effect [`crate::Purge`].
    pub fn may_purge(&mut self) -> &mut Self {
        self.may("effect:purge")
    }

    /// Verdicts may have the effect [`crate::Ban`].
    pub fn may_ban(&mut self) -> &mut Self {
        self.may("effect:ban")
    }
}

impl Phase<Request> {
    /// Verdicts may replace the path.
    pub fn may_set_path(&mut self) -> &mut Self {
        self.may("edit:set-path")
    }

    /// Verdicts may replace the query.
    pub fn may_set_query(&mut self) -> &mut Self {
        self.may("edit:set-query")
    }

    /// Verdicts may have the effect [`crate::Take`].
    pub fn may_take(&mut self) -> &mut Self {
        self.may("effect:take")
    }

    /// Verdicts may have the effect [`crate::Concurrency`].
    pub fn may_limit_concurrency(&mut self) -> &mut Self {
        self.may("effect:concurrency")
    }

    /// Verdicts may have the effect [`crate::Verify`]. Its secret is declared by
    /// [`crate::Subscription::secret`].
    pub fn may_verify(&mut self) -> &mut Self {
        self.may("effect:verify")
    }

    /// Verdicts may choose an upstream. Each one is declared by
    /// [`crate::Subscription::chooses_upstream`].
    pub fn may_choose_upstream(&mut self) -> &mut Self {
        self.may("effect:choose-upstream")
    }

    /// Verdicts may have the effect [`crate::Split`]. Each upstream is declared by
    /// [`crate::Subscription::chooses_upstream`].
    pub fn may_split(&mut self) -> &mut Self {
        self.may("effect:split")
    }

    /// Verdicts may have the effect [`crate::CacheLookup`].
    pub fn may_cache_lookup(&mut self) -> &mut Self {
        self.may("effect:cache-lookup")
    }
}

impl Phase<Fetched> {
    /// Verdicts may have the effect [`crate::CacheRule`].
    pub fn may_cache_rule(&mut self) -> &mut Self {
        self.may("effect:cache-rule")
    }

    /// Verdicts may add cache tags.
    pub fn may_cache_tag(&mut self) -> &mut Self {
        self.may("effect:cache-tag")
    }
}

impl Phase<Missing> {
    /// Verdicts may serve another path.
    pub fn may_serve(&mut self) -> &mut Self {
        self.may("serve")
    }
}
