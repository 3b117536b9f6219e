//! Which spellings of a path a site refuses, of requests and of what policies make of them.

use janua_http::failure::Kind;
use janua_http::{EncodedSlash, Failure, HiddenDots, Spelling};

/// What a site refuses in paths, because upstreams differ in how they read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathRules {
    pub(crate) encoded_slash: EncodedSlash,
    pub(crate) hidden_dots: HiddenDots,
}

impl PathRules {
    /// Checks the spelling of a path, that of a request (`Kind::BadRequest`) or one that a
    /// policy makes of a request (`Kind::PolicyInput`).
    ///
    /// # Errors
    /// The site refuses it.
    pub(crate) fn check(self, spelling: Spelling, kind: Kind) -> Result<(), Failure> {
        if spelling.has_encoded_slash && self.encoded_slash == EncodedSlash::Refuse {
            return Err(Failure::with(kind, "path has an encoded slash"));
        }
        if spelling.has_hidden_dots && self.hidden_dots == HiddenDots::Refuse {
            return Err(Failure::with(
                kind,
                "path hides a dot segment beside %2F, %5C or `;`",
            ));
        }
        Ok(())
    }
}
