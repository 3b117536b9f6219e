//! The declaration of a policy, made while it is configured: its phases, the inputs of
//! each, and all that its verdicts may do.

mod input;
mod may;
mod phase;

use crate::bindings::janua::policy::{subscriptions, values};
use crate::{Fetched, Finished, Kind, Missing, NamedConstant, Request, Response};
pub use phase::Phase;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use phase::unknown_in;

/// The maximum number of inputs, and of references, in one phase; and of fields that a
/// policy owns, and of variables.
const LIMIT: usize = 32;
/// The maximum number of permissions in one phase, and of names that a policy uses.
const PERMISSIONS: usize = 64;

/// The declaration of a policy. The operator's grants are compared with it, and a verdict
/// outside of it is not carried out.
///
/// Each method named after a phase subscribes to it.
#[derive(Debug, Default)]
pub struct Subscription {
    request: Option<Phase<Request>>,
    fetched: Option<Phase<Fetched>>,
    missing: Option<Phase<Missing>>,
    response: Option<Phase<Response>>,
    finished: Option<Phase<Finished>>,
    owns: Vec<String>,
    variables: Vec<String>,
    uses: Vec<String>,
    more: Vec<values::NamedConstant>,
}

impl Subscription {
    /// Subscribes to the phase `request`: once for each request, before the cache.
    pub fn request(&mut self) -> &mut Phase<Request> {
        self.request.get_or_insert_with(Phase::new)
    }

    /// Subscribes to the phase `fetched`: once for each response of the target (a
    /// response or revalidation of an upstream, or a file), before the cache stores it.
    pub fn fetched(&mut self) -> &mut Phase<Fetched> {
        self.fetched.get_or_insert_with(Phase::new)
    }

    /// Subscribes to the phase `missing`: when the target does not have the resource (no
    /// file, or an upstream's 404 if the route has `missing = true`).
    pub fn missing(&mut self) -> &mut Phase<Missing> {
        self.missing.get_or_insert_with(Phase::new)
    }

    /// Subscribes to the phase `response`: before each response is delivered.
    pub fn response(&mut self) -> &mut Phase<Response> {
        self.response.get_or_insert_with(Phase::new)
    }

    /// Subscribes to the phase `finished`: after the last byte of the response.
    pub fn finished(&mut self) -> &mut Phase<Finished> {
        self.finished.get_or_insert_with(Phase::new)
    }

    /// Only this policy may state this request field, such as the user that it
    /// authenticated; the name may end in `*`. The gateway removes the field from every
    /// request of a client before any policy runs. The policy may set it without
    /// [`may_edit`](Phase::may_edit).
    pub fn owns(&mut self, field: &str) -> &mut Self {
        once(&mut self.owns, field.to_ascii_lowercase());
        self
    }

    /// Verdicts may set this variable of the policy: lower-case letters, digits, `-` and
    /// `_`.
    pub fn variable(&mut self, name: &str) -> &mut Self {
        once(&mut self.variables, name.to_owned());
        self
    }

    /// The policy uses this secret: in a [`crate::Verify`], or with [`crate::signatures`],
    /// [`crate::seal`] or [`crate::passwords`].
    pub fn secret(&mut self, name: impl AsRef<str>) -> &mut Self {
        self.uses("secret:", name.as_ref())
    }

    /// The policy looks keys up in this dataset, with [`crate::datasets`].
    pub fn dataset(&mut self, name: impl AsRef<str>) -> &mut Self {
        self.uses("dataset:", name.as_ref())
    }

    /// The policy sends requests to this upstream, with [`crate::outbound`].
    pub fn calls_upstream(&mut self, name: impl AsRef<str>) -> &mut Self {
        self.uses("outbound:", name.as_ref())
    }

    /// Verdicts may choose this upstream for the request.
    pub fn chooses_upstream(&mut self, name: impl AsRef<str>) -> &mut Self {
        self.uses("upstream:", name.as_ref())
    }

    /// A declaration that is younger than this version of the contract.
    pub fn more(&mut self, declaration: NamedConstant) -> &mut Self {
        self.more.push(declaration.into_contract());
        self
    }

    fn uses(&mut self, kind: &str, name: &str) -> &mut Self {
        once(&mut self.uses, [kind, name].concat());
        self
    }

    /// Converts it to the type of the contract.
    ///
    /// # Errors
    /// A list that is longer than the contract allows, since its length may come from the
    /// operator's configuration.
    pub(crate) fn finish(self) -> Result<subscriptions::Subscription, String> {
        let phases = [
            self.request.map(finish),
            self.fetched.map(finish),
            self.missing.map(finish),
            self.response.map(finish),
            self.finished.map(finish),
        ];
        for (list, most, what) in [
            (&self.owns, LIMIT, "owns fields"),
            (&self.variables, LIMIT, "sets variables"),
            (
                &self.uses,
                PERMISSIONS,
                "uses secrets, datasets and upstreams",
            ),
        ] {
            fits(list.len(), most, &["the policy ", what].concat())?;
        }
        Ok(subscriptions::Subscription {
            phases: phases.into_iter().flatten().collect::<Result<_, _>>()?,
            owns: self.owns,
            variables: self.variables,
            uses: self.uses,
            more: self.more,
        })
    }
}

fn finish<P: Kind>(phase: Phase<P>) -> Result<subscriptions::Phase, String> {
    let phase = phase.into_contract();
    for (length, most, what) in [
        (phase.inputs.len(), LIMIT, "inputs"),
        (phase.references.len(), LIMIT, "references"),
        (phase.may.len(), PERMISSIONS, "permissions"),
    ] {
        fits(
            length,
            most,
            &["the phase ", P::NAME, " has ", what].concat(),
        )?;
    }
    Ok(phase)
}

/// Checks the length of a list.
fn fits(length: usize, most: usize, what: &str) -> Result<(), String> {
    match length > most {
        true => Err(format!("{what}: {length}, but at most {most} are possible")),
        false => Ok(()),
    }
}

/// Adds a text to a list unless it is there.
fn once(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Secret};

    #[test]
    fn the_same_input_has_one_slot() {
        let mut subscription = Subscription::default();
        let request = subscription.request();
        let first = request.header("X-Tenant");
        request.path();
        let again = request.sensitive(Input::Header("x-tenant".to_owned()));
        assert_eq!(first.position, again.position);
        let phases = subscription.finish().unwrap().phases;
        assert_eq!(phases[0].inputs.len(), 2);
        assert_eq!(phases[0].sensitive, [0]);
    }

    #[test]
    fn a_declaration_in_the_words_of_the_contract() {
        let mut subscription = Subscription::default();
        let secret: Secret = crate::read_config("\"webhook\"").unwrap();
        subscription.finished().may_charge().may_ban();
        subscription
            .request()
            .may_edit("X-Tier")
            .may_edit("x-tier")
            .may_edit_response("Vary")
            .may_respond()
            .may_set_path()
            .may_verify()
            .may("effect:mirror");
        subscription.missing().may_serve();
        subscription
            .owns("X-User")
            .variable("user")
            .secret(&secret)
            .dataset("bots")
            .calls_upstream("login")
            .chooses_upstream("canary")
            .more(NamedConstant::new("later"));
        let got = subscription.finish().unwrap();
        let phases: Vec<_> = got
            .phases
            .iter()
            .map(|phase| (phase.name.as_str(), phase.may.join(" ")))
            .collect();
        let request = "edit:header:x-tier edit:response-header:vary respond \
                       edit:set-path effect:verify effect:mirror";
        assert_eq!(
            phases,
            [
                ("request", request.to_owned()),
                ("missing", "serve".to_owned()),
                ("finished", "effect:charge effect:ban".to_owned()),
            ]
        );
        assert_eq!(got.owns, ["x-user"]);
        assert_eq!(got.variables, ["user"]);
        let uses = "secret:webhook dataset:bots outbound:login upstream:canary";
        assert_eq!(got.uses.join(" "), uses);
        assert_eq!(got.more[0].name, "later");
    }

    #[test]
    fn lists_that_are_too_long_are_refused() {
        let mut subscription = Subscription::default();
        for n in 0..33 {
            subscription.response().header(&format!("x-{n}"));
        }
        let error = subscription.finish().unwrap_err();
        let expected = "the phase response has inputs: 33, but at most 32 are possible";
        assert_eq!(error, expected);

        let mut subscription = Subscription::default();
        for n in 0..65 {
            subscription.request().may_edit(&format!("x-{n}"));
        }
        assert!(
            subscription
                .finish()
                .unwrap_err()
                .contains("permissions: 65")
        );

        let mut subscription = Subscription::default();
        for n in 0..33 {
            subscription.owns(&format!("x-{n}"));
        }
        assert!(
            subscription
                .finish()
                .unwrap_err()
                .contains("owns fields: 33")
        );
    }
}
