//! What came of the calls, as data, in which no sensitive value is left.

use std::time::Duration;

use janua_proxy::rehearsal::{Asked, CarriedOut, Heads, Lines};
use janua_wasm::{Decision, Input, KeyPart, MissingGrants, Phase, Plan, Policy, Trial};
use serde_json::{Map, Value, json};

use super::capture::Line;
use super::shown::Secrets;
use super::verdict::{self, Parts};

/// The calls of one policy about one exchange.
pub(super) struct Report {
    pub(super) name: String,
    pub(super) component: String,
    /// The line with the grants that nobody has given.
    pub(super) grants: Option<String>,
    /// The secrets and datasets that it uses and does not have, as grants are written.
    pub(super) lacks: Vec<String>,
    /// What was logged while the policy was configured.
    pub(super) configuring: Vec<(&'static str, String)>,
    pub(super) asked: Vec<PhaseReport>,
    /// The phases in which it was not asked, and why.
    pub(super) left_out: Vec<(Phase, &'static str)>,
}

/// The call in one phase.
pub(super) struct PhaseReport {
    pub(super) phase: Phase,
    pub(super) inputs: Vec<(String, Value)>,
    /// None if the verdict has no key.
    pub(super) key: Option<Vec<(String, Value)>>,
    pub(super) result: Result<VerdictReport, Problem>,
    pub(super) log: Vec<(&'static str, String)>,
    pub(super) cost: Cost,
    /// What is wrong with the verdict although it could be carried out.
    pub(super) violation: Option<String>,
}

pub(super) struct VerdictReport {
    pub(super) parts: Parts,
    pub(super) changes: Vec<Change>,
    pub(super) annotations: Vec<(String, Value)>,
    pub(super) served: Option<Value>,
    pub(super) reuse: Reuse,
}

/// Why there is no verdict, or none that can be carried out.
pub(super) struct Problem {
    /// The word in the access log.
    pub(super) word: &'static str,
    pub(super) message: String,
    /// The status with which the request is refused. None if it goes on without the policy.
    pub(super) status: Option<u16>,
}

/// A line of a head, before and after.
pub(super) struct Change {
    /// `path`, `query`, `status`, `request` or `response`.
    pub(super) what: &'static str,
    /// The field, if it is one.
    pub(super) field: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// Whether the verdict is reused.
pub(super) enum Reuse {
    UntilReload,
    /// For so many milliseconds, until this second.
    Until(u64, u64),
    /// Not, for this reason.
    Not(&'static str),
}

pub(super) struct Cost {
    pub(super) instance: Option<Duration>,
    pub(super) first: Duration,
    pub(super) second: Option<Duration>,
    pub(super) deadline: Duration,
    pub(super) memory: Option<usize>,
    pub(super) memory_limit: usize,
}

impl Report {
    pub(super) fn new(
        policy: &Policy,
        assumed: Option<MissingGrants>,
        configuring: &[Line],
    ) -> Self {
        let description = policy.component().description();
        Self {
            name: policy.name().to_string(),
            component: format!("{} {}", description.name, description.version),
            grants: assumed.map(|missing| missing.line),
            lacks: Vec::new(),
            configuring: said(configuring, &Secrets::default()),
            asked: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn leave_out(&mut self, phase: Phase, why: &'static str) {
        self.left_out.push((phase, why));
    }

    pub(super) fn add(
        &mut self,
        policy: &Policy,
        phase: Phase,
        asked: &Asked,
        log: Vec<Line>,
        secrets: &mut Secrets,
    ) {
        secrets.add(&asked.secrets);
        if let Some(Ok(carried)) = &asked.carried_out {
            secrets.add(&verdict::secrets(carried));
        }
        if let Some(plan) = policy.plan(phase) {
            self.asked
                .push(PhaseReport::new(policy, phase, plan, asked, &log, secrets));
        }
    }

    /// Whether there was a call, and each verdict is valid and could be carried out.
    pub(super) fn is_valid(&self) -> bool {
        let mut asked = self.asked.iter();
        !self.asked.is_empty()
            && asked.all(|phase| phase.result.is_ok() && phase.violation.is_none())
    }

    pub(super) fn json(&self) -> Value {
        let left_out = self.left_out.iter();
        json!({
            "policy": self.name,
            "component": self.component,
            "assumed_grants": self.grants,
            "missing": self.lacks,
            "configuring_log": log_json(&self.configuring),
            "valid": self.is_valid(),
            "phases": self.asked.iter().map(PhaseReport::json).collect::<Value>(),
            "not_asked": left_out
                .map(|(phase, why)| json!({ "phase": phase.name(), "why": why }))
                .collect::<Value>(),
        })
    }
}

impl PhaseReport {
    fn new(
        policy: &Policy,
        phase: Phase,
        plan: &Plan,
        asked: &Asked,
        log: &[Line],
        secrets: &Secrets,
    ) -> Self {
        let trial = &asked.trial;
        let inputs = plan.inputs.iter().zip(&trial.inputs);
        let second = trial.second.as_ref();
        Self {
            phase,
            inputs: inputs
                .zip(&plan.sensitive)
                .map(|((input, value), sensitive)| {
                    let bytes = value.as_ref().map(String::as_bytes);
                    let value = match bytes {
                        Some(bytes) if *sensitive => super::shown::secret(bytes),
                        bytes => secrets.value(bytes),
                    };
                    (input.to_string(), value)
                })
                .collect(),
            key: trial.key.as_deref().map(|key| key_parts(key, secrets)),
            result: result(policy, asked, secrets),
            log: said(log, secrets),
            cost: Cost {
                instance: trial.instance,
                first: trial.first,
                second: second.map(|second| second.cost),
                deadline: policy.spec().deadline,
                memory: trial.memory,
                memory_limit: policy.spec().memory_limit,
            },
            violation: violation(trial, secrets),
        }
    }

    fn json(&self) -> Value {
        let mut page = Map::new();
        let mut add = |name: &str, value: Value| page.insert(name.to_owned(), value);
        let inputs = |inputs: &[(String, Value)]| -> Value {
            let inputs = inputs.iter();
            inputs
                .map(|(input, value)| json!({ "input": input, "value": value }))
                .collect()
        };
        add("phase", self.phase.name().into());
        add("inputs", inputs(&self.inputs));
        add("key", self.key.as_deref().map(inputs).into());
        match &self.result {
            Ok(verdict) => {
                add("verdict", verdict.json());
                add("violation", self.violation.as_deref().into());
            }
            Err(problem) => {
                add(
                    "failure",
                    json!({
                        "word": problem.word,
                        "message": problem.message,
                        "status": problem.status,
                    }),
                );
            }
        }
        add("log", log_json(&self.log));
        add("cost", self.cost.json());
        Value::Object(page)
    }
}

impl VerdictReport {
    fn new(policy: &Policy, asked: &Asked, carried: &CarriedOut, secrets: &Secrets) -> Self {
        let annotations = carried.annotations.iter();
        let served = carried.served.as_deref();
        Self {
            parts: verdict::parts(carried, secrets),
            changes: changes(&asked.before, &carried.after, secrets),
            annotations: annotations
                .map(|(name, value)| (name.clone(), secrets.value(Some(value))))
                .collect(),
            served: served.map(|path| secrets.value(Some(path))),
            reuse: match policy.spec().memo {
                true => Reuse::of(&asked.trial, asked.unix_seconds),
                false => Reuse::Not("the configuration of the policy turns it off"),
            },
        }
    }

    fn json(&self) -> Value {
        let items = |items: &[verdict::Item], key: &str| -> Value {
            items.iter().map(|item| item.json(key)).collect()
        };
        let changes = self.changes.iter().map(|change| {
            json!({
                "of": change.what,
                "field": Some(&change.field).filter(|field| !field.is_empty()),
                "before": change.before,
                "after": change.after,
            })
        });
        let annotations = self.annotations.iter();
        let annotations = annotations.map(|(name, value)| json!({ "name": name, "value": value }));
        json!({
            "outcome": self.parts.outcome.json("outcome"),
            "served": self.served,
            "edits": items(&self.parts.edits, "edit"),
            "response_edits": items(&self.parts.response_edits, "edit"),
            "effects": items(&self.parts.effects, "effect"),
            "annotations": annotations.collect::<Value>(),
            "changes": changes.collect::<Value>(),
            "reuse": self.reuse.json(),
        })
    }
}

impl Reuse {
    fn of(trial: &Trial, unix_seconds: u64) -> Self {
        let later = trial.second.as_ref().and_then(|second| {
            let same = second.result.as_ref().ok()?;
            same.reuse_ms
        });
        match (trial.kept_ms, later, &trial.key) {
            (Some(u64::MAX), ..) => Self::UntilReload,
            (Some(ms), ..) => Self::Until(ms, unix_seconds.saturating_add(ms / 1000)),
            (None, Some(_), None) => Self::Not("its key is too long"),
            (None, Some(_), Some(_)) => Self::Not(
                "this call read a clock or random numbers; that of the next request may be reused",
            ),
            (None, None, _) => {
                Self::Not("the verdict says so, or the call read a clock or random numbers")
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::UntilReload => json!({ "reused": true, "until_unix": null }),
            Self::Until(_, until) => json!({ "reused": true, "until_unix": until }),
            Self::Not(why) => json!({ "reused": false, "why": why }),
        }
    }
}

impl Cost {
    fn json(&self) -> Value {
        let us = |cost: Duration| u64::try_from(cost.as_micros()).unwrap_or(u64::MAX);
        json!({
            "instance_us": self.instance.map(us),
            "first_us": us(self.first),
            "second_us": self.second.map(us),
            "deadline_us": us(self.deadline),
            "memory_bytes": self.memory,
            "memory_limit_bytes": self.memory_limit,
        })
    }
}

fn result(policy: &Policy, asked: &Asked, secrets: &Secrets) -> Result<VerdictReport, Problem> {
    let refused = |failure: &janua_http::Failure| Problem {
        word: failure.kind.word(),
        message: secrets.text(&failure.to_string()),
        status: Some(failure.kind.status()),
    };
    match (&asked.carried_out, &asked.trial.decision) {
        (Some(Ok(carried)), _) => Ok(VerdictReport::new(policy, asked, carried, secrets)),
        (Some(Err(failure)), _) => Err(refused(failure)),
        (None, Decision::Failed(failure)) => Err(Problem {
            word: failure.kind.word(),
            message: secrets.text(&failure.to_string()),
            status: asked.refusal.as_ref().map(|failure| failure.kind.status()),
        }),
        (None, _) => Err(match &asked.refusal {
            Some(failure) => refused(failure),
            None => Problem {
                word: "unknown",
                message: "there is no verdict".to_owned(),
                status: None,
            },
        }),
    }
}

/// What the second call says against the first.
fn violation(trial: &Trial, secrets: &Secrets) -> Option<String> {
    let second = trial.second.as_ref()?;
    match &second.result {
        Err(failure) => {
            let why = secrets.text(&failure.to_string());
            Some(format!("a second call with the same inputs failed: {why}"))
        }
        Ok(same) if !same.is_same && trial.kept_ms.is_some() => {
            Some("the policy wrongly allows reuse: the same inputs gave another verdict".to_owned())
        }
        Ok(_) => None,
    }
}

fn key_parts(key: &[(Input, KeyPart)], secrets: &Secrets) -> Vec<(String, Value)> {
    let parts = key.iter().map(|(input, part)| {
        let value = match part {
            KeyPart::Absent => Value::Null,
            KeyPart::Plain(bytes) => secrets.value(Some(bytes)),
            KeyPart::Mac(mac) => {
                let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({ "mac": mac })
            }
        };
        (input.to_string(), value)
    });
    parts.collect()
}

fn changes(before: &Heads, after: &Heads, secrets: &Secrets) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |what, before: Option<&[u8]>, after: Option<&[u8]>| {
        if before != after {
            changes.push(Change {
                what,
                field: String::new(),
                before: secrets.value(before),
                after: secrets.value(after),
            });
        }
    };
    add("path", Some(&before.path), Some(&after.path));
    add("query", before.query.as_deref(), after.query.as_deref());
    let status = |heads: &Heads| {
        heads
            .response
            .as_ref()
            .map(|(status, _)| status.to_string())
    };
    let (old, new) = (status(before), status(after));
    add(
        "status",
        old.as_ref().map(String::as_bytes),
        new.as_ref().map(String::as_bytes),
    );
    let none = Lines::new();
    let response = |heads: &'_ Heads| heads.response.as_ref().map(|(_, lines)| lines.clone());
    let (old, new) = (response(before), response(after));
    changes.extend(fields("request", &before.request, &after.request, secrets));
    let old = old.as_ref().unwrap_or(&none);
    let new = new.as_ref().unwrap_or(&none);
    changes.extend(fields("response", old, new, secrets));
    changes
}

/// The fields whose lines differ, each once, with the lines before and after.
fn fields(what: &'static str, before: &Lines, after: &Lines, secrets: &Secrets) -> Vec<Change> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for (name, _) in before.iter().chain(after) {
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |lines: &Lines, name: &[u8]| -> Vec<Vec<u8>> {
        let lines = lines.iter();
        lines
            .filter(|(line, _)| line.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .collect()
    };
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (of(before, &name), of(after, &name));
        if old == new {
            continue;
        }
        let field = String::from_utf8_lossy(&name).into_owned();
        let shown = |lines: Vec<Vec<u8>>| match &lines[..] {
            [] => Value::Null,
            [one] => secrets.field(&field, Some(one)),
            many => many
                .iter()
                .map(|line| secrets.field(&field, Some(line)))
                .collect(),
        };
        changes.push(Change {
            what,
            before: shown(old),
            after: shown(new),
            field,
        });
    }
    changes
}

fn said(lines: &[Line], secrets: &Secrets) -> Vec<(&'static str, String)> {
    let lines = lines.iter();
    lines
        .map(|line| (line.level, secrets.text(&line.message)))
        .collect()
}

fn log_json(lines: &[(&'static str, String)]) -> Value {
    let lines = lines.iter();
    lines
        .map(|(level, message)| json!({ "level": level, "message": message }))
        .collect()
}
