//! Converts edits: checks the phase of each, and that it was declared.

use super::{raw, unknown, value, verdicts};
use crate::input::Phase;
use crate::permission::Permission;
use crate::rules::{self, Place, Rules, Violation};
use crate::verdict::{Edit, Value};

/// The head that an edit changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Request,
    Response,
}

/// Converts an edit of the head that the phase is about.
pub(super) fn of_phase(raw: verdicts::Edit, rules: &Rules<'_>) -> Result<Edit, Violation> {
    let head = match rules.phase {
        Phase::Request => Head::Request,
        Phase::Fetched | Phase::Response => Head::Response,
        // In these phases there is no head to edit.
        Phase::Missing | Phase::Finished => return variable_only(raw, rules),
    };
    edit(raw, head, rules)
}

/// Converts an edit of the response that is delivered in the end.
pub(super) fn of_response(raw: verdicts::Edit, rules: &Rules<'_>) -> Result<Edit, Violation> {
    match raw {
        verdicts::Edit::SetVariable(_) => {
            Err("`set-variable` belongs to `edits`, and was given in `response-edits`".to_owned())
        }
        raw => edit(raw, Head::Response, rules),
    }
}

fn variable_only(raw: verdicts::Edit, rules: &Rules<'_>) -> Result<Edit, Violation> {
    match (raw, rules.phase) {
        (raw @ verdicts::Edit::SetVariable(_), Phase::Missing) => edit(raw, Head::Response, rules),
        _ => Err(format!(
            "there is no head to edit in the phase `{}`",
            rules.phase.name()
        )),
    }
}

fn edit(raw: verdicts::Edit, head: Head, rules: &Rules<'_>) -> Result<Edit, Violation> {
    let name = |name: &str| match head {
        Head::Request => rules.header(name),
        Head::Response => rules.response_header(name),
    };
    let header = |raw: raw::Header| -> Result<(Box<str>, Value), Violation> {
        Ok((name(&raw.name)?, value(raw.value, Place::Field, rules)?))
    };
    let only_of = |of: Head, permission: Permission| match head == of {
        true => rules.declared(rules.plan.may.has(&permission), &permission),
        false => Err(format!(
            "`{permission}` is not possible {}",
            match head {
                Head::Request => "for a request",
                Head::Response => "for a response",
            }
        )),
    };
    Ok(match raw {
        verdicts::Edit::SetHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::SetHeader { name, value }
        }
        verdicts::Edit::AppendHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::AppendHeader { name, value }
        }
        verdicts::Edit::DefaultHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::DefaultHeader { name, value }
        }
        verdicts::Edit::RemoveHeader(raw) => Edit::RemoveHeader(name(&raw)?),
        verdicts::Edit::SetPath(raw) => {
            only_of(Head::Request, Permission::SetPath)?;
            Edit::SetPath(value(raw, Place::Target, rules)?)
        }
        verdicts::Edit::SetQuery(raw) => {
            only_of(Head::Request, Permission::SetQuery)?;
            Edit::SetQuery(value(raw, Place::Target, rules)?)
        }
        verdicts::Edit::SetStatus(status) => {
            only_of(Head::Response, Permission::SetStatus)?;
            Edit::SetStatus(rules::status(status)?)
        }
        verdicts::Edit::SetVariable(raw) => {
            let value = value(raw.value, Place::Key, rules)?;
            Edit::SetVariable {
                name: rules.variable(&raw.name)?,
                is_secret: rules.plan.has_secret(&value),
                value,
            }
        }
        verdicts::Edit::Named(named) => return Err(unknown("edit", &named.name)),
    })
}
