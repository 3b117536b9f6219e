//! One condition of a rule, with the input that it reads.

use janua_sdk::{
    Inputs, Kind, Number, Optional, PathPattern, Phase, Presence, Slot, Text, input_named,
};

use crate::at;
use crate::media_type::MediaType;
use crate::status::Statuses;

/// Met if one entry of the list matches.
#[derive(Debug)]
pub(crate) enum Condition<P> {
    Path(Slot<P, Text>, Vec<PathPattern>),
    Extension(Slot<P, Optional>, Vec<String>),
    Type(Slot<P, Optional>, Vec<MediaType>),
    Status(Slot<P, Number>, Vec<Statuses>),
    Method(Slot<P, Text>, Vec<String>),
    Present(Vec<Slot<P, Presence>>),
}

impl<P: Kind> Condition<P> {
    pub(crate) fn holds(&self, inputs: &Inputs<P>) -> bool {
        match self {
            Self::Path(path, patterns) => {
                let path = inputs.get(*path);
                patterns.iter().any(|pattern| pattern.matches(path))
            }
            Self::Extension(extension, known) => {
                let extension = inputs.get(*extension).unwrap_or_default();
                known.iter().any(|known| known == extension)
            }
            Self::Type(content_type, types) => inputs
                .get(*content_type)
                .is_some_and(|value| types.iter().any(|known| known.has(value))),
            Self::Status(status, statuses) => {
                let status = inputs.get(*status);
                statuses.iter().any(|known| known.has(status))
            }
            Self::Method(method, methods) => {
                let method = inputs.get(*method);
                methods.iter().any(|known| known == method)
            }
            Self::Present(slots) => slots.iter().any(|slot| inputs.get(*slot)),
        }
    }

    /// The request must have one of these cookies.
    pub(crate) fn cookies(phase: &mut Phase<P>, names: &[String]) -> Result<Self, String> {
        let slot = |name: &String| cookie_name(name).map(|()| phase.cookie_present(name));
        names
            .iter()
            .map(slot)
            .collect::<Result<_, _>>()
            .map(Self::Present)
    }

    /// The request must have one of these fields.
    pub(crate) fn headers(phase: &mut Phase<P>, names: &[String]) -> Result<Self, String> {
        let slot = |name: &String| {
            input_named(&["header:", name].concat()).map(|_| phase.header_present(name))
        };
        names
            .iter()
            .map(slot)
            .collect::<Result<_, _>>()
            .map(Self::Present)
    }
}

/// Checks that a condition has entries. Without any it would never be met.
pub(crate) fn entries<T>(field: &str, list: Vec<T>) -> Result<Vec<T>, String> {
    match list.is_empty() {
        true => Err(at(field, "an empty list matches nothing; leave it out")),
        false => Ok(list),
    }
}

/// Checks the name of a cookie (RFC 6265 §4.1.1).
pub(crate) fn cookie_name(name: &str) -> Result<(), String> {
    match janua_sdk::syntax::is_token(name) {
        true => Ok(()),
        false => Err(["\"", name, "\" is not the name of a cookie"].concat()),
    }
}
