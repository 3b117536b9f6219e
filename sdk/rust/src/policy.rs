//! The trait that a policy implements.

use serde::de::DeserializeOwned;

use crate::{
    Description, Fetched, Finished, Inputs, Missing, Request, Response, Subscription, Verdict,
};

/// A policy: its configuration, its inputs, and its verdict in each phase.
///
/// One instance can hold many configurations, each a value of this type. Do not keep
/// state in statics: the gateway may discard an instance at any time.
pub trait Policy: Sized + 'static {
    /// The configuration. Derive [`serde::Deserialize`] with
    /// `deny_unknown_fields`, so that a misspelt field is an error.
    type Config: DeserializeOwned;

    /// Creates the policy from a configuration and declares, for each phase, its inputs
    /// and what its verdicts may do.
    ///
    /// # Errors
    /// What is wrong with the configuration and what to write instead. The operator gets
    /// the message with the file and line of the policy's use.
    fn new(config: Self::Config, subscription: &mut Subscription) -> Result<Self, String>;

    /// The verdict on a request. Called only if the phase is subscribed to.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let _ = inputs;
        Err(not_written("on_request"))
    }

    /// The verdict on a response of the target, before the cache stores it. The stored
    /// response has its edits.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_fetched(&self, inputs: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        let _ = inputs;
        Err(not_written("on_fetched"))
    }

    /// The verdict when the target does not have the resource. Its response edits apply to
    /// whatever is served instead, or to the 404.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_missing(&self, inputs: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        let _ = inputs;
        Err(not_written("on_missing"))
    }

    /// The verdict on a response before it is delivered.
    ///
    /// # Errors
    /// A failure of the policy; `on_error` decides about the request.
    fn on_response(&self, inputs: &Inputs<Response>) -> Result<Verdict<Response>, String> {
        let _ = inputs;
        Err(not_written("on_response"))
    }

    /// The verdict after the last byte of the response. The client does not wait for it.
    ///
    /// # Errors
    /// A failure of the policy, which is only logged.
    fn on_finished(&self, inputs: &Inputs<Finished>) -> Result<Verdict<Finished>, String> {
        let _ = inputs;
        Err(not_written("on_finished"))
    }
}

/// A component's description of itself. [`export!`](crate::export) implements it.
pub trait Described {
    /// Name, version, summary, and the JSON Schema of the configuration.
    fn describe() -> Description;
}

fn not_written(hook: &str) -> String {
    format!("the policy subscribes to a phase but does not implement {hook}")
}

/// Exports a policy from its component.
///
/// `export!(MyPolicy)` takes name, version and summary from `Cargo.toml`.
/// `export!(MyPolicy, name = "my-policy", schema = include_str!("../schema.json"))`
/// sets another name and the JSON Schema of the configuration. A last `more = [...]` adds
/// properties that are younger than this version of the contract, each a
/// [`NamedConstant`](crate::NamedConstant). All three are optional.
/// In native builds it only implements [`Described`].
#[macro_export]
macro_rules! export {
    (@or $default:expr;) => {
        $default
    };
    (@or $default:expr; $given:expr) => {
        $given
    };
    (
        $policy:ty
        $(, name = $name:expr)?
        $(, schema = $schema:expr)?
        $(, more = [$($more:expr),* $(,)?])?
        $(,)?
    ) => {
        impl $crate::Described for $policy {
            fn describe() -> $crate::Description {
                $crate::Description {
                    name: $crate::export!(@or env!("CARGO_PKG_NAME"); $($name)?).into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    summary: env!("CARGO_PKG_DESCRIPTION").into(),
                    config_schema: $crate::export!(@or None; $(Some($schema.into()))?),
                    more: vec![$($($crate::NamedConstant::into_contract($more)),*)?],
                }
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the symbols that the component model requires")]
        const _: () = {
            type Exported = $crate::Component<$policy>;
            $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        };
    };
}

#[cfg(test)]
mod tests {
    use crate::{Described, NamedConstant};

    struct Plain;
    crate::export!(Plain);

    struct Named;
    crate::export!(
        Named,
        name = "named",
        schema = "{}",
        more = [NamedConstant::new("homepage").text("url", "https://a.example/")],
    );

    #[test]
    fn descriptions() {
        let plain = Plain::describe();
        assert_eq!(plain.name, env!("CARGO_PKG_NAME"));
        assert_eq!((plain.config_schema, plain.more.len()), (None, 0));
        let named = Named::describe();
        assert_eq!(named.name, "named");
        assert_eq!(named.config_schema.as_deref(), Some("{}"));
        assert_eq!(named.more[0].name, "homepage");
    }
}
