//! The words for what a policy may know and do. A component declares them, and the
//! operator grants them (`wit/README.md`, Permissions).

use std::fmt;

use crate::rules;

/// What a policy may know or do. Ordered, for lists that are printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Permission {
    /// To be told a part of the exchange.
    Read(Readable),
    /// To edit this field of the request.
    EditHeader(FieldPattern),
    /// To edit this field of the response.
    EditResponseHeader(FieldPattern),
    /// To replace the path.
    SetPath,
    /// To replace the query.
    SetQuery,
    /// To replace the status of the response.
    SetStatus,
    /// To answer instead of the target.
    Respond,
    /// To serve another path.
    Serve,
    /// To use this effect.
    Effect(&'static str),
    /// To call or choose something of the operator's by its name.
    Use(Resource, Box<str>),
    /// To keep state.
    KeyValue,
}

/// A part of an exchange that not every policy may be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Readable {
    /// A request field.
    Header(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
    /// The whole query.
    Query,
    /// A parameter of the query.
    QueryParameter(Box<str>),
    /// The path as it was sent.
    RawPath,
    /// The body of the request.
    Body,
    /// A response field.
    ResponseHeader(Box<str>),
    /// The body of the response.
    ResponseBody,
    /// A variable, as `policy.name`.
    Variable(Box<str>),
}

impl Readable {
    /// Whether one of them contains the other.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::Query, Self::QueryParameter(_)) | (Self::QueryParameter(_), Self::Query)
            )
    }
}

/// A kind of thing that the operator configures and a policy uses by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Resource {
    Secret,
    Dataset,
    /// An upstream to send requests to.
    Outbound,
    /// An upstream to choose.
    Upstream,
}

/// The name of a field in lower case, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPattern {
    name: Box<str>,
    is_prefix: bool,
}

/// The effects of the contract, in its order, and whether this version carries them out.
const EFFECTS: [(&str, bool); 11] = [
    ("take", true),
    ("charge", true),
    ("concurrency", true),
    ("verify", false),
    ("choose-upstream", true),
    ("split", true),
    ("cache-lookup", true),
    ("cache-rule", true),
    ("cache-tag", true),
    ("purge", true),
    ("ban", false),
];

impl Permission {
    /// Reads a word such as `edit:header:x-user`. `None` if there is no such word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (kind, rest) = word.split_once(':').unwrap_or((word, ""));
        let named = || Some(rest).filter(|rest| !rest.is_empty()).map(Box::from);
        Some(match (kind, rest) {
            ("respond", "") if word == kind => Self::Respond,
            ("serve", "") if word == kind => Self::Serve,
            ("key-value", "") if word == kind => Self::KeyValue,
            ("input", _) => Self::Read(Readable::parse(rest)?),
            ("edit", "set-path") => Self::SetPath,
            ("edit", "set-query") => Self::SetQuery,
            ("edit", "set-status") => Self::SetStatus,
            ("edit", _) => match rest.split_once(':')? {
                ("header", name) => Self::EditHeader(FieldPattern::parse(name)?),
                ("response-header", name) => Self::EditResponseHeader(FieldPattern::parse(name)?),
                _ => return None,
            },
            ("effect", _) => Self::Effect(EFFECTS.iter().find(|(name, _)| *name == rest)?.0),
            ("secret", _) => Self::Use(Resource::Secret, named()?),
            ("dataset", _) => Self::Use(Resource::Dataset, named()?),
            ("outbound", _) => Self::Use(Resource::Outbound, named()?),
            ("upstream", _) => Self::Use(Resource::Upstream, named()?),
            _ => return None,
        })
    }

    /// Whether this version can give what the word stands for.
    pub(crate) fn is_supported(&self) -> bool {
        match self {
            Self::Effect(effect) => EFFECTS
                .iter()
                .any(|(name, is_supported)| name == effect && *is_supported),
            Self::Use(Resource::Secret | Resource::Dataset | Resource::Upstream, _) => true,
            Self::Use(Resource::Outbound, _) | Self::KeyValue => false,
            Self::Read(Readable::Body | Readable::ResponseBody) => false,
            _ => true,
        }
    }

    /// Whether a policy that has this permission needs no other one for `wanted`.
    pub(crate) fn covers(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::EditHeader(granted), Self::EditHeader(wanted))
            | (Self::EditResponseHeader(granted), Self::EditResponseHeader(wanted)) => {
                granted.covers(wanted)
            }
            (Self::Read(granted), Self::Read(wanted)) => granted.covers(wanted),
            _ => self == wanted,
        }
    }
}

impl Readable {
    fn parse(word: &str) -> Option<Self> {
        let (kind, name) = word.split_once(':').unwrap_or((word, ""));
        let field = || rules::field_name_to_read(name).ok();
        let named = || Some(name).filter(|name| !name.is_empty()).map(Box::from);
        Some(match kind {
            "header" => Self::Header(field()?),
            "response-header" => Self::ResponseHeader(field()?),
            "cookie" => Self::Cookie(named()?),
            "query-parameter" => Self::QueryParameter(named()?),
            "variable" => Self::Variable(named()?),
            _ if word != kind => return None,
            "query" => Self::Query,
            "raw-path" => Self::RawPath,
            "body" => Self::Body,
            "response-body" => Self::ResponseBody,
            _ => return None,
        })
    }

    /// Who may read the whole may read a part of it.
    fn covers(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Header(name), Self::Cookie(_)) => &**name == "cookie",
            (Self::Query, Self::QueryParameter(_)) => true,
            _ => self == wanted,
        }
    }
}

impl FieldPattern {
    /// Reads a field name, which may end in `*`. `None` if it is no token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        // A star is valid in the name of a field, but nobody would mean it.
        if name.contains('*') {
            return None;
        }
        let is_everything = is_prefix && name.is_empty();
        let name = match is_everything {
            true => Box::default(),
            false => rules::field_name_to_read(name).ok()?,
        };
        Some(Self { name, is_prefix })
    }

    /// Whether it stands for this field, whose name is in lower case.
    pub fn matches(&self, name: &str) -> bool {
        match self.is_prefix {
            true => name.starts_with(&*self.name),
            false => *self.name == *name,
        }
    }

    /// Whether it stands for this field, whose name may be in any case.
    pub fn matches_line(&self, name: &[u8]) -> bool {
        let beginning = match self.is_prefix {
            true => name.get(..self.name.len()),
            false => Some(name),
        };
        beginning.is_some_and(|name| name.eq_ignore_ascii_case(self.name.as_bytes()))
    }

    /// The name, if it stands for one field only.
    pub fn exact(&self) -> Option<&str> {
        (!self.is_prefix).then_some(&*self.name)
    }

    fn covers(&self, other: &Self) -> bool {
        match other.is_prefix {
            true => self.is_prefix && other.name.starts_with(&*self.name),
            false => self.matches(&other.name),
        }
    }
}

impl fmt::Display for FieldPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        f.write_str(if self.is_prefix { "*" } else { "" })
    }
}

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Query => f.write_str("query"),
            Self::QueryParameter(name) => write!(f, "query-parameter:{name}"),
            Self::RawPath => f.write_str("raw-path"),
            Self::Body => f.write_str("body"),
            Self::ResponseHeader(name) => write!(f, "response-header:{name}"),
            Self::ResponseBody => f.write_str("response-body"),
            Self::Variable(name) => write!(f, "variable:{name}"),
        }
    }
}

/// As it is written in a declaration and among the grants.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(what) => write!(f, "input:{what}"),
            Self::EditHeader(field) => write!(f, "edit:header:{field}"),
            Self::EditResponseHeader(field) => write!(f, "edit:response-header:{field}"),
            Self::SetPath => f.write_str("edit:set-path"),
            Self::SetQuery => f.write_str("edit:set-query"),
            Self::SetStatus => f.write_str("edit:set-status"),
            Self::Respond => f.write_str("respond"),
            Self::Serve => f.write_str("serve"),
            Self::Effect(name) => write!(f, "effect:{name}"),
            Self::Use(Resource::Secret, name) => write!(f, "secret:{name}"),
            Self::Use(Resource::Dataset, name) => write!(f, "dataset:{name}"),
            Self::Use(Resource::Outbound, name) => write!(f, "outbound:{name}"),
            Self::Use(Resource::Upstream, name) => write!(f, "upstream:{name}"),
            Self::KeyValue => f.write_str("key-value"),
        }
    }
}

#[cfg(test)]
mod tests;
