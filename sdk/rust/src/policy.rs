//! What an author writes.

use serde::de::DeserializeOwned;

use crate::{Description, Fetched, Inputs, Missing, Request, Response, Subscription, Verdict};

/// A policy: a configuration, what it asks for, and a verdict in each phase.
///
/// Many configurations live in one instance, each a value of this type, and
/// an instance may be thrown away at any time: keep nothing in statics that
/// must last.
pub trait Policy: Sized + 'static {
    /// The configuration. Derive [`serde::Deserialize`] with
    /// `deny_unknown_fields`, so that a misspelt field is an error.
    type Config: DeserializeOwned;

    /// Reads a configuration and declares what it needs in each phase.
    ///
    /// # Errors
    /// What is wrong with the configuration and what to write instead. It
    /// reaches the operator with the file and the line of the use.
    fn new(config: Self::Config, subscription: &mut Subscription) -> Result<Self, String>;

    /// The verdict on a request. Called only if the phase was asked for.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let _ = inputs;
        Err(not_written("on_request"))
    }

    /// The verdict on an answer of the target, before the cache stores it.
    /// Its edits are stored.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_fetched(&self, inputs: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        let _ = inputs;
        Err(not_written("on_fetched"))
    }

    /// The verdict when the target has no such thing. Its edits are of the
    /// response: of what it says to serve, or of the 404.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_missing(&self, inputs: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        let _ = inputs;
        Err(not_written("on_missing"))
    }

    /// The verdict on a delivery.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_response(&self, inputs: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        let _ = inputs;
        Err(not_written("on_response"))
    }
}

/// What a component says of itself. Written by [`export!`](crate::export).
pub trait Described {
    /// Name, version, summary, and the JSON Schema of the configuration.
    fn describe() -> Description;
}

fn not_written(hook: &str) -> String {
    format!("the policy asks for a phase but has no {hook}")
}

/// Makes a component of a policy.
///
/// `export!(MyPolicy)` takes name, version and summary from `Cargo.toml`;
/// `export!(MyPolicy, name = "my-policy", schema = include_str!("../schema.json"))`
/// gives another name and the JSON Schema of the configuration. Either part
/// may be left out. Natively only [`Described`] is implemented.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        $crate::export!(@ $policy, env!("CARGO_PKG_NAME"), None);
    };
    ($policy:ty, name = $name:expr) => {
        $crate::export!(@ $policy, $name, None);
    };
    ($policy:ty, schema = $schema:expr) => {
        $crate::export!(@ $policy, env!("CARGO_PKG_NAME"), Some($schema.into()));
    };
    ($policy:ty, name = $name:expr, schema = $schema:expr) => {
        $crate::export!(@ $policy, $name, Some($schema.into()));
    };
    (@ $policy:ty, $name:expr, $schema:expr) => {
        impl $crate::Described for $policy {
            fn describe() -> $crate::Description {
                $crate::Description {
                    name: $name.into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    summary: env!("CARGO_PKG_DESCRIPTION").into(),
                    config_schema: $schema,
                }
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the symbols that the component model asks for")]
        const _: () = {
            type Exported = $crate::Component<$policy>;
            $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        };
    };
}
