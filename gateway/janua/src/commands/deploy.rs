//! `janua deploy`: puts a new build live in one step, with the gateway's help.
//!
//! ```text
//! look    ask the gateway where the files go   changes nothing
//! stage   copy the new files next to them      removed again on failure
//! begin   the gateway retains old files
//! publish exchange the directories             one system call
//! commit  the gateway notices, and purges      reverted on failure
//! finish  remove the old files
//! ```

use std::path::Path;

use janua_admin::{Client, DeployAnswer, DeployPhase, DeployRequest, PurgeSummary};
use serde::Serialize;

use super::cache::{failure, purged, told};
use super::table::{counted, size};
use super::{CommandResult, Output, printable, reach};
use crate::cli::Deploy;
use crate::release::Plan;

/// The result of a deploy.
#[derive(Debug, Serialize)]
struct Report {
    site: String,
    route: String,
    root: String,
    files: u64,
    bytes: u64,
    dry_run: bool,
    /// The target that a symbolic link had before, which is kept.
    previous: Option<String>,
    purge: Option<PurgeSummary>,
    warnings: Vec<String>,
}

pub(super) fn deploy(deploy: &Deploy) -> CommandResult {
    let client = reach::client(&deploy.reach)?;
    let looked = step(&client, deploy, DeployPhase::Look)?;
    let plan = Plan::new(&deploy.dir, Path::new(&looked.root)).map_err(refused)?;
    if plan.lacks("index.html") && !deploy.force {
        return Err(refused(format!(
            "{} has no index.html: is it the build? --force deploys it all the same",
            deploy.dir.display()
        )));
    }
    let mut report = Report {
        site: looked.site.clone(),
        route: looked.route.clone(),
        root: looked.root.clone(),
        files: plan.files,
        bytes: plan.bytes,
        dry_run: deploy.dry_run,
        previous: None,
        purge: None,
        warnings: warnings(&looked),
    };
    if deploy.dry_run {
        let person = would(&report, &looked, deploy, &plan.description());
        return Ok(Output::new(person, &report));
    }

    let staged = plan.stage().map_err(refused)?;
    step(&client, deploy, DeployPhase::Begin)?;
    let live = staged.publish().map_err(refused)?;
    match step(&client, deploy, DeployPhase::Commit) {
        Ok(committed) => {
            // A reload in between may have changed what can be purged.
            report.warnings = warnings(&committed);
            report.purge = committed.purge;
        }
        Err(mut why) => {
            let back = match live.revert() {
                Ok(()) => "the old files are back in place".to_owned(),
                Err(also) => format!("and the new files are still in place: {also}"),
            };
            // Whatever the gateway cached of the new files is looked up again.
            why.person = format!("{}\n{}", why.person, printable(&back));
            return Err(why);
        }
    }
    match live.finish() {
        Ok(previous) => report.previous = previous.map(|path| path.display().to_string()),
        // The deploy succeeded, but left something behind, which is reported.
        Err(why) => report.warnings.push(why),
    }
    let answer = Output::new(done(&report), &report);
    match report.purge.as_ref().is_none_or(told) {
        true => Ok(answer),
        false => Err(answer),
    }
}

fn step(client: &Client, deploy: &Deploy, phase: DeployPhase) -> Result<DeployAnswer, Output> {
    let request = DeployRequest {
        site: deploy.site.clone(),
        route: deploy.route.clone(),
        phase,
        tags: deploy.tag.clone(),
        webhooks: !deploy.no_webhooks,
    };
    client.deploy(&request).map_err(failure)
}

fn refused(why: String) -> Output {
    Output::failure(printable(&format!("{why}\nnothing has changed")))
}

fn warnings(looked: &DeployAnswer) -> Vec<String> {
    let mut warnings = Vec::new();
    if !looked.retains {
        warnings.push(
            "the old build's files answer no more: `retain` keeps them for open pages".to_owned(),
        );
    }
    if !looked.patterns.is_empty() {
        warnings.push(format!(
            "hosts that are patterns are not purged ({}), as other sites use the cache: name a \
             tag, or purge each that is in use with `janua cache purge --host`",
            looked.patterns.join(", ")
        ));
    }
    if !looked.untold.is_empty() {
        warnings.push(format!(
            "everything is purged in the gateway's own cache alone; the webhooks are not told to \
             purge everything, as a CDN may hold other sites' content too: what it holds of hosts \
             that are patterns ({}) may be of the old build; name a tag, or purge each that is in \
             use with `janua cache purge --host`",
            looked.untold.join(", ")
        ));
    }
    warnings
}

fn would(report: &Report, looked: &DeployAnswer, deploy: &Deploy, place: &str) -> String {
    let hosts = looked.hosts.iter().map(|host| format!("host {host}"));
    let tags = deploy.tag.iter().map(|tag| format!("tag {tag}"));
    let everything = looked.everything.then(|| match looked.untold.is_empty() {
        true => "everything".to_owned(),
        false => "everything in the gateway's own cache".to_owned(),
    });
    let purged: Vec<String> = hosts.chain(tags).chain(everything).collect();
    let mut lines = vec![
        format!(
            "would deploy {} ({}) to {}, route {}",
            counted(report.files, "file"),
            size(report.bytes),
            report.site,
            report.route
        ),
        format!("  {place}"),
    ];
    if !purged.is_empty() {
        lines.push(format!("  purges {}", purged.join(", ")));
    }
    lines.extend(
        report
            .warnings
            .iter()
            .map(|line| format!("warning: {line}")),
    );
    printable(&lines.join("\n"))
}

fn done(report: &Report) -> String {
    let mut lines = vec![format!(
        "{} is live: {} ({}) in {}",
        report.site,
        counted(report.files, "file"),
        size(report.bytes),
        report.root
    )];
    if let Some(previous) = &report.previous {
        lines.push(format!("the build before is still in {previous}"));
    }
    lines.extend(report.purge.iter().flat_map(purged));
    lines.extend(
        report
            .warnings
            .iter()
            .map(|line| format!("warning: {line}")),
    );
    printable(&lines.join("\n"))
}

#[cfg(test)]
mod tests;
