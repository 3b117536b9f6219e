//! Applies a verdict to a simulated exchange, and refuses what the gateway would refuse.

use super::Exchange;
use super::destination::{Destination, has_dot_segment};
use crate::bindings::janua::policy::types::{
    Content, Edit, Effect, Header, Outcome as Decided, Part, Phase, Reply, Verdict,
};
use crate::syntax;

/// The result of one phase. Effects are not carried out, but can be inspected: see
/// [`Outcome::takes`], [`Outcome::cache_rule`] and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The exchange after the edits of the verdict. The edits do not apply to `answer`.
    pub exchange: Exchange,
    /// The response made by the policy.
    pub answer: Option<Answer>,
    /// The path to serve instead, in the phase `missing`.
    pub serve: Option<String>,
    /// The verdict. `None` if the policy does not subscribe to the phase.
    pub verdict: Option<Verdict>,
    before: Exchange,
    phase: Option<Phase>,
}

/// A response made by a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first line of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let (_, value) = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Outcome {
    /// The status of the response made by the policy, or else that of the exchange.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer
            .as_ref()
            .map_or(self.exchange.status, |answer| answer.status)
    }

    /// The note of the verdict.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.verdict.as_ref()?.note.as_deref()
    }

    pub(super) fn untouched(exchange: &Exchange) -> Self {
        Self {
            exchange: exchange.clone(),
            answer: None,
            serve: None,
            verdict: None,
            before: exchange.clone(),
            phase: None,
        }
    }

    /// Evaluates a value of the verdict for this exchange. `None` if it is absent.
    pub(super) fn resolve(&self, value: &[Part], destination: Destination) -> Option<String> {
        resolve(self.phase.as_ref()?, &self.before, value, destination).ok()?
    }
}

/// Applies a verdict. An error is the reason for which the gateway would refuse it.
pub(super) fn carry_out(
    phase: &Phase,
    before: &Exchange,
    on_response: bool,
    verdict: Verdict,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::untouched(before);
    outcome.phase = Some(phase.clone());
    match &verdict.outcome {
        Decided::Proceed => {}
        Decided::Respond(reply) => outcome.answer = Some(answer(phase, before, reply)?),
        Decided::Serve(path) => outcome.serve = new_path(phase, before, path)?,
    }
    for edit in &verdict.edits {
        apply(phase, before, on_response, edit, &mut outcome)?;
    }
    for effect in &verdict.effects {
        if let Effect::CacheRule(rule) = effect {
            for line in [&rule.browser, &rule.cdn].into_iter().flatten() {
                syntax::field_text(line)?;
            }
        }
    }
    outcome.verdict = Some(verdict);
    Ok(outcome)
}

fn answer(phase: &Phase, before: &Exchange, reply: &Reply) -> Result<Answer, String> {
    let mut answer = Answer {
        status: syntax::status(reply.status)?,
        headers: Vec::new(),
        body: match &reply.body {
            Content::Empty => Vec::new(),
            Content::Text(text) => text.clone().into_bytes(),
            Content::Bytes(bytes) => bytes.clone(),
        },
    };
    for header in &reply.headers {
        let (name, value) = field(phase, before, header)?;
        answer.headers.extend(value.map(|value| (name, value)));
    }
    Ok(answer)
}

/// Applies an edit to the request or to the response, depending on the phase. Edits do
/// not apply to a response made by the policy.
fn apply(
    phase: &Phase,
    before: &Exchange,
    on_response: bool,
    edit: &Edit,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let exchange = &mut outcome.exchange;
    let fields = if on_response {
        &mut exchange.response
    } else {
        &mut exchange.request
    };
    match edit {
        Edit::SetHeader(header) => {
            let (name, value) = field(phase, before, header)?;
            fields.retain(|(known, _)| *known != name);
            fields.extend(value.map(|value| (name, value)));
        }
        Edit::AppendHeader(header) => {
            let (name, value) = field(phase, before, header)?;
            fields.extend(value.map(|value| (name, value)));
        }
        Edit::DefaultHeader(header) => {
            let (name, value) = field(phase, before, header)?;
            if !fields.iter().any(|(known, _)| *known == name) {
                fields.extend(value.map(|value| (name, value)));
            }
        }
        Edit::RemoveHeader(name) => {
            let name = syntax::field_name(name)?;
            fields.retain(|(known, _)| *known != name);
        }
        Edit::SetPath(path) => {
            let path = new_path(phase, before, path)?;
            exchange.path = path.ok_or("the new path is absent: the request is answered 400")?;
        }
        Edit::SetQuery(query) => {
            exchange.query = resolve(phase, before, query, Destination::Query)?;
        }
        Edit::SetStatus(status) => exchange.status = syntax::status(*status)?,
    }
    Ok(())
}

/// The name in lower case, and the value unless it is absent.
fn field(
    phase: &Phase,
    before: &Exchange,
    header: &Header,
) -> Result<(String, Option<String>), String> {
    let name = syntax::field_name(&header.name)?;
    let value = resolve(phase, before, &header.value, Destination::Text)?;
    syntax::field_text(value.as_deref().unwrap_or_default())?;
    Ok((name, value))
}

/// A path, which has no dot segments if it is made of inputs.
fn new_path(phase: &Phase, before: &Exchange, value: &[Part]) -> Result<Option<String>, String> {
    let path = resolve(phase, before, value, Destination::Path)?;
    let has_inputs = !value.iter().all(|part| matches!(part, Part::Literal(_)));
    if has_inputs && path.as_deref().is_some_and(has_dot_segment) {
        return Err("the new path has a dot segment: the request is answered 400".to_owned());
    }
    Ok(path)
}

fn resolve(
    phase: &Phase,
    before: &Exchange,
    value: &[Part],
    mut destination: Destination,
) -> Result<Option<String>, String> {
    let mut text = String::new();
    let mut variables = 0;
    let mut absent = 0;
    for part in value {
        let (list, position) = match part {
            Part::Literal(literal) => {
                destination = destination.behind(literal);
                text.push_str(literal);
                continue;
            }
            Part::Input(position) => (&phase.inputs, position),
            Part::Reference(position) => (&phase.references, position),
        };
        let input = list.get(*position as usize);
        let input = input.ok_or_else(|| format!("nothing was declared at position {position}"))?;
        variables += 1;
        match before.input(input) {
            Some(value) => destination.write(input, &value, &mut text),
            None => absent += 1,
        }
    }
    Ok((variables == 0 || absent < variables).then_some(text))
}
