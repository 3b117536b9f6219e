//! The properties of an input, apart from its value.

use super::Phase;

/// One row of the table of inputs. Most inputs have the properties of [`Row::new`]; a
/// row lists the differences.
pub(super) struct Row {
    /// Its name in the contract.
    pub(super) name: &'static str,
    /// The phases in which it has a value.
    pub(super) phases: &'static [Phase],
    pub(super) credential: Credential,
    /// Whether all requests with the same cache key have the same value of it.
    pub(super) is_fixed_by_cache_key: bool,
    /// Whether this version supports it.
    pub(super) is_provided: bool,
}

/// Whether an input is a credential.
pub(super) enum Credential {
    Never,
    Always,
    /// If it names one of these fields.
    Named(&'static [&'static str]),
}

impl Credential {
    pub(super) fn holds(&self, name: Option<&str>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Named(fields) => name.is_some_and(|name| fields.contains(&name)),
        }
    }
}

impl Row {
    /// An input that has a value in every phase, is no credential, and can differ between
    /// two requests with the same cache key, which is the safe assumption.
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            phases: &Phase::ALL,
            credential: Credential::Never,
            is_fixed_by_cache_key: false,
            is_provided: true,
        }
    }

    /// It describes the response.
    pub(super) const fn of_response(self) -> Self {
        const WITH_RESPONSE: &[Phase] = &[
            Phase::Fetched,
            Phase::Missing,
            Phase::Response,
            Phase::Finished,
        ];
        Self {
            phases: WITH_RESPONSE,
            ..self
        }
    }

    /// It is known only when the response is delivered.
    pub(super) const fn on_delivery(self) -> Self {
        Self {
            phases: &[Phase::Response, Phase::Finished],
            ..self
        }
    }

    /// It is known only when a response of the target arrives.
    pub(super) const fn before_storing(self) -> Self {
        Self {
            phases: &[Phase::Fetched],
            ..self
        }
    }

    /// It is known only when the exchange has ended.
    pub(super) const fn of_the_end(self) -> Self {
        Self {
            phases: &[Phase::Finished],
            ..self
        }
    }

    /// It is always a credential.
    pub(super) const fn credential(self) -> Self {
        Self {
            credential: Credential::Always,
            ..self
        }
    }

    /// It is a credential if it names one of these fields.
    pub(super) const fn credential_if(self, fields: &'static [&'static str]) -> Self {
        Self {
            credential: Credential::Named(fields),
            ..self
        }
    }

    /// All requests with the same cache key have the same value of it: it is part of the
    /// key, or of the response that is stored under it.
    pub(super) const fn fixed_by_cache_key(self) -> Self {
        Self {
            is_fixed_by_cache_key: true,
            ..self
        }
    }

    /// It is part of the contract, but not supported by this version: a policy that
    /// declares it is refused.
    pub(super) const fn not_provided_yet(self) -> Self {
        Self {
            is_provided: false,
            ..self
        }
    }
}
