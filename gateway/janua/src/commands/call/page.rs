//! The report for a person.

use std::time::Duration;

use serde_json::{Map, Value};

use super::report::{Change, Cost, PhaseReport, Report, Reuse, VerdictReport};
use super::shown::person;
use super::verdict::Item;
use crate::commands::table::{duration, size, wrapped};

/// The column at which the values of a section begin.
const COLUMN: usize = 12;

pub(super) fn page(report: &Report) -> String {
    let mut page = format!("{}, as the policy `{}`\n", report.component, report.name);
    if let Some(line) = &report.grants {
        page.push_str("it is called as if it had the grants that it needs:\n");
        page.push_str(&wrapped(line, 2, 4));
    }
    if !report.lacks.is_empty() {
        let names = report.lacks.join(", ");
        let text = format!("only --gateway gives it what it uses: {names}");
        page.push_str(&wrapped(&text, 0, 2));
    }
    if !report.configuring.is_empty() {
        page.push_str("\nconfiguring\n");
        log(&mut page, &report.configuring);
    }
    for phase in &report.asked {
        page.extend(["\n", phase.phase.name(), "\n"]);
        phase_of(&mut page, phase);
    }
    if !report.left_out.is_empty() {
        page.push_str("\nnot asked\n");
        for (phase, why) in &report.left_out {
            line(&mut page, phase.name(), why);
        }
    }
    page.trim_end().to_owned()
}

fn phase_of(page: &mut String, phase: &PhaseReport) {
    section(page, "inputs", &phase.inputs);
    match &phase.key {
        Some(key) if key.is_empty() => line(page, "key", "empty: one verdict for all requests"),
        Some(key) => section(page, "key", key),
        None => line(page, "key", "none"),
    }
    match &phase.result {
        Ok(verdict) => verdict_of(page, verdict),
        Err(problem) => {
            line(page, "failure", &problem.message);
            line(page, "word", problem.word);
            let becomes = match problem.status {
                Some(status) => format!("is refused with {status}"),
                None => "goes on without the policy".to_owned(),
            };
            line(page, "the request", &becomes);
        }
    }
    if let Some(violation) = &phase.violation {
        line(page, "violation", violation);
    }
    log(page, &phase.log);
    cost(page, &phase.cost);
}

fn verdict_of(page: &mut String, verdict: &VerdictReport) {
    items(
        page,
        "verdict",
        std::slice::from_ref(&verdict.parts.outcome),
    );
    if let Some(served) = &verdict.served {
        line(page, "served", &person(served));
    }
    items(page, "edits", &verdict.parts.edits);
    items(page, "of response", &verdict.parts.response_edits);
    items(page, "effects", &verdict.parts.effects);
    section(page, "log words", &verdict.annotations);
    for (at, change) in verdict.changes.iter().enumerate() {
        let title = if at == 0 { "changes" } else { "" };
        line(page, title, &changed(change));
    }
    let reuse = match &verdict.reuse {
        Reuse::UntilReload => "until a reload".to_owned(),
        Reuse::Until(ms, until) => format!("for {}, until {until}", duration(*ms)),
        Reuse::Not(why) => format!("none: {why}"),
    };
    line(page, "reuse", &reuse);
}

fn changed(change: &Change) -> String {
    let what = match change.field.is_empty() {
        true => change.what.to_owned(),
        false => format!("{} {}", change.what, change.field),
    };
    let many = |value: &Value| match value {
        Value::Array(lines) => lines.iter().map(person).collect::<Vec<_>>().join(", "),
        one => person(one),
    };
    format!(
        "{what}: {} -> {}",
        many(&change.before),
        many(&change.after)
    )
}

/// Each entry on a line of its own, its values behind its word.
fn items(page: &mut String, title: &str, items: &[Item]) {
    for (at, item) in items.iter().enumerate() {
        let title = if at == 0 { title } else { "" };
        let mut text = item.word.to_owned();
        for (name, value) in &item.details {
            text.push_str(&match (*name, value) {
                // The word says what these are.
                ("name", Value::String(name)) => format!(" {name}"),
                ("value" | "path", value) => format!(" {}", person(value)),
                (name, Value::Object(reply)) if reply.contains_key("body") => {
                    format!(", {name} {}", reply_of(reply))
                }
                ("headers", headers) => format!(", {}", headers_of(headers)),
                (name, value) => format!(", {name} {}", person(value)),
            });
        }
        let text = text.replacen(&format!("{},", item.word), item.word, 1);
        line(page, title, text.trim_end().trim_end_matches(','));
    }
}

/// A reply of an effect.
fn reply_of(reply: &Map<String, Value>) -> String {
    let part = |name| reply.get(name).unwrap_or(&Value::Null);
    let (status, body) = (person(part("status")), person(part("body")));
    match headers_of(part("headers")) {
        headers if headers.is_empty() => format!("{status} with body {body}"),
        headers => format!("{status} with {headers}, body {body}"),
    }
}

fn headers_of(headers: &Value) -> String {
    let headers = headers.as_array().into_iter().flatten();
    let headers = headers.map(|header| {
        let name = header["name"].as_str().unwrap_or_default();
        format!("{name} {}", person(&header["value"]))
    });
    headers.collect::<Vec<_>>().join(", ")
}

fn section(page: &mut String, title: &str, entries: &[(String, Value)]) {
    for (at, (name, value)) in entries.iter().enumerate() {
        let title = if at == 0 { title } else { "" };
        line(page, title, &format!("{name} = {}", person(value)));
    }
}

fn log(page: &mut String, lines: &[(&'static str, String)]) {
    for (at, (level, message)) in lines.iter().enumerate() {
        let title = if at == 0 { "log" } else { "" };
        line(page, title, &format!("{level}: {message}"));
    }
}

fn cost(page: &mut String, cost: &Cost) {
    let mut times = Vec::new();
    if let Some(instance) = cost.instance {
        times.push(format!("an instance {}", time(instance)));
    }
    times.push(format!("first call {}", time(cost.first)));
    if let Some(second) = cost.second {
        times.push(format!("second {}", time(second)));
    }
    let limit = time(cost.deadline);
    line(
        page,
        "CPU time",
        &format!("{} (limit {limit})", times.join(", ")),
    );
    if let Some(memory) = cost.memory {
        let limit = size(cost.memory_limit as u64);
        line(
            page,
            "memory",
            &format!("{} of {limit}", size(memory as u64)),
        );
    }
}

fn time(time: Duration) -> String {
    let us = time.as_micros();
    match us {
        0..10_000 => format!("{us} \u{b5}s"),
        _ => format!("{} ms", us / 1000),
    }
}

/// A line with a title, or one that continues the last title.
fn line(page: &mut String, title: &str, text: &str) {
    let text = text.replace('\n', " ");
    page.push_str(&wrapped(
        &format!("{title:<COLUMN$}{text}"),
        2,
        2 + COLUMN + 2,
    ));
}
