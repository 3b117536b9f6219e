//! The commands, and how each ends: with something for a person, the same as
//! JSON, and an exit code.

mod cache;
mod check;
mod deploy;
mod inspect;
mod reach;
mod reference;
mod reload;
mod run;
mod schema;
mod status;
mod table;
mod version;

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{Cache, Command, Policy};

/// What a command has to say.
#[derive(Debug)]
struct Answer {
    /// For a terminal; without the last newline.
    person: String,
    /// For `--json`.
    json: Value,
}

/// Done, or refused.
type Outcome = Result<Answer, Answer>;

/// Carries a command out and says what came of it.
pub(crate) fn execute(command: Command) -> ExitCode {
    let (outcome, json) = match command {
        Command::Run(run) => (run::run(run), false),
        Command::Check(check) => (check::check(&check.config), check.json),
        Command::Reload(reach) => (reload::reload(&reach), reach.json),
        Command::Status(reach) => (status::status(&reach), reach.json),
        Command::Cache(Cache::Purge(purge)) => (cache::purge(&purge), purge.reach.json),
        Command::Cache(Cache::Status(reach)) => (cache::status(&reach), reach.json),
        Command::Cache(Cache::Get(get)) => (cache::get(&get), get.reach.json),
        Command::Deploy(deploy) => (deploy::deploy(&deploy), deploy.reach.json),
        Command::Policy(Policy::Inspect(inspect)) => {
            (inspect::inspect(&inspect.file), inspect.json)
        }
        Command::Version(version) => (Ok(version::version()), version.json),
        Command::Reference(reference) => (reference::page(reference.page), false),
    };
    say(outcome, json)
}

fn say(outcome: Outcome, json: bool) -> ExitCode {
    let (answer, code) = match outcome {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(answer) => (answer, ExitCode::FAILURE),
    };
    // A reader that has seen enough, as `head` has, is no failure of ours.
    let _ = match (json, code == ExitCode::SUCCESS) {
        (true, _) => writeln!(io::stdout(), "{:#}", answer.json),
        (false, _) if answer.person.is_empty() => Ok(()),
        (false, true) => writeln!(io::stdout(), "{}", answer.person),
        (false, false) => writeln!(io::stderr(), "{}", answer.person),
    };
    code
}

impl Answer {
    fn new(person: String, json: &impl Serialize) -> Self {
        let json = serde_json::to_value(json).unwrap_or_else(|error| failure(&error.to_string()));
        Self { person, json }
    }

    /// A failure that is one sentence.
    fn failure(why: impl ToString) -> Self {
        let why = why.to_string();
        Self {
            json: failure(&why),
            person: format!("janua: {why}"),
        }
    }
}

fn failure(why: &str) -> Value {
    json!({ "error": why })
}

/// Text from outside (a component's, an upstream's, a file's) that cannot steer
/// the terminal it is shown on.
fn printable(text: &str) -> String {
    let show = |c: char| match c {
        '\n' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(show).collect()
}
