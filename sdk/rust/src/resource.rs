//! What belongs to the operator and is named in a policy's configuration: secrets,
//! datasets and upstreams.

use serde::de::{Deserialize, Deserializer, Error};

use crate::bindings::janua::policy::subscriptions::{self, Input};
use crate::input::Reference;

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident, $word:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name(String);

            impl $name {
                /// Its name, as the functions of the contract expect it.
                #[must_use]
                pub fn name(&self) -> &str {
                    &self.0
                }
            }

            impl AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    &self.0
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    named($word, deserializer).map(Self)
                }
            }
        )*
    };
}

resources! {
    /// A secret in a configuration. The policy has only its name: the gateway uses the
    /// secret in its place. In the schema, its text has `"format": "secret"`; where the
    /// operator writes a file or a variable instead of a name, the gateway makes a name.
    /// Declare it with [`crate::Subscription::secret`].
    Secret, "secret";
    /// A dataset in a configuration (`"format": "dataset"` in the schema). A [`Lookup`]
    /// needs no further declaration; calls of [`crate::datasets`] need
    /// [`crate::Subscription::dataset`].
    Dataset, "dataset";
    /// An upstream in a configuration (`"format": "upstream"` in the schema). Declare it
    /// with [`crate::Subscription::chooses_upstream`] or
    /// [`calls_upstream`](crate::Subscription::calls_upstream).
    Upstream, "upstream";
}

fn named<'de, D: Deserializer<'de>>(kind: &str, deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.is_empty() {
        true => Err(D::Error::custom(["write the name of a ", kind].concat())),
        false => Ok(name),
    }
}

/// The input or reference that looks a key up in a dataset, in phase `P`.
///
/// ```
/// # use janua_sdk::{Dataset, Input, Lookup, Reference, Request, Slot, Subscription};
/// # fn country(places: &Dataset, subscription: &mut Subscription) -> Slot<Request> {
/// let request = subscription.request();
/// let client = request.reference(Input::ClientIp);
/// request.input(Lookup::new(places, client).member("country.iso_code"))
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup<P> {
    lookup: subscriptions::Lookup,
    kind: std::marker::PhantomData<P>,
}

impl<P> Lookup<P> {
    /// Looks up the value of a reference, which must not be a look-up itself.
    #[must_use]
    pub fn new(dataset: &Dataset, key: Reference<P>) -> Self {
        Self {
            lookup: subscriptions::Lookup {
                dataset: dataset.0.clone(),
                key: key.position,
                member: String::new(),
            },
            kind: std::marker::PhantomData,
        }
    }

    /// The member of a record, for a dataset of records.
    #[must_use]
    pub fn member(mut self, member: &str) -> Self {
        member.clone_into(&mut self.lookup.member);
        self
    }
}

impl<P> From<Lookup<P>> for Input {
    fn from(lookup: Lookup<P>) -> Self {
        Self::Lookup(lookup.lookup)
    }
}
