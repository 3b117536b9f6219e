//! What ties a request to an endpoint: the value that its upstream balances by, and the session
//! that a cookie names.

use std::hash::Hasher as _;

use janua_upstream::{Affinity, Key};
use janua_wasm::{Facts as _, Input};
use siphasher::sip::SipHasher13;

use crate::exchange::Exchange;
use crate::snapshot::{BalancedBy, Forwarding};

/// What a hash of a value is for. The choices for different purposes do not depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The choice of an endpoint.
    Balance,
}

/// What ties a request to an endpoint of an upstream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tie {
    pub(crate) affinity: Affinity,
    /// The client has a cookie for the session, which need not be written anew.
    pub(crate) has_cookie: bool,
}

impl Tie {
    /// Without the session, whose endpoint may be no longer there.
    pub(crate) fn without_session(self) -> Self {
        let affinity = Affinity {
            session: None,
            ..self.affinity
        };
        Self {
            affinity,
            has_cookie: false,
        }
    }

    /// The client is to be given a cookie for this endpoint, which has answered.
    pub(crate) fn needs_cookie(&self, endpoint: usize) -> bool {
        !self.has_cookie || self.affinity.session != Some(endpoint)
    }
}

/// What ties a request to an endpoint of this upstream.
pub(crate) fn of(exchange: &Exchange, forwarding: &Forwarding) -> Tie {
    let key = match &forwarding.balanced_by {
        None => Key::None,
        Some(BalancedBy::Client) => {
            Key::Client(exchange.origin.client.unwrap_or(exchange.peer.address))
        }
        Some(BalancedBy::Input(input)) => {
            hash(exchange, input, Purpose::Balance).map_or(Key::None, Key::Hash)
        }
    };
    let session = forwarding.sticky.as_ref().and_then(|sticky| {
        let cookies = exchange.heads.request.fields.get_all(b"cookie");
        sticky.session(cookies, exchange.now.unix_ms / 1000)
    });
    Tie {
        affinity: Affinity {
            key,
            session: session.map(|session| session.endpoint),
        },
        has_cookie: session.is_some_and(|session| !session.is_ending),
    }
}

/// The hash of a value of the request; none if the request has no such value, or an empty one. It
/// is the same in every process.
pub(crate) fn hash(exchange: &Exchange, input: &Input, purpose: Purpose) -> Option<u64> {
    let mut value = Vec::new();
    exchange.view(None).input(input, &mut value);
    (!value.is_empty()).then(|| {
        let mut hasher = SipHasher13::new_with_keys(purpose as u64, 0);
        hasher.write(&value);
        hasher.finish()
    })
}
