//! An exchange without a network, about which one policy is asked, for `janua policy call`.
//!
//! It makes the exchange of a request and a response that are given as text, and carries out
//! the verdicts on it with the functions that carry them out for clients. What other exchanges
//! would notice is not done: no bucket is charged, and nothing is purged.

mod message;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use janua_datasets::Datasets;
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, RequestHead, ResponseHead};
use janua_wasm::{
    Decision, Effect, Facts as _, Input, Now, Outcome, Phase, Plan, Policy, Single, Trial, Verdict,
    WorkerPolicy,
};

use super::{bounds, execute, failures};
use crate::additions;
use crate::clean;
use crate::client::{Origin, Peer};
use crate::facts::{AnsweredBy, Ended, Held, Original, View};
use crate::owned::Owned;
use crate::path_rules::PathRules;
use crate::render::Rendered;
use crate::variables::Variables;
use crate::verdict;

/// The identifier of the request: that of a gateway is random, and this one is always the same.
const REQUEST_ID: &[u8] = b"00000000000000000000000000000000";

/// What the text of a request does not say.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The address of the client, which is the peer.
    pub client: IpAddr,
    /// Whether the client came over TLS.
    pub is_https: bool,
    /// The time, in seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: u64,
    /// The name of the site. None: the host of the request.
    pub site: Option<Box<str>>,
    /// The label of the route.
    pub route: Box<str>,
    /// Variables that other policies have set, as `policy.name`, and their values.
    pub variables: Vec<(String, String)>,
    /// The datasets in which keys are looked up.
    pub datasets: Arc<Datasets>,
}

/// An exchange that takes place nowhere.
pub struct Rehearsal {
    request: RequestHead,
    request_body: u64,
    response: Option<(ResponseHead, AnsweredBy)>,
    response_body: u64,
    original: Option<Original>,
    peer: Peer,
    origin: Origin,
    variables: Variables,
    /// The edits of the response that is delivered, decided on before.
    pending: Vec<janua_wasm::Edit>,
    /// The target is asked for another path, and its response to that is not known.
    is_elsewhere: bool,
    circumstances: Circumstances,
}

/// What became of the question to a policy.
#[derive(Debug)]
pub struct Asked {
    /// The decision and how it came about.
    pub trial: Trial,
    /// The time of the exchange.
    pub unix_seconds: u64,
    /// The sensitive values that the exchange had for the policy. None of them may be shown.
    pub secrets: Vec<Vec<u8>>,
    /// The heads before.
    pub before: Heads,
    /// What the verdict made of the exchange; none without a verdict.
    pub carried_out: Option<Result<CarriedOut, Failure>>,
    /// How the request fails that the policy cannot be asked about, or that is refused because
    /// the policy failed.
    pub refusal: Option<Failure>,
}

/// A verdict that was carried out.
#[derive(Debug)]
pub struct CarriedOut {
    /// The verdict.
    pub verdict: Rc<Verdict>,
    /// Its values, in the order of [`Verdict::for_each_value`].
    pub values: Vec<Made>,
    /// The heads afterwards.
    pub after: Heads,
    /// The words for the access log, with their names, as `policy.name`.
    pub annotations: Vec<(String, Vec<u8>)>,
    /// The normalised path that is served instead.
    pub served: Option<Vec<u8>>,
}

/// A value of a verdict for this exchange.
#[derive(Debug, Clone)]
pub struct Made {
    /// None if it is absent.
    pub bytes: Option<Vec<u8>>,
    /// Whether it contains a sensitive input or reference.
    pub is_secret: bool,
}

/// The heads of the exchange at a moment.
#[derive(Debug, Clone)]
pub struct Heads {
    /// The path of the request.
    pub path: Vec<u8>,
    /// Its query.
    pub query: Option<Vec<u8>>,
    /// The fields of the request.
    pub request: Lines,
    /// The status and the fields of the response.
    pub response: Option<(u16, Lines)>,
}

/// The lines of a head: names and values.
pub type Lines = Vec<(Vec<u8>, Vec<u8>)>;

impl Rehearsal {
    /// The exchange of a request, and of a response to it if there is one, on a site that uses
    /// this policy.
    ///
    /// # Errors
    /// What the gateway would refuse of them, and for what reason.
    pub fn new(
        request: &[u8],
        response: Option<&[u8]>,
        circumstances: Circumstances,
        policy: &Policy,
    ) -> Result<Self, Failure> {
        let peer = Peer::new(SocketAddr::new(circumstances.client, 0));
        let origin = Origin {
            client: None,
            is_trusted: false,
            is_https: circumstances.is_https,
        };
        let mut head = RequestHead::default();
        let request_body = message::request(request, &mut head)?;
        clean::clean(&mut head, &peer, &origin, &[])?;
        head.fields.set(b"x-request-id", REQUEST_ID);
        PathRules::default().check(head.spelling, Kind::BadRequest)?;
        let mut owned = Owned::default();
        owned.add(policy);
        owned.remove_from(&mut head.fields);
        let mut rehearsal = Self {
            request_body,
            response: None,
            response_body: 0,
            original: None,
            peer,
            origin,
            variables: Variables::default(),
            pending: Vec::new(),
            is_elsewhere: false,
            circumstances,
            request: head,
        };
        if let Some(bytes) = response {
            let mut head = ResponseHead::default();
            let answers_head = rehearsal.request.method == b"HEAD";
            rehearsal.response_body = message::response(bytes, &mut head, answers_head)?;
            clean::clean_response(&mut head);
            rehearsal.response = Some((head, AnsweredBy::Upstream));
        }
        for (name, value) in &rehearsal.circumstances.variables {
            let value = Some(value.as_bytes());
            rehearsal.variables.set(name.clone(), value, false)?;
        }
        Ok(rehearsal)
    }

    /// Whether a gateway would ask about this exchange in a phase at present. In the phase
    /// `finished` it asks without a response too, if the client has left before it.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn reaches(&self, phase: Phase) -> Result<(), &'static str> {
        let by_policy = || {
            let by = self.response.as_ref().map(|(_, by)| *by);
            by == Some(AnsweredBy::Policy)
        };
        match (phase, &self.response) {
            (Phase::Request, _) => Ok(()),
            _ if self.is_elsewhere => Err("what the target answers to the new path is not known"),
            (_, None) => Err("there is no response"),
            (Phase::Fetched | Phase::Missing, Some(_)) if by_policy() => {
                Err("the policy has answered, and no target is asked")
            }
            (Phase::Missing, Some((head, _))) if head.status != 404 => {
                Err("it is asked about a response with status 404")
            }
            _ => Ok(()),
        }
    }

    /// Asks the policy in a phase that it declares, and carries out its verdict. None if it
    /// does not declare the phase.
    pub fn ask(&mut self, policy: &mut WorkerPolicy, phase: Phase) -> Option<Asked> {
        let shared = Arc::clone(policy.policy());
        let plan = shared.plan(phase)?;
        let now = Now {
            monotonic_ms: 1,
            unix_seconds: self.circumstances.unix_seconds,
        };
        let before = self.heads();
        if phase == Phase::Response {
            self.edit_delivered();
        }
        let ended = self.ended(phase);
        let view = self.view(ended.as_ref());
        let secrets = secrets(plan, &view);
        let trial = policy.trial(phase, &view, now);
        let mut asked = Asked {
            unix_seconds: now.unix_seconds,
            secrets,
            before,
            carried_out: None,
            refusal: None,
            trial,
        };
        match &asked.trial.decision {
            Decision::BadInput(bad) => asked.refusal = Some(verdict::bad_input(bad)),
            Decision::Failed(failure) => {
                let on_error = shared.on_error();
                // When an exchange has ended, nothing is left to be denied.
                let is_denied = phase != Phase::Finished
                    && failures::is_denied(&shared, failure, phase, on_error);
                let kind = failures::kind_of(failure);
                asked.refusal = is_denied.then(|| Failure::new(kind));
            }
            Decision::Verdict { verdict, .. } => {
                let verdict = Rc::clone(verdict);
                let name = shared.name();
                asked.carried_out = Some(self.carry_out(name, phase, plan, &verdict, ended));
            }
        }
        Some(asked)
    }

    fn carry_out(
        &mut self,
        policy: &str,
        phase: Phase,
        plan: &Plan,
        verdict: &Rc<Verdict>,
        ended: Option<Ended>,
    ) -> Result<CarriedOut, Failure> {
        let rendered = &mut Rendered::default();
        let view = self.view(ended.as_ref());
        match phase {
            // What is lost is absent, and the rest is carried out.
            Phase::Finished => _ = verdict::render_at_end(verdict, plan, &view, rendered),
            _ => verdict::render(verdict, plan, &view, rendered)
                .map_err(|unfit| verdict::unrendered(&unfit, policy))?,
        }
        let rendered = &*rendered;
        let was_within = !bounds::exceed(self.edited(phase));
        match phase {
            Phase::Request => {
                let (head, original) = (&mut self.request, &mut self.original);
                let rules = PathRules::default();
                verdict::edit_request(verdict, rendered, rules, head, original)?;
            }
            Phase::Fetched | Phase::Response => {
                if let Some((head, _)) = &mut self.response {
                    verdict::edit_response(&verdict.edits, rendered, head)?;
                }
            }
            Phase::Missing | Phase::Finished => {}
        }
        if phase != Phase::Finished {
            self.variables.edit(policy, verdict, rendered)?;
        }
        self.pending
            .extend(verdict::response_edits(verdict, rendered)?);
        let served = self.conclude(phase, verdict, rendered)?;
        if was_within && bounds::exceed(self.edited(phase)) {
            return Err(bounds::too_large(phase, &format!("the policy `{policy}`")));
        }
        let annotations = execute::annotations(policy, verdict, rendered);
        Ok(CarriedOut {
            annotations: annotations
                .map(|(name, value)| (name, value.to_vec()))
                .collect(),
            values: values(verdict, plan, rendered),
            after: self.heads(),
            served,
            verdict: Rc::clone(verdict),
        })
    }

    /// Carries out what of the effects and the outcome changes this exchange. The path that is
    /// served instead, if any.
    fn conclude(
        &mut self,
        phase: Phase,
        verdict: &Verdict,
        rendered: &Rendered,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let place = verdict.outcome_value_index();
        match &verdict.outcome {
            Outcome::Proceed => {
                if phase == Phase::Fetched
                    && let Some((head, _)) = &mut self.response
                {
                    for effect in &verdict.effects {
                        if let Effect::CacheRule(rule) = effect {
                            additions::write_lifetimes(rule, &mut head.fields);
                        }
                    }
                }
                Ok(None)
            }
            Outcome::Respond(reply) => {
                let made = verdict::reply(reply, place, rendered)?;
                let mut head = ResponseHead::default();
                additions::set_generated(&mut head, &made);
                self.response_body = made.body.len() as u64;
                self.response = Some((head, AnsweredBy::Policy));
                Ok(None)
            }
            Outcome::Serve(value) => {
                let Some(target) = rendered.get(place, value) else {
                    return Ok(None);
                };
                self.is_elsewhere = true;
                verdict::new_path(value, target, PathRules::default()).map(Some)
            }
        }
    }

    /// Makes the edits to the response that were decided on before there was one.
    fn edit_delivered(&mut self) {
        if let Some((head, _)) = &mut self.response {
            // Their values were checked when they were decided on.
            let _ = verdict::edit_response(&self.pending, &Rendered::default(), head);
        }
        self.pending.clear();
    }

    /// The fields of the head that a verdict of this phase edits.
    fn edited(&self, phase: Phase) -> &Fields {
        match (phase, &self.response) {
            (Phase::Request, _) | (_, None) => &self.request.fields,
            (_, Some((head, _))) => &head.fields,
        }
    }

    fn ended(&self, phase: Phase) -> Option<Ended> {
        (phase == Phase::Finished).then(|| Ended {
            status: self.response.as_ref().map(|(head, _)| head.status),
            request_body: self.request_body,
            response_body: self.response_body,
            first_byte_ms: self.response.as_ref().map(|_| 0),
            attempts: 1,
            ..Ended::default()
        })
    }

    fn view<'a>(&'a self, ended: Option<&'a Ended>) -> View<'a> {
        let site = self.circumstances.site.as_deref();
        let host = std::str::from_utf8(self.request.authority.host().as_bytes());
        View {
            request: &self.request,
            response: self.response.as_ref().map(|(head, by)| (head, *by)),
            ended,
            peer: &self.peer,
            origin: &self.origin,
            original: self.original.as_ref(),
            variables: &self.variables,
            datasets: Held::Of(&self.circumstances.datasets),
            request_id: REQUEST_ID,
            unix_ms: self.circumstances.unix_seconds.saturating_mul(1000),
            site: site.unwrap_or_else(|| host.unwrap_or_default()),
            route: &self.circumstances.route,
        }
    }

    fn heads(&self) -> Heads {
        let response = self.response.as_ref();
        Heads {
            path: self.request.path.clone(),
            query: self.request.query.clone(),
            request: lines(&self.request.fields),
            response: response.map(|(head, _)| (head.status, lines(&head.fields))),
        }
    }
}

fn lines(fields: &Fields) -> Lines {
    let lines = fields.iter();
    lines
        .map(|(_, name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// The sensitive values that an exchange has for a policy, also in the form in which the head
/// has them.
fn secrets(plan: &Plan, view: &View<'_>) -> Vec<Vec<u8>> {
    let inputs = plan.inputs.iter().zip(&plan.sensitive);
    let references = plan.references.iter().zip(&plan.sensitive_references);
    let sensitive = inputs
        .chain(references)
        .filter(|(input, sensitive)| **sensitive || view.is_secret(input));
    let forms = sensitive.flat_map(|(input, _)| {
        let plain = match input {
            Input::HeaderBase64(name) => Some(Input::Header(name.clone())),
            Input::ResponseHeaderBase64(name) => Some(Input::ResponseHeader(name.clone())),
            Input::QueryParameter(name) | Input::QueryParameterBase64(name) => {
                Some(Input::RawQueryParameter(name.clone()))
            }
            _ => None,
        };
        [Some(input.clone()), plain].into_iter().flatten()
    });
    forms
        .filter_map(|input| {
            let mut value = Vec::new();
            let single = view.single(&input, &mut value);
            (single != Single::Absent && !value.is_empty()).then_some(value)
        })
        .collect()
}

fn values(verdict: &Verdict, plan: &Plan, rendered: &Rendered) -> Vec<Made> {
    let mut values = Vec::new();
    verdict.for_each_value(|_, value| {
        let bytes = rendered.get(values.len(), value);
        values.push(Made {
            bytes: bytes.map(<[u8]>::to_vec),
            is_secret: plan.has_secret(value) || rendered.is_secret(values.len()),
        });
    });
    values
}
