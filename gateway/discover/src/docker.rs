//! Keeps files with the containers of a Docker Engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::container::{Endpoint, Inspected, LabelPrefix, Unfit};
use crate::engine::{Engine, Error, Events};
use crate::file;

/// How long further events are waited for: a container that starts makes several.
const GATHER: Duration = Duration::from_millis(200);

/// The shortest time between two lists.
const INTERVAL: Duration = Duration::from_secs(1);

/// After this time the containers are listed without an event.
const LIST_AGAIN: Duration = Duration::from_secs(60);

/// The wait after a first failure, doubled after each further one, and its limit.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);

/// What is to be found, and where it is written.
#[derive(Debug, Clone)]
pub struct Docker {
    /// The socket of the Engine.
    pub socket: PathBuf,
    /// The beginning of the labels.
    pub prefix: LabelPrefix,
    /// The network whose addresses count, for containers whose labels name none.
    pub network: Option<String>,
    /// The files to write.
    pub targets: Vec<Target>,
}

/// A file, and whose endpoints it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The upstream for which the label of a container asks.
    pub upstream: String,
    /// The file. Its name says whether it is TOML or JSON.
    pub file: PathBuf,
}

/// Writes the files once.
///
/// # Errors
/// The Engine cannot be asked, or a file cannot be written.
pub async fn write_once(docker: &Docker) -> Result<(), String> {
    let engine = Engine::new(&docker.socket);
    let mut said = BTreeSet::new();
    list(&engine, docker, &mut said)
        .await
        .map_err(|error| error.to_string())
}

/// Writes the files, and again whenever containers start, end, or become ill or well. A failure
/// leaves the files as they are, and is tried again. Never ends.
pub async fn follow(docker: &Docker) {
    let engine = Engine::new(&docker.socket);
    let mut wait = *RETRY.start();
    let mut said = BTreeSet::new();
    loop {
        let error = session(&engine, docker, &mut said, &mut wait).await;
        tracing::warn!(
            %error,
            "the containers are not known, and the files stay as they are; trying again in {} s",
            wait.as_secs()
        );
        sleep(wait).await;
        wait = (wait * 2).min(*RETRY.end());
    }
}

/// Follows the events of one connection until it fails.
async fn session(
    engine: &Engine,
    docker: &Docker,
    said: &mut BTreeSet<String>,
    wait: &mut Duration,
) -> Error {
    // Before the first list, so that nothing happens unnoticed in between.
    let mut events = match engine.events().await {
        Ok(events) => events,
        Err(error) => return error,
    };
    loop {
        let begin = Instant::now();
        if let Err(error) = list(engine, docker, said).await {
            return error;
        }
        *wait = *RETRY.start();
        if let Err(error) = something(&mut events, begin).await {
            return error;
        }
    }
}

/// Waits until it is time for another list.
async fn something(events: &mut Events, listed: Instant) -> Result<(), Error> {
    let Ok(event) = timeout_at(listed + LIST_AGAIN, events.next()).await else {
        return Ok(());
    };
    event?;
    let until = (Instant::now() + GATHER).max(listed + INTERVAL);
    while let Ok(event) = timeout_at(until, events.next()).await {
        event?;
        // A flood of events must not keep this from ever ending.
        if Instant::now() >= until {
            break;
        }
    }
    sleep_until(until).await;
    Ok(())
}

/// Lists the containers, and writes the files that are to be other ones.
async fn list(engine: &Engine, docker: &Docker, said: &mut BTreeSet<String>) -> Result<(), Error> {
    let containers = engine.containers(&docker.prefix).await?;
    let mut complaints = BTreeSet::new();
    for target in &docker.targets {
        let endpoints = endpoints(&containers, docker, target, &mut complaints);
        let text = file::text(&target.file, &endpoints);
        let file = target.file.display();
        match file::write(&target.file, &text) {
            Ok(true) => tracing::info!(
                upstream = target.upstream,
                endpoints = endpoints.len().min(file::MOST),
                %file,
                "written"
            ),
            Ok(false) => {}
            Err(error) => return Err(Error::of_file(&target.file, &error)),
        }
    }
    for complaint in complaints.difference(said) {
        tracing::warn!("{complaint}");
    }
    *said = complaints;
    Ok(())
}

/// The endpoints of an upstream, each address once, in their order.
fn endpoints(
    containers: &[Inspected],
    docker: &Docker,
    target: &Target,
    complaints: &mut BTreeSet<String>,
) -> Vec<Endpoint> {
    let mut found = Vec::new();
    let upstream = target.upstream.as_str();
    let asks = |it: &&Inspected| it.upstream(&docker.prefix) == Some(upstream);
    for container in containers.iter().filter(asks) {
        match container.endpoint(&docker.prefix, docker.network.as_deref()) {
            Ok(endpoint) => found.push(endpoint),
            Err(Unfit::NotNow) => {}
            Err(Unfit::Wrong(why)) => {
                let name = container.name();
                complaints.insert(format!(
                    "container {name} is no endpoint of {upstream}: {why}"
                ));
            }
        }
    }
    found.sort();
    found.dedup_by_key(|endpoint| endpoint.address);
    if found.len() > file::MOST {
        let (count, most) = (found.len(), file::MOST);
        complaints.insert(format!(
            "{upstream} has {count} containers, of which only {most} are listed"
        ));
    }
    found
}
