//! `janua reload`.

use janua_admin::{ClientError, ReloadSummary};

use super::table::duration;
use super::{CommandResult, Output, printable, reach};
use crate::cli::Reach;

pub(super) fn reload(reach: &Reach) -> CommandResult {
    let client = reach::client(reach)?;
    match client.reload() {
        Ok(summary) => Ok(Output::new(person(&summary), &summary)),
        Err(ClientError::Refused(refused)) => Err(Output::new(
            printable(&ClientError::Refused(refused.clone()).to_string()),
            &refused,
        )),
        Err(error) => Err(Output::failure(error)),
    }
}

fn person(summary: &ReloadSummary) -> String {
    let took = duration(summary.took_ms);
    let mut lines = vec![format!(
        "generation {} is live, after {took}",
        summary.generation
    )];
    match summary.changed.is_empty() {
        true => lines.push("  nothing has changed".to_owned()),
        false => lines.extend(
            summary
                .changed
                .iter()
                .map(|change| format!("  {}", change.text)),
        ),
    }
    lines.extend(
        summary
            .warnings
            .iter()
            .map(|warning| match warning.contains('\n') {
                // A diagnostic with a position already begins with its severity.
                true => format!("\n{}", warning.trim_end()),
                false => format!("warning: {warning}"),
            }),
    );
    printable(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use janua_admin::{ReloadChange, ReloadSummary};

    use super::person;

    #[test]
    fn a_line_for_each_change() {
        let change = |text: &str| ReloadChange {
            text: text.to_owned(),
            what: String::new(),
            field: None,
            change: "changed".to_owned(),
            old: None,
            new: None,
        };
        let mut summary = ReloadSummary {
            generation: 8,
            changed: vec![change("policy jwt changed"), change("upstream sales added")],
            warnings: vec!["`server.workers` has changed".to_owned()],
            took_ms: 120,
        };
        assert_eq!(
            person(&summary),
            "generation 8 is live, after 120 ms\n  policy jwt changed\n  upstream sales added\n\
             warning: `server.workers` has changed"
        );
        (summary.changed, summary.warnings) = (vec![], vec![]);
        assert_eq!(
            person(&summary),
            "generation 8 is live, after 120 ms\n  nothing has changed"
        );
    }
}
