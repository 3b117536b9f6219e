//! The statuses of the responses that are edited.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// The statuses of nginx's `add_header` without `always`.
const DEFAULT: [u64; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// `true`, `false`, or a list of statuses.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Always {
    /// The statuses in [`DEFAULT`].
    #[default]
    No,
    /// All responses, including error responses of the gateway.
    Yes,
    /// These statuses only.
    Only(Vec<u64>),
}

impl Always {
    /// Whether responses of this status are edited.
    #[must_use]
    pub fn covers(&self, status: u64) -> bool {
        match self {
            Self::No => DEFAULT.contains(&status),
            Self::Yes => true,
            Self::Only(statuses) => statuses.contains(&status),
        }
    }
}

impl<'de> Deserialize<'de> for Always {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Always;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or a list of statuses")
    }

    fn visit_bool<E>(self, always: bool) -> Result<Always, E> {
        Ok(if always { Always::Yes } else { Always::No })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Always, A::Error> {
        let mut statuses = Vec::new();
        while let Some(status) = list.next_element()? {
            statuses.push(status);
        }
        Ok(Always::Only(statuses))
    }
}
