//! The inputs that not every policy may be told.

use super::Input;
use crate::permission::Readable;

impl Input {
    /// The part of the exchange that it tells, if that can be secret or personal.
    pub(crate) fn readable(&self) -> Option<Readable> {
        Some(match self {
            Self::Header(name) | Self::HeaderBase64(name) => Readable::Header(name.clone()),
            Self::Cookie(name) => Readable::Cookie(name.clone()),
            Self::OriginalQuery | Self::Query => Readable::Query,
            Self::QueryParameter(name)
            | Self::QueryParameterBase64(name)
            | Self::RawQueryParameter(name) => Readable::QueryParameter(name.clone()),
            Self::RawPath => Readable::RawPath,
            Self::BodyText(_) | Self::BodyBase64(_) | Self::BodyPrefix(_) => Readable::Body,
            Self::ResponseHeader(name) | Self::ResponseHeaderBase64(name) => {
                Readable::ResponseHeader(name.clone())
            }
            Self::ResponseBodyText(_)
            | Self::ResponseBodyBase64(_)
            | Self::ResponseBodyPrefix(_) => Readable::ResponseBody,
            Self::Variable(name) => Readable::Variable(name.clone()),
            Self::Lookup(lookup) => return lookup.key.readable(),
            _ => return None,
        })
    }

    /// Whether a policy that is not bundled needs a grant for it in any case. Other inputs
    /// need one only if another policy declares that they are secret.
    pub(crate) fn needs_grant(&self) -> bool {
        match self.readable() {
            None => false,
            Some(Readable::Header(_) | Readable::ResponseHeader(_)) => self.is_credential(),
            Some(_) => true,
        }
    }
}
