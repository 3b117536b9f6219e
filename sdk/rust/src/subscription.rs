//! What a policy takes part in, declared while it is configured.

use std::marker::PhantomData;

use crate::bindings::janua::policy::types;
use crate::input::{Number, Optional, Presence, Reference, Slot, Text};
use crate::phase::WithResponse;
use crate::{Fetched, Input, Kind, Missing, Request, Response};

/// The most inputs, and the most references, of one phase.
pub(crate) const LIMIT: usize = 32;

/// The phases that a policy asked for. Asking for one subscribes to it; the
/// others cost nothing.
#[derive(Debug, Default)]
pub struct Subscription {
    request: Option<Phase<Request>>,
    fetched: Option<Phase<Fetched>>,
    missing: Option<Phase<Missing>>,
    response: Option<Phase<Response>>,
}

impl Subscription {
    /// Takes part in the phase `request`: once for each request, before the cache.
    pub fn request(&mut self) -> &mut Phase<Request> {
        self.request.get_or_insert_with(Phase::new)
    }

    /// Takes part in the phase `fetched`: once for each answer of the target
    /// (an upstream's answer or revalidation, or a file), before the cache
    /// stores it.
    pub fn fetched(&mut self) -> &mut Phase<Fetched> {
        self.fetched.get_or_insert_with(Phase::new)
    }

    /// Takes part in the phase `missing`: when the target has no such thing:
    /// no file, or an upstream's 404 if the route says so.
    pub fn missing(&mut self) -> &mut Phase<Missing> {
        self.missing.get_or_insert_with(Phase::new)
    }

    /// Takes part in the phase `response`: on every delivery.
    pub fn response(&mut self) -> &mut Phase<Response> {
        self.response.get_or_insert_with(Phase::new)
    }

    /// In the words of the contract.
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

/// What a policy asks for in phase `P`.
///
/// An *input* is handed over and is part of the key under which a verdict may
/// be reused; a *reference* is only pointed at by values. Prefer references:
/// a verdict without inputs is asked for once. Asking twice gives the same place.
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

    /// An input that is a secret: kept only as a keyed MAC, and never printed.
    pub fn sensitive(&mut self, input: Input) -> Slot<P, Optional> {
        let slot = self.slot(input);
        if !self.phase.sensitive.contains(&slot.position) {
            self.phase.sensitive.push(slot.position);
        }
        slot
    }

    /// Something to point at.
    pub fn reference(&mut self, input: Input) -> Reference<P> {
        Reference {
            position: position(&mut self.phase.references, input),
            kind: PhantomData,
        }
    }

    /// Something to point at whose name an operator wrote: see [`crate::input_named`].
    ///
    /// # Errors
    /// What this phase does not know, such as the status of a response in
    /// the phase `request`.
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

    /// The extension of the last path segment, lower-case, without its dot. A
    /// narrower memo key than the path.
    pub fn extension(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Extension)
    }

    /// The query as edited so far, without `?`.
    pub fn query(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Query)
    }

    /// The client's address without a port. As an input it makes a memo key
    /// of each client: point at it instead where that is enough.
    pub fn client_ip(&mut self) -> Slot<P, Text> {
        self.slot(Input::ClientIp)
    }

    /// A request field; the case of the name does not matter. Repeated lines
    /// are joined with `, `.
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

    /// Seconds since 1970. No part of the memo key: say with
    /// [`crate::Verdict::for_seconds`] until when the verdict holds.
    pub fn now(&mut self) -> Slot<P, Number> {
        self.slot(Input::Now)
    }
}

impl<P: WithResponse> Phase<P> {
    /// The status of the response.
    pub fn status(&mut self) -> Slot<P, Number> {
        self.slot(Input::Status)
    }

    /// A response field; the case of the name does not matter.
    pub fn response_header(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::ResponseHeader(name.to_ascii_lowercase()))
    }

    /// Whether the response has this field.
    pub fn response_header_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::ResponseHeaderPresent(name.to_ascii_lowercase()))
    }
}

impl Phase<Response> {
    /// What made the response: `upstream`, `files`, `cache`, `policy` or `gateway`.
    pub fn answered_by(&mut self) -> Slot<Response, Text> {
        self.slot(Input::AnsweredBy)
    }
}

/// The position of an input in a list, which it joins if it is new.
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
    fn the_same_input_has_one_place() {
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
    fn too_many_inputs_are_refused_in_words() {
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
