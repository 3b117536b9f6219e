//! Applies a verdict to a simulated exchange, and refuses what the gateway would refuse.

use super::Exchange;
use super::value::Values;
use crate::bindings::janua::policy::effects::Effect;
use crate::bindings::janua::policy::subscriptions::Phase;
use crate::bindings::janua::policy::values::{Content, Part, Reply};
use crate::bindings::janua::policy::verdicts::{Edit, Outcome as Decided, Verdict};
use crate::syntax;

/// The result of one phase. Effects are not carried out, but can be inspected: see
/// [`Outcome::takes`], [`Outcome::cache_rule`] and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The exchange after the edits of the verdict. The edits do not apply to `answer`.
    pub exchange: Exchange,
    /// The response made by the policy, with the response edits of the verdict.
    pub answer: Option<Answer>,
    /// The path to serve instead, in the phase `missing`.
    pub serve: Option<String>,
    /// The verdict. `None` if the policy does not subscribe to the phase.
    pub verdict: Option<Verdict>,
    /// The annotations with their values. Absent ones are left out.
    pub annotations: Vec<(String, String)>,
    /// The variables that were set, in order. `None` removes one.
    pub variables: Vec<(String, Option<String>)>,
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

    /// The annotation `note`.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.annotation("note")
    }

    /// The annotation with this name.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        let mut all = self.annotations.iter();
        let (_, value) = all.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The value that a variable was set to.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let mut all = self.variables.iter().rev();
        let (_, value) = all.find(|(known, _)| known == name)?;
        value.as_deref()
    }

    pub(super) fn untouched(exchange: &Exchange) -> Self {
        Self {
            exchange: exchange.clone(),
            answer: None,
            serve: None,
            verdict: None,
            annotations: Vec::new(),
            variables: Vec::new(),
            before: exchange.clone(),
            phase: None,
        }
    }

    /// Evaluates a value of the verdict for this exchange. `None` if it is absent.
    pub(super) fn resolve(&self, value: &[Part]) -> Option<String> {
        let values = Values::new(self.phase.as_ref()?, &self.before);
        values.text(value).ok()?
    }
}

/// Applies a verdict, which stays within its declaration. An error is the reason for which
/// the gateway would refuse it.
pub(super) fn carry_out(
    phase: &Phase,
    before: &Exchange,
    verdict: Verdict,
) -> Result<Outcome, String> {
    let values = Values::new(phase, before);
    let mut outcome = Outcome::untouched(before);
    outcome.phase = Some(phase.clone());
    match &verdict.outcome {
        Decided::Respond(reply) => outcome.answer = Some(answer(&values, reply)?),
        Decided::Serve(path) => outcome.serve = values.path(path)?,
        Decided::Proceed | Decided::Named(_) => {}
    }
    for edit in &verdict.edits {
        match edit {
            Edit::SetVariable(variable) => {
                let value = values.text(&variable.value)?;
                outcome.variables.push((variable.name.clone(), value));
            }
            edit => apply(&values, edit, &mut outcome, phase.name == "request")?,
        }
    }
    for edit in &verdict.response_edits {
        match &mut outcome.answer {
            Some(answer) => edit_fields(&values, edit, &mut answer.headers, &mut answer.status)?,
            None => apply(&values, edit, &mut outcome, false)?,
        }
    }
    for effect in &verdict.effects {
        if let Effect::CacheRule(rule) = effect {
            for line in [&rule.browser, &rule.cdn].into_iter().flatten() {
                syntax::field_text(line)?;
            }
        }
    }
    for annotation in &verdict.annotations {
        let value = values.public(&annotation.name, &annotation.value)?;
        let value = value.map(|value| (annotation.name.clone(), value));
        outcome.annotations.extend(value);
    }
    outcome.verdict = Some(verdict);
    Ok(outcome)
}

fn answer(values: &Values<'_>, reply: &Reply) -> Result<Answer, String> {
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
        let (name, value) = values.field(header)?;
        answer.headers.extend(value.map(|value| (name, value)));
    }
    Ok(answer)
}

/// Applies an edit to the request or to the response.
fn apply(
    values: &Values<'_>,
    edit: &Edit,
    outcome: &mut Outcome,
    on_request: bool,
) -> Result<(), String> {
    let exchange = &mut outcome.exchange;
    match edit {
        Edit::SetPath(path) => {
            let path = values.path(path)?;
            exchange.path = path.ok_or("the new path is absent: the request is answered 400")?;
            Ok(())
        }
        Edit::SetQuery(query) => {
            exchange.query = values.text(query)?;
            Ok(())
        }
        edit => {
            let fields = match on_request {
                true => &mut exchange.request,
                false => &mut exchange.response,
            };
            edit_fields(values, edit, fields, &mut exchange.status)
        }
    }
}

fn edit_fields(
    values: &Values<'_>,
    edit: &Edit,
    fields: &mut Vec<(String, String)>,
    status: &mut u16,
) -> Result<(), String> {
    match edit {
        Edit::SetHeader(header) => {
            let (name, value) = values.field(header)?;
            fields.retain(|(known, _)| *known != name);
            fields.extend(value.map(|value| (name, value)));
        }
        Edit::AppendHeader(header) => {
            let (name, value) = values.field(header)?;
            fields.extend(value.map(|value| (name, value)));
        }
        Edit::DefaultHeader(header) => {
            let (name, value) = values.field(header)?;
            if !fields.iter().any(|(known, _)| *known == name) {
                fields.extend(value.map(|value| (name, value)));
            }
        }
        Edit::RemoveHeader(name) => {
            let name = syntax::field_name(name)?;
            fields.retain(|(known, _)| *known != name);
        }
        Edit::SetStatus(new) => *status = syntax::status(*new)?,
        Edit::SetPath(_) | Edit::SetQuery(_) | Edit::SetVariable(_) | Edit::Named(_) => {}
    }
    Ok(())
}
