//! The phases and inputs of a policy, declared while it is configured.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types;
use crate::input::{Number, Optional, Presence, Reference, Slot, Text};
use crate::phase::WithResponse;
use crate::{Fetched, Input, Kind, Missing, Request, Response};

/// The maximum number of inputs, and of references, in one phase.
pub(crate) const LIMIT: usize = 32;

/// The phases in which a policy is called. Each method subscribes to its phase.
#[derive(Debug, Default)]
pub struct Subscription {
    request: Option<Phase<Request>>,
    fetched: Option<Phase<Fetched>>,
    missing: Option<Phase<Missing>>,
    response: Option<Phase<Response>>,
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

    /// Converts it to the type of the contract.
    ///
    /// # Errors
    /// A phase with more inputs or references than [`LIMIT`].
    pub(crate) fn finish(self) -> Result<types::Subscription, String> {
        Ok(types::Subscription {
            request: finish("request", self.request)?,
            fetched: finish("fetched", self.fetched)?,
            missing: finish("missing", self.missing)?,
            response: finish("response", self.response)?,
        })
    }
}

fn finish<P>(name: &str, phase: Option<Phase<P>>) -> Result<Option<types::Phase>, String> {
    let Some(Phase { phase, .. }) = phase else {
        return Ok(None);
    };
    for (what, list) in [("inputs", &phase.inputs), ("references", &phase.references)] {
        if list.len() > LIMIT {
            return Err(format!(
                "the phase {name} uses {} {what}; at most {LIMIT} are possible",
                list.len()
            ));
        }
    }
    Ok(Some(phase))
}

/// The inputs and references of a policy in phase `P`.
///
/// An *input* is passed to the policy and is part of the key under which a verdict is
/// cached. A *reference* is only used in values. Prefer references: without inputs the
/// policy is called once. Declaring an input again returns the same slot.
#[derive(Debug)]
pub struct Phase<P> {
    phase: types::Phase,
    kind: PhantomData<P>,
}

impl<P> Phase<P> {
    fn new() -> Self {
        Self {
            phase: types::Phase {
                inputs: Vec::new(),
                references: Vec::new(),
                sensitive: Vec::new(),
            },
            kind: PhantomData,
        }
    }

    fn slot<R>(&mut self, input: Input) -> Slot<P, R> {
        Slot {
            position: position(&mut self.phase.inputs, input),
            kind: PhantomData,
        }
    }
}

impl<P: Kind> Phase<P> {
    /// Any input of the contract.
    pub fn input(&mut self, input: Input) -> Slot<P, Optional> {
        self.slot(input)
    }

    /// A sensitive input: the gateway stores only a keyed MAC of it and never prints it.
    pub fn sensitive(&mut self, input: Input) -> Slot<P, Optional> {
        let slot = self.slot(input);
        if !self.phase.sensitive.contains(&slot.position) {
            self.phase.sensitive.push(slot.position);
        }
        slot
    }

    /// A reference to any input of the contract.
    pub fn reference(&mut self, input: Input) -> Reference<P> {
        Reference {
            position: position(&mut self.phase.references, input),
            kind: PhantomData,
        }
    }

    /// A reference whose name comes from the configuration: see [`crate::input_named`].
    ///
    /// # Errors
    /// An input without a value in this phase, such as the status of the response in the
    /// phase `request`.
    pub fn refer(&mut self, input: Input) -> Result<Reference<P>, String> {
        let name = match input {
            Input::Status if !P::HAS_RESPONSE => "status",
            Input::ResponseHeader(_) if !P::HAS_RESPONSE => "response_header",
            Input::ResponseHeaderPresent(_) if !P::HAS_RESPONSE => "response_header_present",
            Input::AnsweredBy if P::NAME != "response" => "answered_by",
            _ => return Ok(self.reference(input)),
        };
        Err(["`", name, "` is not known yet in the phase ", P::NAME].concat())
    }

    /// The request method, for example `GET`.
    pub fn method(&mut self) -> Slot<P, Text> {
        self.slot(Input::Method)
    }

    /// `http` or `https`.
    pub fn scheme(&mut self) -> Slot<P, Text> {
        self.slot(Input::Scheme)
    }

    /// The host as edited so far, lower-case, without a port.
    pub fn host(&mut self) -> Slot<P, Text> {
        self.slot(Input::Host)
    }

    /// The normalised path as edited so far.
    pub fn path(&mut self) -> Slot<P, Text> {
        self.slot(Input::Path)
    }

    /// The extension of the last path segment, lower-case, without the dot. It has fewer
    /// different values than the path, so more verdicts are reused.
    pub fn extension(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Extension)
    }

    /// The query as edited so far, without `?`.
    pub fn query(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Query)
    }

    /// The client's address without a port. As an input it leads to one call for each
    /// client: use a reference where that suffices.
    pub fn client_ip(&mut self) -> Slot<P, Text> {
        self.slot(Input::ClientIp)
    }

    /// A request field; letter case of the name is ignored. Several lines are joined with
    /// `, `.
    pub fn header(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::Header(name.to_ascii_lowercase()))
    }

    /// Whether the request has this field.
    pub fn header_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::HeaderPresent(name.to_ascii_lowercase()))
    }

    /// The first cookie of this name.
    pub fn cookie(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::Cookie(name.to_owned()))
    }

    /// Whether the request has a cookie of this name.
    pub fn cookie_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::CookiePresent(name.to_owned()))
    }

    /// The first query parameter of this name, percent-decoded.
    pub fn query_parameter(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::QueryParameter(name.to_owned()))
    }

    /// The time in Unix seconds. It is not part of the key of cached verdicts: use
    /// [`crate::Verdict::for_seconds`] to limit their reuse.
    pub fn now(&mut self) -> Slot<P, Number> {
        self.slot(Input::Now)
    }
}

impl<P: WithResponse> Phase<P> {
    /// The status of the response.
    pub fn status(&mut self) -> Slot<P, Number> {
        self.slot(Input::Status)
    }

    /// A response field; letter case of the name is ignored.
    pub fn response_header(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::ResponseHeader(name.to_ascii_lowercase()))
    }

    /// Whether the response has this field.
    pub fn response_header_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::ResponseHeaderPresent(name.to_ascii_lowercase()))
    }
}

impl Phase<Response> {
    /// The source of the response: `upstream`, `files`, `cache`, `policy` or `gateway`.
    pub fn answered_by(&mut self) -> Slot<Response, Text> {
        self.slot(Input::AnsweredBy)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_has_one_slot() {
        let mut subscription = Subscription::default();
        let request = subscription.request();
        let first = request.header("X-Tenant");
        request.path();
        let again = request.sensitive(Input::Header("x-tenant".to_owned()));
        assert_eq!(first.position, again.position);
        let phase = subscription.finish().unwrap().request.unwrap();
        assert_eq!(phase.inputs.len(), 2);
        assert_eq!(phase.sensitive, [0]);
    }

    #[test]
    fn too_many_inputs_are_refused() {
        let mut subscription = Subscription::default();
        for n in 0..33 {
            subscription.response().header(&format!("x-{n}"));
        }
        let error = subscription.finish().unwrap_err();
        assert_eq!(
            error,
            "the phase response uses 33 inputs; at most 32 are possible"
        );
    }
}
