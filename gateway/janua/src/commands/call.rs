//! `janua policy call`: calls a component once about a request, and shows what comes of it.

mod capture;
mod page;
mod report;
mod shown;
mod verdict;

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use janua_http::Failure;
use janua_proxy::rehearsal::{Circumstances, Rehearsal};
use janua_wasm::{
    GrantName, Guarded, MissingGrants, Phase, Policy, Runtime, WorkerHost, WorkerPolicy,
};
use serde_json::{Value, json};

use self::capture::Capture;
use self::report::Report;
use self::shown::Secrets;
use super::candidate::{self, Candidate};
use super::{CommandResult, Output, check, printable};
use crate::cli::Call;
use crate::gateway::{self, StartError};

/// The most bytes of a request or a response that are read.
const MAX_MESSAGE: u64 = 16 << 20;

pub(super) fn call(call: &Call) -> CommandResult {
    let capture = Capture::default();
    tracing::subscriber::with_default(capture.clone(), || called(call, &capture))
}

/// A policy that can be called.
struct Ready {
    runtime: Runtime,
    policy: Arc<Policy>,
    /// The grants that it got because none were stated.
    assumed: Option<MissingGrants>,
}

fn called(call: &Call, capture: &Capture) -> CommandResult {
    let request = message(&call.request)?;
    let response = call.response.as_deref().map(message).transpose()?;
    let ready = match (&call.gateway, &call.policy, &call.file) {
        (Some(config), Some(name), _) => of_gateway(config, name)?,
        (_, _, Some(file)) => of_file(call, file)?,
        _ => return Err(Output::failure("name a component file, or a gateway")),
    };
    let configuring = capture.take();
    let policy = &ready.policy;
    let rehearsal = Rehearsal::new(
        &request,
        response.as_deref(),
        circumstances(call, &ready.runtime),
        policy,
    );
    let mut rehearsal = rehearsal.map_err(|failure| refused(&failure, &request))?;
    let host = WorkerHost::new(&ready.runtime);
    let mut worker = WorkerPolicy::new(Arc::clone(policy), host);
    let mut report = Report::new(policy, ready.assumed, &configuring);
    if call.gateway.is_none() {
        let secrets = policy.secrets().map(|name| format!("secret:{name}"));
        let datasets = policy.datasets().into_iter();
        let datasets = datasets.map(|name| format!("dataset:{name}"));
        report.lacks = secrets.chain(datasets).collect();
    }
    let mut secrets = Secrets::default();
    for phase in Phase::ALL {
        let is_named = call.phase.iter().any(|name| name == phase.name());
        if !is_named && !call.phase.is_empty() {
            continue;
        }
        if policy.plan(phase).is_none() {
            if is_named {
                report.leave_out(phase, "the policy does not declare it");
            }
            continue;
        }
        if let Err(why) = rehearsal.reaches(phase)
            && !(is_named && phase == Phase::Finished)
        {
            report.leave_out(phase, why);
            continue;
        }
        if let Some(asked) = rehearsal.ask(&mut worker, phase) {
            report.add(policy, phase, &asked, capture.take(), &mut secrets);
        }
    }
    let is_valid = report.is_valid();
    let output = Output {
        person: printable(&page::page(&report)),
        json: report.json(),
    };
    match is_valid {
        true => Ok(output),
        false => Err(output),
    }
}

/// The policy of a component file.
fn of_file(call: &Call, file: &Path) -> Result<Ready, Output> {
    let config = candidate::config(call.config.as_deref()).map_err(Output::failure)?;
    for grant in &call.grants {
        match janua_wasm::grant_name(grant) {
            GrantName::Known => {}
            GrantName::Unknown => {
                return Err(Output::failure(format!("there is no grant `{grant}`")));
            }
            GrantName::NotSupported => {
                let why = format!("`{grant}` is not supported by this version");
                return Err(Output::failure(why));
            }
        }
    }
    let candidate = Candidate::load(file).map_err(Output::failure)?;
    let configured = candidate
        .configure(&config, &call.grants)
        .map_err(|error| Output::failure(printable(&candidate::refusal(&error))))?;
    let unused = configured.policy.unused_grants(&Guarded::default());
    if let Some(unused) = unused.first().filter(|_| !call.grants.is_empty()) {
        return Err(Output::failure(format!(
            "the policy has no use for the grant `{unused}`"
        )));
    }
    Ok(Ready {
        runtime: candidate.runtime,
        policy: configured.policy,
        assumed: configured.assumed,
    })
}

/// The policy of this name in the configuration of a gateway.
fn of_gateway(config: &Path, name: &str) -> Result<Ready, Output> {
    let refused = |found: &_| check::refused(config, found);
    let mut loaded = gateway::load(config).map_err(|found| refused(&found))?;
    let policy = gateway::policy(&mut loaded, name).map_err(|error| match error {
        StartError::Refused(found) => refused(&found),
        StartError::Machine(why) => Output::failure(why),
    })?;
    let (runtime, policy) = policy.ok_or_else(|| {
        let shown = config.display();
        Output::failure(format!("no route of {shown} uses a policy `{name}`"))
    })?;
    Ok(Ready {
        runtime,
        policy,
        assumed: None,
    })
}

fn circumstances(call: &Call, runtime: &Runtime) -> Circumstances {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    };
    Circumstances {
        client: call.client.to_canonical(),
        is_https: call.scheme == "https",
        unix_seconds: call.now.unwrap_or_else(now),
        site: call.site.as_deref().map(Box::from),
        route: call.route.as_str().into(),
        variables: call.variable.clone(),
        datasets: runtime.datasets(),
    }
}

/// Reads a message from a file or from the standard input.
fn message(path: &Path) -> Result<Vec<u8>, Output> {
    let is_stdin = path == Path::new("-");
    let mut bytes = Vec::new();
    let read = match is_stdin {
        true => io::stdin().take(MAX_MESSAGE + 1).read_to_end(&mut bytes),
        false => {
            let file = fs::File::open(path);
            file.and_then(|file| file.take(MAX_MESSAGE + 1).read_to_end(&mut bytes))
        }
    };
    let shown = path.display();
    match read {
        Err(error) => Err(Output::failure(format!("cannot read {shown}: {error}"))),
        Ok(size) if size as u64 > MAX_MESSAGE => Err(Output::failure(format!(
            "{shown} has more than {} MiB",
            MAX_MESSAGE >> 20
        ))),
        Ok(_) => Ok(bytes),
    }
}

/// A message that the gateway would refuse, with the word of its access log.
fn refused(failure: &Failure, request: &[u8]) -> Output {
    let kind = failure.kind;
    let hint = match request.contains(&b'\r') {
        true => "",
        false => "; lines of HTTP end in CR LF, as `sed 's/$/\\r/'` makes them",
    };
    Output {
        person: format!(
            "janua: the gateway refuses this with {} {}: {failure}{hint}",
            kind.status(),
            kind.word()
        ),
        json: json!({
            "error": format!("{failure}{hint}"),
            "refused": refusal(failure),
        }),
    }
}

/// The failure of a request.
fn refusal(failure: &Failure) -> Value {
    json!({
        "status": failure.kind.status(),
        "word": failure.kind.word(),
        "message": failure.to_string(),
    })
}
