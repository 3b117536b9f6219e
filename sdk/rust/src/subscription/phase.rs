//! One phase of a declaration.

use std::marker::PhantomData;

use crate::bindings::janua::policy::subscriptions;
use crate::input::{Optional, Reference, Slot};
use crate::{Input, Kind};

/// The inputs and references of a policy in phase `P`, and what its verdicts may do there.
///
/// An *input* is passed to the policy and is part of the key under which a verdict is
/// cached. A *reference* is only used in values. Prefer references: without inputs the
/// policy is called once. Declaring an input again returns the same slot.
///
/// The methods whose names begin with `may` are the permissions: each method of
/// [`crate::Verdict`] that edits, responds or has an effect needs one.
#[derive(Debug)]
pub struct Phase<P> {
    pub(super) phase: subscriptions::Phase,
    kind: PhantomData<P>,
}

impl<P: Kind> Phase<P> {
    pub(super) fn new() -> Self {
        Self {
            phase: subscriptions::Phase {
                name: P::NAME.to_owned(),
                inputs: Vec::new(),
                references: Vec::new(),
                sensitive: Vec::new(),
                may: Vec::new(),
            },
            kind: PhantomData,
        }
    }

    /// Any input of the contract.
    pub fn input(&mut self, input: impl Into<Input>) -> Slot<P, Optional> {
        self.slot(input.into())
    }

    /// A sensitive input: the gateway stores only a keyed MAC of it and never prints it,
    /// and other policies need a grant to read it.
    pub fn sensitive(&mut self, input: impl Into<Input>) -> Slot<P, Optional> {
        let slot = self.slot(input.into());
        if !self.phase.sensitive.contains(&slot.position) {
            self.phase.sensitive.push(slot.position);
        }
        slot
    }

    /// A reference to any input of the contract.
    pub fn reference(&mut self, input: impl Into<Input>) -> Reference<P> {
        Reference {
            position: position(&mut self.phase.references, input.into()),
            kind: PhantomData,
        }
    }

    /// A reference whose name comes from the configuration: see [`crate::input_named`].
    ///
    /// # Errors
    /// An input without a value in this phase, such as the status of the response in the
    /// phase `request`.
    pub fn refer(&mut self, input: impl Into<Input>) -> Result<Reference<P>, String> {
        let input = input.into();
        match unknown_in(P::NAME, &input) {
            Some(name) => Err(["`", name, "` is not known yet in the phase ", P::NAME].concat()),
            None => Ok(self.reference(input)),
        }
    }

    pub(super) fn slot<R>(&mut self, input: Input) -> Slot<P, R> {
        Slot {
            position: position(&mut self.phase.inputs, input),
            kind: PhantomData,
        }
    }

    pub(super) fn into_contract(self) -> subscriptions::Phase {
        self.phase
    }
}

/// The name of the input in configurations, if it has no value in this phase.
pub(crate) fn unknown_in(phase: &str, input: &Input) -> Option<&'static str> {
    let (name, phases): (_, &[&str]) = match input {
        Input::Status => ("status", &["fetched", "missing", "response", "finished"]),
        Input::ResponseHeader(_)
        | Input::ResponseHeaderBase64(_)
        | Input::ResponseHeaderPresent(_) => (
            "response_header",
            &["fetched", "missing", "response", "finished"],
        ),
        Input::AnsweredBy => ("answered_by", &["response", "finished"]),
        Input::ResponseBodyText(_)
        | Input::ResponseBodyBase64(_)
        | Input::ResponseBodyPrefix(_) => ("response_body", &["fetched"]),
        Input::RequestBodySize => ("request_body_size", &["finished"]),
        Input::ResponseBodySize => ("response_body_size", &["finished"]),
        Input::DurationMs => ("duration_ms", &["finished"]),
        Input::FirstByteMs => ("first_byte_ms", &["finished"]),
        Input::Attempts => ("attempts", &["finished"]),
        Input::Upstream => ("upstream", &["finished"]),
        Input::Failure => ("failure", &["finished"]),
        _ => return None,
    };
    (!phases.contains(&phase)).then_some(name)
}

/// The position of an input in a list, to which it is added if it is new.
fn position(list: &mut Vec<Input>, input: Input) -> u32 {
    let found = list.iter().position(|known| *known == input);
    let position = found.unwrap_or_else(|| {
        list.push(input);
        list.len() - 1
    });
    // A list this long is refused by `finish` anyway.
    u32::try_from(position).unwrap_or(u32::MAX)
}
