//! `janua reference`: the pages of `docs/` that are made from definitions.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use janua_cache::rules::{Detail, Outcome as CacheOutcome};
use serde_json::Value;

use super::inspect::{default, kind, load, schema};
use super::{Answer, Outcome};
use crate::bundled;
use crate::cli::{Cli, Page};

pub(super) fn page(page: Page) -> Outcome {
    let text = match page {
        Page::Cli => cli(),
        Page::Config => janua_config::reference_markdown(),
        Page::Metrics => janua_telemetry::metrics_reference(),
        Page::AccessLog => janua_telemetry::access_log_reference(),
        Page::CacheStatus => cache_status(),
        Page::Policies => policies().map_err(Answer::failure)?,
    };
    Ok(Answer {
        person: text.trim_end().to_owned(),
        json: Value::Null,
    })
}

/// The help of every command, as the commands print it.
fn cli() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = String::from("# Command line\n");
    section(&mut page, &mut command);
    page
}

fn section(page: &mut String, command: &mut clap::Command) {
    let name = command.get_bin_name().unwrap_or("janua").to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## {name}\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    );
    let shown =
        |command: &&mut clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for command in command.get_subcommands_mut().filter(shown) {
        section(page, command);
    }
}

/// The words in which the cache says what it did, and why.
fn cache_status() -> String {
    let outcomes = CacheOutcome::ALL.map(|outcome| (outcome.word(), outcome.meaning()));
    let details = Detail::ALL.map(|detail| (detail.word(), detail.meaning()));
    let mut page = String::from(
        "# What the cache says\n\n\
         The words of the field `Cache-Status` (RFC 9211), the access log and the metrics. \
         How to read them is in [caching.md](caching.md#why-this-response).\n\n\
         ## Outcome\n\n\
         `cache` in the access log, `outcome` in `janua_cache_requests_total`.\n",
    );
    words(&mut page, &outcomes);
    page.push_str(
        "\n## Detail\n\n\
         `detail` in `Cache-Status`, `cache_detail` in the access log. Behind the word, or in its \
         place, stands `rule:NAME` for the cache rule that decided, or `bypass:REASON` for the \
         reason that a policy gave.\n",
    );
    words(&mut page, &details);
    page
}

fn words(page: &mut String, words: &[(&str, &str)]) {
    page.push_str("\n| word | meaning |\n|---|---|\n");
    for (word, meaning) in words {
        let _ = writeln!(page, "| `{word}` | {meaning} |");
    }
}

/// The bundled policies, as each describes itself.
fn policies() -> Result<String, String> {
    let mut page = String::from("# Bundled policies\n");
    for name in bundled::NAMES {
        let bytes = bundled::component(name).unwrap_or_default();
        let component = load(bytes).map_err(|why| format!("{name}: {why}"))?;
        let summary = &component.description().summary;
        let _ = write!(page, "\n## {name}\n\n{summary}\n");
        if let Some(schema) = schema(&component) {
            fields(&mut page, &schema);
        }
    }
    Ok(page)
}

/// A table of the schema's properties, and one of each that has its own.
fn fields(page: &mut String, schema: &Value) {
    page.push_str("\n| field | value | default | meaning |\n|---|---|---|---|\n");
    rows(page, "", schema, schema);
}

/// Nested tables, lists of tables and references into `$defs` are followed; a schema that goes
/// round in circles ends where its names get long.
fn rows(page: &mut String, prefix: &str, root: &Value, schema: &Value) {
    const DEPTH: usize = 4;
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, field) in properties {
        let field = resolved(root, field);
        let path = format!("{prefix}{name}");
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let default = default(schema, name, field);
        let default = if default.is_empty() || default == "required" {
            default
        } else {
            format!("`{default}`")
        };
        let meaning = field["description"].as_str().unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{path}` | {} | {} | {} |",
            cell(&kind(field)),
            cell(&default),
            cell(meaning)
        );
        if path.matches('.').count() < DEPTH {
            rows(page, &format!("{path}."), root, field);
            let entry = resolved(root, &field["items"]);
            rows(page, &format!("{path}[]."), root, entry);
        }
    }
}

fn resolved<'s>(root: &'s Value, field: &'s Value) -> &'s Value {
    let target = field["$ref"]
        .as_str()
        .and_then(|target| target.strip_prefix('#'));
    target
        .and_then(|target| root.pointer(target))
        .unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::{cli, page, policies};
    use crate::bundled;
    use crate::cli::Page;

    #[test]
    fn every_command_has_its_section() {
        let page = cli();
        for command in [
            "janua",
            "janua run",
            "janua check",
            "janua reload",
            "janua status",
            "janua policy",
            "janua policy inspect",
            "janua version",
        ] {
            assert!(
                page.contains(&format!("\n## {command}\n")),
                "{command}:\n{page}"
            );
        }
        assert!(
            !page.contains("reference") && !page.contains("## janua help"),
            "{page}"
        );
    }

    #[test]
    fn bundled_policies_show_their_fields() {
        let page = policies().unwrap();
        for name in bundled::NAMES {
            assert!(page.contains(&format!("\n## {name}\n")));
        }
        assert!(page.contains("| `rate` | string | required |"), "{page}");
        assert!(page.contains("| `request.set` |"), "{page}");
        assert!(page.contains("| `rules[].store` |"), "{page}");
    }

    #[test]
    fn the_other_pages_have_a_title() {
        for which in [
            Page::Config,
            Page::Metrics,
            Page::AccessLog,
            Page::CacheStatus,
        ] {
            assert!(page(which).unwrap().person.starts_with("# "), "{which:?}");
        }
    }
}
