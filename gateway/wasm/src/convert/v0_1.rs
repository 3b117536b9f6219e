//! Converts the types of `janua:policy@0.1`.

mod effect;

use tracing::Level;
use wasmtime::component::{HasSelf, Linker};

use super::{RawPhase, RawSubscription, Reuse, Unusable};
use crate::bindings::v0_1::janua::policy::{log, types as raw};
use crate::component::Description;
use crate::input::{Input, Phase, for_each_input};
use crate::rules::{self, Place, RawPart, Rules, Violation};
use crate::said::said;
use crate::state::HostState;
use crate::verdict::{Edit, Outcome, Reply, Value, Verdict};

/// The maximum length of each text of a description, in bytes.
const MAX_DESCRIPTION: usize = 1024;

/// Links the interfaces that a policy of this version may import.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    raw::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl raw::Host for HostState {}

impl log::Host for HostState {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.log.line(level, &message);
        Ok(())
    }
}

pub(crate) fn description(raw: raw::Description) -> Description {
    Description {
        name: said(&raw.name, MAX_DESCRIPTION),
        version: said(&raw.version, MAX_DESCRIPTION),
        summary: said(&raw.summary, MAX_DESCRIPTION),
        config_schema: raw.config_schema,
    }
}

pub(crate) fn subscription(raw: raw::Subscription) -> Result<RawSubscription, Violation> {
    let phase = |raw: Option<raw::Phase>| raw.map(phase).transpose();
    Ok(RawSubscription {
        request: phase(raw.request)?,
        fetched: phase(raw.fetched)?,
        missing: phase(raw.missing)?,
        response: phase(raw.response)?,
    })
}

fn phase(raw: raw::Phase) -> Result<RawPhase, Violation> {
    let inputs = |list: Vec<raw::Input>| {
        list.into_iter()
            .map(input)
            .collect::<Result<_, Violation>>()
    };
    Ok(RawPhase {
        inputs: inputs(raw.inputs)?,
        references: inputs(raw.references)?,
        sensitive: raw.sensitive,
    })
}

/// Checks and converts the payload of an input's case.
macro_rules! argument {
    (field $value:ident) => {
        rules::field_name_to_read(&$value)?
    };
    (name $value:ident) => {
        rules::name_to_read(&$value)?
    };
    (limit $value:ident) => {
        $value
    };
}

/// Converts an input. In this version the variant has the same cases as the table, under
/// the same names.
macro_rules! define_conversion {
    ($($(#[$doc:meta])* $Input:ident $(($kind:ident))?: $row:expr;)*) => {
        fn input(raw: raw::Input) -> Result<Input, Violation> {
            Ok(match raw {
                $(raw::Input::$Input $(($kind))? => Input::$Input $((argument!($kind $kind)))?,)*
            })
        }
    };
}

for_each_input!(define_conversion);

/// Checks and converts a verdict.
pub(crate) fn verdict(raw: raw::Verdict, rules: &Rules<'_>) -> Result<(Verdict, Reuse), Unusable> {
    rules::at_most("edits", raw.edits.len(), rules::MAX_EDITS)?;
    rules::at_most("effects", raw.effects.len(), rules::MAX_EFFECTS)?;
    let outcome = match raw.outcome {
        raw::Outcome::Proceed => Outcome::Proceed,
        raw::Outcome::Respond(answer) => Outcome::Respond(reply(answer, rules)?),
        raw::Outcome::Serve(path) => {
            rules.only_in(&[Phase::Missing], "serve")?;
            Outcome::Serve(value(path, Place::Target, rules)?)
        }
    };
    let edits = raw
        .edits
        .into_iter()
        .map(|raw| edit(raw, rules))
        .collect::<Result<_, Violation>>()?;
    let effects = raw
        .effects
        .into_iter()
        .map(|raw| effect::effect(raw, rules))
        .collect::<Result<_, Unusable>>()?;
    let note = raw
        .note
        .map(|note| rules::word("the note", &note))
        .transpose()?;
    let reuse = match raw.reuse {
        raw::Reuse::Never => Reuse::Never,
        raw::Reuse::UntilReload => Reuse::UntilReload,
        raw::Reuse::Seconds(seconds) => Reuse::Seconds(seconds),
    };
    let verdict = Verdict {
        outcome,
        edits,
        effects,
        note,
    };
    Ok((verdict, reuse))
}

fn edit(raw: raw::Edit, rules: &Rules<'_>) -> Result<Edit, Violation> {
    let header = |raw: raw::Header| -> Result<(Box<str>, Value), Violation> {
        Ok((
            rules::field_name(&raw.name)?,
            value(raw.value, Place::Field, rules)?,
        ))
    };
    Ok(match raw {
        raw::Edit::SetHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::SetHeader { name, value }
        }
        raw::Edit::AppendHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::AppendHeader { name, value }
        }
        raw::Edit::DefaultHeader(raw) => {
            let (name, value) = header(raw)?;
            Edit::DefaultHeader { name, value }
        }
        raw::Edit::RemoveHeader(name) => Edit::RemoveHeader(rules::field_name(&name)?),
        raw::Edit::SetPath(raw) => {
            rules.only_in(&[Phase::Request], "set-path")?;
            Edit::SetPath(value(raw, Place::Target, rules)?)
        }
        raw::Edit::SetQuery(raw) => {
            rules.only_in(&[Phase::Request], "set-query")?;
            Edit::SetQuery(value(raw, Place::Target, rules)?)
        }
        raw::Edit::SetStatus(status) => {
            let with_response = [Phase::Fetched, Phase::Missing, Phase::Response];
            rules.only_in(&with_response, "set-status")?;
            Edit::SetStatus(rules::status(status)?)
        }
    })
}

fn reply(raw: raw::Reply, rules: &Rules<'_>) -> Result<Reply, Violation> {
    rules::at_most(
        "fields of a reply",
        raw.headers.len(),
        rules::MAX_REPLY_FIELDS,
    )?;
    let headers = raw
        .headers
        .into_iter()
        .map(|raw| {
            Ok((
                rules::reply_field_name(&raw.name)?,
                value(raw.value, Place::Field, rules)?,
            ))
        })
        .collect::<Result<_, Violation>>()?;
    let body = match raw.body {
        raw::Content::Empty => Vec::new(),
        raw::Content::Text(text) => text.into_bytes(),
        raw::Content::Bytes(bytes) => bytes,
    };
    Ok(Reply {
        status: rules::status(raw.status)?,
        headers,
        body: rules::body(body)?,
    })
}

fn value(raw: raw::Value, place: Place, rules: &Rules<'_>) -> Result<Value, Violation> {
    rules.value(
        place,
        raw.into_iter().map(|part| match part {
            raw::Part::Literal(text) => RawPart::Literal(text),
            raw::Part::Input(at) => RawPart::Input(at),
            raw::Part::Reference(at) => RawPart::Reference(at),
        }),
    )
}

#[cfg(test)]
mod tests;
