//! Converts the types of `janua:policy@0.1`.

mod edit;
mod effect;

use tracing::Level;
use wasmtime::component::{HasSelf, Linker};

use super::{RawPhase, RawSubscription, Reuse, Unusable};
use crate::bindings::v0_1::janua::policy::values as raw;
use crate::bindings::v0_1::janua::policy::{effects, log, subscriptions, verdicts};
use crate::component::Description;
use crate::input::{Input, Lookup, Phase, PrefixLengths, for_each_input};
use crate::permission::Permission;
use crate::rules::{self, Place, RawPart, Rules, Violation};
use crate::said::said;
use crate::state::HostState;
use crate::verdict::{Annotation, Outcome, Reply, Value, Verdict};

/// The maximum length of each text of a description, in bytes.
const MAX_DESCRIPTION: usize = 1024;

/// Links the interfaces that a policy of this version may import.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Own = HasSelf<HostState>;
    raw::add_to_linker::<_, Own>(linker, |state| state)?;
    subscriptions::add_to_linker::<_, Own>(linker, |state| state)?;
    effects::add_to_linker::<_, Own>(linker, |state| state)?;
    verdicts::add_to_linker::<_, Own>(linker, |state| state)?;
    log::add_to_linker::<_, Own>(linker, |state| state)
}

impl raw::Host for HostState {}
impl subscriptions::Host for HostState {}
impl effects::Host for HostState {}
impl verdicts::Host for HostState {}

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

pub(crate) fn description(raw: subscriptions::Description) -> Description {
    Description {
        name: said(&raw.name, MAX_DESCRIPTION),
        version: said(&raw.version, MAX_DESCRIPTION),
        summary: said(&raw.summary, MAX_DESCRIPTION),
        config_schema: raw.config_schema,
    }
}

pub(crate) fn subscription(raw: subscriptions::Subscription) -> Result<RawSubscription, Violation> {
    let phases = raw.phases.into_iter().map(phase);
    Ok(RawSubscription {
        phases: phases.collect::<Result<_, _>>()?,
        owns: raw.owns,
        variables: raw.variables,
        uses: raw.uses,
        more: raw.more.into_iter().map(|named| named.name).collect(),
    })
}

fn phase(raw: subscriptions::Phase) -> Result<RawPhase, Violation> {
    let inputs = |list: &[subscriptions::Input]| {
        let converted = list
            .iter()
            .map(|raw_input| input(raw_input, &raw.references));
        converted.collect::<Result<_, Violation>>()
    };
    Ok(RawPhase {
        inputs: inputs(&raw.inputs)?,
        references: inputs(&raw.references)?,
        name: raw.name,
        sensitive: raw.sensitive,
        may: raw.may,
    })
}

/// Checks and converts the payload of an input's case.
macro_rules! argument {
    (field $value:ident $references:ident) => {
        rules::field_name_to_read($value)?
    };
    (name $value:ident $references:ident) => {
        rules::name_to_read($value)?
    };
    (limit $value:ident $references:ident) => {
        *$value
    };
    (network $value:ident $references:ident) => {
        network($value)?
    };
    (lookup $value:ident $references:ident) => {
        Box::new(lookup($value, $references)?)
    };
}

/// Converts an input. In this version the variant has the same cases as the table, under
/// the same names.
macro_rules! define_conversion {
    ($($(#[$doc:meta])* $Input:ident $(($kind:ident))?: $row:expr;)*) => {
        fn input(
            raw: &subscriptions::Input,
            references: &[subscriptions::Input],
        ) -> Result<Input, Violation> {
            Ok(match raw {
                $(subscriptions::Input::$Input $(($kind))? =>
                    Input::$Input $((argument!($kind $kind references)))?,)*
                subscriptions::Input::Named(named) => return Err(unknown("input", &named.name)),
            })
        }
    };
}

for_each_input!(define_conversion);

fn network(raw: &subscriptions::PrefixLengths) -> Result<PrefixLengths, Violation> {
    match raw.ipv4 <= 32 && raw.ipv6 <= 128 {
        true => Ok(PrefixLengths {
            ipv4: raw.ipv4,
            ipv6: raw.ipv6,
        }),
        false => Err(format!(
            "a prefix has at most 32 bits of an IPv4 and 128 of an IPv6 address, and not {} and {}",
            raw.ipv4, raw.ipv6
        )),
    }
}

fn lookup(
    raw: &subscriptions::Lookup,
    references: &[subscriptions::Input],
) -> Result<Lookup, Violation> {
    let key = usize::try_from(raw.key)
        .ok()
        .and_then(|at| references.get(at));
    let key = match key {
        Some(subscriptions::Input::Lookup(_)) => {
            return Err("the key of a look-up is a look-up itself".to_owned());
        }
        Some(key) => input(key, &[])?,
        None => {
            return Err(format!(
                "a look-up points at reference {}, and there are {}",
                raw.key,
                references.len()
            ));
        }
    };
    Ok(Lookup {
        dataset: raw.dataset.as_str().into(),
        key,
        member: raw.member.as_str().into(),
    })
}

/// The message about a case that this version does not know.
fn unknown(kind: &str, name: &str) -> Violation {
    format!("this version does not know the {kind} {name:?}")
}

/// Whether the verdict is to answer instead of the target.
pub(crate) fn answers(raw: &verdicts::Verdict) -> bool {
    !matches!(raw.outcome, verdicts::Outcome::Proceed)
}

/// Checks and converts a verdict.
pub(crate) fn verdict(
    raw: verdicts::Verdict,
    rules: &Rules<'_>,
) -> Result<(Verdict, Reuse), Unusable> {
    rules::at_most(
        "edits",
        raw.edits.len() + raw.response_edits.len(),
        rules::MAX_EDITS,
    )?;
    rules::at_most("effects", raw.effects.len(), rules::MAX_EFFECTS)?;
    rules::at_most("annotations", raw.annotations.len(), rules::MAX_ANNOTATIONS)?;
    if !raw.response_edits.is_empty() {
        rules.only_in(&[Phase::Request, Phase::Missing], "response-edits")?;
    }
    let outcome = outcome(raw.outcome, rules)?;
    let edits = raw.edits.into_iter().map(|raw| edit::of_phase(raw, rules));
    let edits = edits.collect::<Result<_, Violation>>()?;
    let response_edits = raw.response_edits.into_iter();
    let response_edits = response_edits
        .map(|raw| edit::of_response(raw, rules))
        .collect::<Result<_, Violation>>()?;
    let effects = raw
        .effects
        .into_iter()
        .map(|raw| effect::effect(raw, rules));
    let effects = effects.collect::<Result<_, Unusable>>()?;
    let annotations = raw
        .annotations
        .into_iter()
        .map(|raw| annotation(raw, rules));
    let annotations = annotations.collect::<Result<_, Violation>>()?;
    let reuse = match raw.reuse {
        verdicts::Reuse::Never => Reuse::Never,
        verdicts::Reuse::UntilReload => Reuse::UntilReload,
        verdicts::Reuse::Seconds(seconds) => Reuse::Seconds(seconds),
        verdicts::Reuse::Until(moment) => Reuse::Until(moment),
        verdicts::Reuse::Named(named) => return Err(unknown("reuse", &named.name).into()),
    };
    let verdict = Verdict {
        outcome,
        edits,
        response_edits,
        effects,
        annotations,
    };
    Ok((verdict, reuse))
}

fn outcome(raw: verdicts::Outcome, rules: &Rules<'_>) -> Result<Outcome, Violation> {
    let may = &rules.plan.may;
    Ok(match raw {
        verdicts::Outcome::Proceed => Outcome::Proceed,
        verdicts::Outcome::Respond(answer) => {
            let before_the_end = [
                Phase::Request,
                Phase::Fetched,
                Phase::Missing,
                Phase::Response,
            ];
            rules.only_in(&before_the_end, "respond")?;
            rules.declared(may.has(&Permission::Respond), &Permission::Respond)?;
            Outcome::Respond(reply(answer, rules)?)
        }
        verdicts::Outcome::Serve(path) => {
            rules.only_in(&[Phase::Missing], "serve")?;
            rules.declared(may.has(&Permission::Serve), &Permission::Serve)?;
            Outcome::Serve(value(path, Place::Target, rules)?)
        }
        verdicts::Outcome::Named(named) => return Err(unknown("outcome", &named.name)),
    })
}

fn annotation(raw: verdicts::Annotation, rules: &Rules<'_>) -> Result<Annotation, Violation> {
    let value = value(raw.value, Place::Key, rules)?;
    if rules.plan.has_secret(&value) {
        return Err("an annotation contains a secret".to_owned());
    }
    Ok(Annotation {
        name: rules::annotation_name(&raw.name)?,
        value,
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
            let name = rules::reply_field_name(&raw.name)?;
            if &*name == "set-cookie" {
                rules.response_header(&name)?;
            }
            Ok((name, value(raw.value, Place::Field, rules)?))
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
        raw.into_iter().map(|part| {
            Ok(match part {
                raw::Part::Literal(text) => RawPart::Literal(text),
                raw::Part::Input(at) => RawPart::Input(at),
                raw::Part::Reference(at) => RawPart::Reference(at),
                raw::Part::Named(named) => return Err(unknown("part of a value", &named.name)),
            })
        }),
    )
}

#[cfg(test)]
mod tests;
