//! `janua cache`: the commands `purge`, `status` and `get`.

use janua_admin::{ClientError, PurgeRequest, PurgeSummary, WebhookOutcome};

mod get;
mod status;

pub(super) use get::get;
pub(super) use status::status;

use super::table::counted;
use super::{CommandResult, Output, printable, reach};
use crate::cli::Purge;

pub(super) fn purge(purge: &Purge) -> CommandResult {
    let client = reach::client(&purge.reach)?;
    let named = &purge.named;
    let request = PurgeRequest {
        url: named.url.clone(),
        prefix: named.prefix.clone(),
        host: named.host.clone(),
        tag: named.tag.clone(),
        all: named.all,
        soft: purge.soft,
        webhooks: !purge.no_webhooks,
    };
    let summary = client.purge(&request).map_err(failure)?;
    let answer = Output::new(printable(&purged(&summary).join("\n")), &summary);
    match told(&summary) {
        true => Ok(answer),
        // The gateway's cache is purged, but another cache may still have old
        // responses.
        false => Err(answer),
    }
}

/// The message is sanitised, because the gateway's may contain text from a
/// user.
pub(super) fn failure(error: ClientError) -> Output {
    Output::failure(printable(&error.to_string()))
}

/// Whether every webhook succeeded.
pub(super) fn told(summary: &PurgeSummary) -> bool {
    summary.webhooks.iter().all(|hook| hook.error.is_none())
}

/// One line for each purged name and for each webhook.
pub(super) fn purged(summary: &PurgeSummary) -> Vec<String> {
    let how = match summary.soft {
        true => "purged softly",
        false => "purged",
    };
    let purged = summary.purged.iter().map(|what| format!("{how}: {what}"));
    let webhooks = summary.webhooks.iter().map(webhook);
    let warnings = summary.warnings.iter();
    let warnings = warnings.map(|warning| format!("warning: {warning}"));
    purged.chain(webhooks).chain(warnings).collect()
}

fn webhook(outcome: &WebhookOutcome) -> String {
    let WebhookOutcome {
        host,
        status,
        calls,
        error,
    } = outcome;
    match (error, status) {
        (Some(error), _) => {
            let calls = counted(u64::from(*calls), "call");
            format!("{host}: failed after {calls}: {error}")
        }
        (None, Some(status)) => format!("{host}: {status}"),
        (None, None) => format!("{host}: nothing to tell"),
    }
}

#[cfg(test)]
mod tests {
    use janua_admin::{PurgeSummary, WebhookOutcome};

    use super::{purged, told};

    #[test]
    fn a_purge_says_what_it_did_and_who_was_told() {
        let hook = |status, error: Option<&str>| WebhookOutcome {
            host: "cdn.example".to_owned(),
            status,
            calls: 3,
            error: error.map(str::to_owned),
        };
        let mut summary = PurgeSummary {
            purged: vec!["tag a".to_owned(), "everything".to_owned()],
            soft: true,
            webhooks: vec![hook(Some(200), None), hook(None, None)],
            warnings: vec!["a restart may forget it".to_owned()],
            took_us: 3,
        };
        assert_eq!(
            purged(&summary),
            [
                "purged softly: tag a",
                "purged softly: everything",
                "cdn.example: 200",
                "cdn.example: nothing to tell",
                "warning: a restart may forget it",
            ]
        );
        assert!(told(&summary));
        summary.webhooks = vec![hook(Some(503), Some("it answered 503"))];
        assert_eq!(
            purged(&summary)[2],
            "cdn.example: failed after 3 calls: it answered 503"
        );
        assert!(!told(&summary));
    }
}
