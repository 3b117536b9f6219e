//! The check of a signature.

use crate::bindings::janua::policy::effects;
use crate::{Encoding, Reply, Request, Value};

/// Verifies a signature with a secret that is not passed to the policy. Requires
/// [`may_verify`](crate::Phase::may_verify) and [`crate::Subscription::secret`].
#[derive(Clone, Debug, PartialEq)]
pub struct Verify(effects::Verify);

impl Verify {
    /// Verifies that `signature`, in hexadecimal, is the signature of `message`. The
    /// refusal is a 401. The algorithm is named as in [`crate::signatures`], for example
    /// `HS256`. The message may contain the slot of [`crate::Phase::body`], which stands
    /// for the bytes of the body.
    #[must_use]
    pub fn new(
        secret: impl AsRef<str>,
        algorithm: &str,
        message: impl Into<Value<Request>>,
        signature: impl Into<Value<Request>>,
    ) -> Self {
        Self(effects::Verify {
            secret: secret.as_ref().to_owned(),
            algorithm: algorithm.to_owned(),
            message: message.into().into_parts(),
            signature: signature.into().into_parts(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            otherwise: Reply::<Request>::new(401).into_contract(),
        })
    }

    /// The encoding of the signature, and the prefix in front of it.
    #[must_use]
    pub fn written(mut self, encoding: Encoding, prefix: &str) -> Self {
        self.0.encoding = encoding;
        prefix.clone_into(&mut self.0.prefix);
        self
    }

    /// The response if the signature is not valid.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply<Request>) -> Self {
        self.0.otherwise = reply.into_contract();
        self
    }

    pub(crate) fn into_contract(self) -> effects::Verify {
        self.0
    }
}
