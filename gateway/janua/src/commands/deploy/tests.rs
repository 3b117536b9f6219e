use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use janua_admin::{
    Asker, CacheEntry, CacheStatus, Control, DeployAnswer, DeployPhase, DeployRequest,
    EndpointAnswer, EndpointCommand, MemosStatus, PurgeRequest, PurgeSummary, ReloadError,
    ReloadSummary, Server, SocketOptions, SplitStatus, SplitWeightRequest, Status, WebhookOutcome,
};

use super::super::CommandResult;
use crate::cli::{Cli, Command};

/// The error of operations that a deploy must not call.
const NOT_ASKED: &str = "a deploy does not ask for this";

/// A gateway that only takes part in deploys.
struct Gateway {
    root: PathBuf,
    /// The phase that fails.
    fails: Option<DeployPhase>,
    webhook: Option<&'static str>,
    patterns: &'static [&'static str],
    /// The requests, and the content served at the time of each.
    seen: Mutex<Vec<(DeployRequest, String)>>,
}

impl Control for Gateway {
    fn ready(&self) -> bool {
        true
    }
    fn metrics(&self) -> String {
        String::new()
    }
    fn status(&self) -> Status {
        Status {
            version: String::new(),
            pid: 0,
            config: String::new(),
            generation: 1,
            started_unix_ms: 0,
            uptime_ms: 0,
            ready: true,
            workers: 0,
            connections: 0,
            in_flight: 0,
            requests: 0,
            sites: 1,
            routes: 1,
            listeners: Vec::new(),
            upstreams: Vec::new(),
            splits: Vec::new(),
            absent: Vec::new(),
            policies: Vec::new(),
            memos: MemosStatus {
                bytes: 0,
                budget: 0,
            },
            secrets: Vec::new(),
            datasets: Vec::new(),
            certificates: Vec::new(),
            watching: None,
            warnings: Vec::new(),
            last_reload: None,
        }
    }
    fn reload(&self, _: &Asker) -> Result<ReloadSummary, ReloadError> {
        Err(ReloadError {
            rendered: NOT_ASKED.to_owned(),
            errors: Vec::new(),
        })
    }
    fn purge(&self, _: &PurgeRequest) -> Result<PurgeSummary, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn cache(&self) -> Result<CacheStatus, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn cache_entries(&self, _: &str) -> Result<Vec<CacheEntry>, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn renew_certificate(&self, _: &str) -> Result<String, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn revoke_certificate(&self, _: &str) -> Result<String, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn endpoint(&self, _: &EndpointCommand<'_>) -> Result<EndpointAnswer, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn split_weight(&self, _: &SplitWeightRequest) -> Result<SplitStatus, String> {
        Err(NOT_ASKED.to_owned())
    }
    fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String> {
        let served = fs::read_to_string(self.root.join("index.html")).unwrap_or_default();
        self.seen.lock().unwrap().push((request.clone(), served));
        if self.fails == Some(request.phase) {
            return Err(format!("no {:?}", request.phase));
        }
        let hook = |error: &str| WebhookOutcome {
            host: "cdn.example".to_owned(),
            status: None,
            calls: 3,
            error: Some(error.to_owned()),
        };
        Ok(DeployAnswer {
            site: "app".to_owned(),
            route: "/".to_owned(),
            root: self.root.to_str().unwrap().to_owned(),
            retains: true,
            hosts: vec!["app.example.com".to_owned()],
            everything: self.patterns == ["*"],
            untold: match (self.patterns, self.webhook) {
                (["*"], Some(_)) => vec!["*".to_owned()],
                _ => Vec::new(),
            },
            patterns: match self.patterns {
                ["*"] => &[][..],
                patterns => patterns,
            }
            .iter()
            .map(|&host| host.to_owned())
            .collect(),
            purge: (request.phase == DeployPhase::Commit).then(|| PurgeSummary {
                purged: vec!["host app.example.com".to_owned()],
                webhooks: self.webhook.map(hook).into_iter().collect(),
                ..PurgeSummary::default()
            }),
        })
    }
}

struct Running {
    gateway: Arc<Gateway>,
    folder: tempfile::TempDir,
    _server: Server,
}

fn running(fails: Option<DeployPhase>, webhook: Option<&'static str>) -> Running {
    running_with(fails, webhook, &[])
}

fn running_with(
    fails: Option<DeployPhase>,
    webhook: Option<&'static str>,
    patterns: &'static [&'static str],
) -> Running {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("site/app"), "old");
    write(&folder.path().join("build"), "new");
    let gateway = Arc::new(Gateway {
        root: folder.path().join("site/app"),
        fails,
        webhook,
        patterns,
        seen: Mutex::default(),
    });
    let options = SocketOptions {
        path: folder.path().join("admin.sock"),
        mode: 0o600,
        group: None,
    };
    let control: Arc<dyn Control> = Arc::<Gateway>::clone(&gateway);
    Running {
        gateway,
        _server: Server::start(&options, control).unwrap(),
        folder,
    }
}

fn write(folder: &Path, content: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("index.html"), content).unwrap();
}

impl Running {
    fn deploy(&self, more: &[&str]) -> CommandResult {
        let folder = self.folder.path();
        let (build, socket) = (folder.join("build"), folder.join("admin.sock"));
        let line = ["janua", "deploy", "--site", "app.example.com", "--admin"];
        let line = line.into_iter().chain([socket.to_str().unwrap()]);
        let line = line
            .chain([build.to_str().unwrap()])
            .chain(more.iter().copied());
        match Cli::try_parse_from(line).unwrap().command {
            Command::Deploy(deploy) => super::deploy(&deploy),
            other => panic!("{other:?}"),
        }
    }

    fn phases(&self) -> Vec<(DeployPhase, String)> {
        let seen = self.gateway.seen.lock().unwrap();
        let phases = seen
            .iter()
            .map(|(request, served)| (request.phase, served.clone()));
        phases.collect()
    }

    /// The content served, and what else is next to it.
    fn site(&self) -> (String, usize) {
        let beside = fs::read_dir(self.folder.path().join("site")).unwrap();
        let served = fs::read_to_string(self.gateway.root.join("index.html")).unwrap();
        (served, beside.count() - 1)
    }
}

#[test]
fn the_gateway_is_asked_before_and_told_after() {
    let running = running(None, None);
    let answer = running.deploy(&["--tag", "api", "--no-webhooks"]).unwrap();
    assert_eq!(running.site(), ("new".to_owned(), 0));
    let expected = [
        (DeployPhase::Look, "old".to_owned()),
        (DeployPhase::Begin, "old".to_owned()),
        (DeployPhase::Commit, "new".to_owned()),
    ];
    assert_eq!(running.phases(), expected);
    let (commit, _) = running.gateway.seen.lock().unwrap()[2].clone();
    assert_eq!(
        (commit.tags, commit.webhooks),
        (vec!["api".to_owned()], false)
    );
    assert!(
        answer.person.starts_with("app is live: 1 file (3 B) in ")
            && answer.person.ends_with("\npurged: host app.example.com"),
        "{}",
        answer.person
    );
    assert_eq!(answer.json["files"], 1);
    assert_eq!(answer.json["purge"]["purged"][0], "host app.example.com");
}

#[test]
fn whatever_fails_nothing_has_changed() {
    for phase in [DeployPhase::Look, DeployPhase::Begin, DeployPhase::Commit] {
        let running = running(Some(phase), None);
        let refused = running.deploy(&[]).unwrap_err();
        let said = format!("janua: no {phase:?}");
        assert!(refused.person.starts_with(&said), "{}", refused.person);
        assert_eq!(running.site(), ("old".to_owned(), 0), "{phase:?}");
    }
}

#[test]
fn a_dry_run_only_looks() {
    let running = running(None, None);
    let answer = running.deploy(&["--dry-run", "--tag", "api"]).unwrap();
    assert_eq!(running.site(), ("old".to_owned(), 0));
    assert_eq!(running.phases().len(), 1);
    for part in [
        "would deploy 1 file (3 B) to app, route /",
        "is exchanged for it",
        "purges host app.example.com, tag api",
    ] {
        assert!(answer.person.contains(part), "{}", answer.person);
    }
    assert_eq!(answer.json["dry_run"], true);
}

#[test]
fn what_is_no_build_is_refused_unless_it_is_meant() {
    let running = running(None, None);
    let build = running.folder.path().join("build");
    fs::rename(build.join("index.html"), build.join("main.html")).unwrap();
    let refused = running.deploy(&[]).unwrap_err();
    assert!(
        refused.person.contains("has no index.html"),
        "{}",
        refused.person
    );
    assert!(
        refused.person.ends_with("nothing has changed"),
        "{}",
        refused.person
    );
    assert_eq!(running.site(), ("old".to_owned(), 0));
    running.deploy(&["--force"]).unwrap();
    assert!(running.gateway.root.join("main.html").exists());
}

/// The deploy succeeds; the exit code reports that a webhook failed.
#[test]
fn a_webhook_that_fails_is_said() {
    let running = running(None, Some("it answered 503"));
    let answer = running.deploy(&[]).unwrap_err();
    assert_eq!(running.site(), ("new".to_owned(), 0));
    let said = "cdn.example: failed after 3 calls: it answered 503";
    assert!(answer.person.contains(said), "{}", answer.person);
}

#[test]
fn everything_is_said_before_it_is_purged() {
    let running = running_with(None, None, &["*"]);
    let answer = running.deploy(&["--dry-run"]).unwrap();
    let said = "purges host app.example.com, everything";
    assert!(answer.person.contains(said), "{}", answer.person);
}

/// A CDN may hold responses of other sites: it is told only about hosts and
/// tags.
#[test]
fn webhooks_that_are_not_told_to_purge_everything_are_said() {
    let running = running_with(None, Some("it answered 503"), &["*"]);
    let answer = running.deploy(&["--dry-run"]).unwrap();
    for said in [
        "purges host app.example.com, everything in the gateway's own cache\n",
        "warning: everything is purged in the gateway's own cache alone; the webhooks are not told",
        "hosts that are patterns (*)",
    ] {
        assert!(answer.person.contains(said), "{}", answer.person);
    }
}

/// The purge of the site's other hosts does not hide this warning.
#[test]
fn hosts_that_cannot_be_purged_are_said() {
    let running = running_with(None, None, &["*.example.com", "*"]);
    let answer = running.deploy(&[]).unwrap();
    let said = "warning: hosts that are patterns are not purged (*.example.com, *), as other sites";
    assert!(answer.person.contains(said), "{}", answer.person);
    assert!(answer.person.contains("purged: host app.example.com"));
}
