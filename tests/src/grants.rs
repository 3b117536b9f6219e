//! The grants of policies that are not bundled.

use std::fmt::Display;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::gateway::binary;

/// The text before the line to paste in the message about missing grants.
const BEFORE_LINE: &str = "write in its section: ";

/// A configuration in which each policy has the grants that `janua check` says it lacks, as an
/// operator would paste them. For tests that are about something else.
#[must_use]
pub fn granted(config: impl Display) -> String {
    let mut config = config.to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("janua.toml");
    // A route with a deadline of its own has the policy configured once more.
    for _ in 0..4 {
        fs::write(&file, &config).unwrap();
        let output = Command::new(binary())
            .args(["check", "--json"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&output.stdout)
            .or_else(|_| serde_json::from_slice(&output.stderr))
            .unwrap_or_default();
        let errors = found["errors"].as_array().cloned().unwrap_or_default();
        let messages = errors.iter().filter_map(|error| error["message"].as_str());
        let lines: Vec<(&str, &str)> = messages.filter_map(missing).collect();
        if lines.is_empty() {
            return config;
        }
        for (policy, line) in lines {
            config = with_line(&config, policy, line);
        }
    }
    config
}

/// The policy of a message about missing grants, and the line to paste.
fn missing(message: &str) -> Option<(&str, &str)> {
    let (_, line) = message.split_once(BEFORE_LINE)?;
    let policy = message.strip_prefix("policy `")?.split('`').next()?;
    Some((policy, line))
}

/// The configuration with this line in the section of a policy, in place of another one.
fn with_line(config: &str, policy: &str, line: &str) -> String {
    let section = format!("[policies.{policy}]");
    let (before, rest) = config
        .split_once(&section)
        .unwrap_or_else(|| panic!("no {section} in {config}"));
    let end = rest.find("\n[").unwrap_or(rest.len());
    let (own, after) = rest.split_at(end);
    let own: Vec<&str> = own
        .lines()
        .filter(|known| !known.trim_start().starts_with("grants = "))
        .collect();
    format!("{before}{section}\n{line}{}{after}", own.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{missing, with_line};

    #[test]
    fn the_line_of_a_message_is_pasted() {
        let message = "policy `a`: the policy asks for what it was not granted (respond); if it should have it, write in its section: grants = [\"respond\"]";
        let (policy, line) = missing(message).unwrap();
        let config = "[policies.a]\ncomponent = \"a.wasm\"\ngrants = [\"serve\"]\n[policies.b]\ngrants = []\n";
        assert_eq!(
            with_line(config, policy, line),
            "[policies.a]\ngrants = [\"respond\"]\ncomponent = \"a.wasm\"\n[policies.b]\ngrants = []\n"
        );
        assert_eq!(missing("policy `a`: something else"), None);
    }
}
