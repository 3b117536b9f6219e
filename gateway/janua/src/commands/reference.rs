//! `janua reference`: generates the pages of `docs/` from the definitions in
//! the code.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use janua_cache::rules::{CacheOutcome, Detail};
use serde_json::Value;

use super::inspect::{load, schema};
use super::schema::fields;
use super::{CommandResult, Output};
use crate::bundled;
use crate::cli::{Cli, Page};

pub(super) fn page(page: Page) -> CommandResult {
    let text = match page {
        Page::Cli => cli(),
        Page::Config => janua_config::reference_markdown(),
        Page::Metrics => janua_telemetry::metrics_reference(),
        Page::AccessLog => janua_telemetry::access_log_reference(),
        Page::CacheStatus => cache_status(),
        Page::Policies => policies().map_err(Output::failure)?,
    };
    Ok(Output {
        person: text.trim_end().to_owned(),
        json: Value::Null,
    })
}

/// The help of every command, exactly as the command prints it.
fn cli() -> String {
    // Independent of the width of the terminal.
    let mut command = Cli::command().term_width(100);
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

/// The words for cache outcomes and for their reasons.
fn cache_status() -> String {
    let outcomes = CacheOutcome::ALL.map(|outcome| (outcome.word(), outcome.meaning()));
    let details = Detail::ALL.map(|detail| (detail.word(), detail.meaning()));
    let mut page = String::from(
        "# Cache outcomes and their reasons\n\n\
         The words of the field `Cache-Status` (RFC 9211), the access log and the metrics. \
         How to interpret them is described in [caching.md](caching.md#why-this-response).\n\n\
         ## Outcome\n\n\
         `cache` in the access log, `outcome` in `janua_cache_requests_total`.\n",
    );
    words(&mut page, &outcomes);
    page.push_str(
        "\n## Detail\n\n\
         `detail` in `Cache-Status`, `cache_detail` in the access log. The word is followed or \
         replaced by `rule:NAME`, which names the cache rule that decided, or by \
         `bypass:REASON` with the reason that a policy gave.\n",
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

/// The bundled policies with their own descriptions.
fn policies() -> Result<String, String> {
    let mut page = String::from("# Bundled policies\n");
    for name in bundled::names() {
        let bytes = bundled::component(name).unwrap_or_default();
        let component = load(bytes).map_err(|why| format!("{name}: {why}"))?;
        let summary = &component.description().summary;
        let _ = write!(page, "\n## {name}\n\n{summary}\n");
        if let Some(schema) = schema(&component) {
            rows(&mut page, &schema);
        }
    }
    Ok(page)
}

/// A row for each field, including nested ones.
fn rows(page: &mut String, schema: &Value) {
    page.push_str("\n| field | value | default | meaning |\n|---|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for field in fields(schema) {
        let default = match field.default.as_str() {
            "" | "required" => field.default.clone(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            field.path,
            cell(&field.kind),
            cell(&default),
            cell(&field.meaning)
        );
    }
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
            "janua policy call",
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
        for name in bundled::names() {
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
