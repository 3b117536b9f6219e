//! The commands. Each ends with text for the terminal, the same as JSON, and an
//! exit code.

mod cache;
mod call;
mod candidate;
mod certs;
mod check;
mod declaration;
mod deploy;
mod discover;
mod inspect;
mod reach;
mod reference;
mod reload;
mod routes;
mod run;
mod schema;
mod status;
mod table;
mod upstream;
mod version;

use std::io::{self, Write as _};
use std::process::ExitCode;

use janua_wasm::Confinement;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{Cache, CertsCommand, Command, Discover, Policy, Upstream};

/// The output of a command.
#[derive(Debug)]
struct Output {
    /// Text for a terminal, without the last newline.
    person: String,
    /// For `--json`.
    json: Value,
}

/// The output of a command that succeeded, or of one that was refused or
/// failed.
type CommandResult = Result<Output, Output>;

/// Runs a command and prints its output.
pub(crate) fn execute(command: Command) -> ExitCode {
    let (outcome, json) = match command {
        Command::Run(run) => (run::run(run), false),
        Command::Check(check) => (check::check(&check.config), check.json),
        Command::Routes(routes) => (routes::routes(&routes), routes.json),
        Command::Reload(reach) => (reload::reload(&reach), reach.json),
        Command::Status(reach) => (status::status(&reach), reach.json),
        Command::Certs(certs) => match certs.command {
            None => (certs::certs(&certs.reach), certs.reach.json),
            Some(CertsCommand::Renew(one)) => (certs::renew(&one), one.reach.json),
            Some(CertsCommand::Revoke(one)) => (certs::revoke(&one), one.reach.json),
        },
        Command::Upstream(Upstream::List(reach)) => (upstream::list(&reach), reach.json),
        Command::Upstream(Upstream::Drain(one)) => (upstream::drain(&one), one.reach.json),
        Command::Upstream(Upstream::Undrain(one)) => (upstream::undrain(&one), one.reach.json),
        Command::Upstream(Upstream::Weight(one)) => (upstream::weight(&one), one.reach.json),
        Command::Cache(Cache::Purge(purge)) => (cache::purge(&purge), purge.reach.json),
        Command::Cache(Cache::Status(reach)) => (cache::status(&reach), reach.json),
        Command::Cache(Cache::Get(get)) => (cache::get(&get), get.reach.json),
        Command::Deploy(deploy) => (deploy::deploy(&deploy), deploy.reach.json),
        Command::Policy(Policy::Inspect(inspect)) => (inspect::inspect(&inspect), inspect.json),
        Command::Policy(Policy::Call(call)) => (call::call(&call), call.json),
        Command::Discover(Discover::Docker(docker)) => (discover::docker(docker), false),
        // Its output is for the gateway.
        Command::CompileComponent(compile) => {
            return janua_wasm::compile_component(Confinement {
                parent: compile.parent,
                niceness: compile.niceness,
                memory: compile.memory,
                cpu: compile.cpu,
            });
        }
        Command::Version(version) => (Ok(version::version()), version.json),
        Command::Reference(reference) => (reference::page(reference.page), false),
    };
    say(outcome, json)
}

fn say(outcome: CommandResult, json: bool) -> ExitCode {
    let (answer, code) = match outcome {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(answer) => (answer, ExitCode::FAILURE),
    };
    // If the reader has closed the pipe, as `head` does, that is not an error.
    let _ = match (json, code == ExitCode::SUCCESS) {
        (true, _) => writeln!(io::stdout(), "{}", plain(&format!("{:#}", answer.json))),
        (false, _) if answer.person.is_empty() => Ok(()),
        (false, true) => writeln!(io::stdout(), "{}", answer.person),
        (false, false) => writeln!(io::stderr(), "{}", answer.person),
    };
    code
}

impl Output {
    fn new(person: String, json: &impl Serialize) -> Self {
        let json = serde_json::to_value(json).unwrap_or_else(|error| failure(&error.to_string()));
        Self { person, json }
    }

    /// A failure described by one sentence.
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

/// Removes control characters from text of a component, an upstream or a file,
/// so that it cannot control the terminal.
fn printable(text: &str) -> String {
    let show = |c: char| match c {
        '\n' => c,
        c if janua_wasm::is_hidden(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(show).collect()
}

/// JSON with the same meaning, in which such characters are escaped. They only occur in
/// strings: JSON has no others outside of them but the line ends.
fn plain(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        match janua_wasm::is_hidden(c) && c != '\n' {
            // All of them have four digits.
            true => plain.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{plain, printable};

    #[test]
    fn no_text_controls_the_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}m\u{202e}b\u{2028}\u{7f}";
        let shown = "a\u{fffd}[2J\u{fffd}m\u{fffd}b\u{fffd}\u{fffd}";
        assert_eq!(printable(hostile), shown);
        let value = json!({ "a": [hostile], hostile: "\n\t\u{e9}" });
        let text = plain(&format!("{value:#}"));
        let mut characters = text.chars().filter(|&c| c != '\n');
        assert!(!characters.any(janua_wasm::is_hidden), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
