//! Waits until an endpoint that was taken out is idle, or until one that was let in is up.
//!
//! The gateway is asked again and again, so that it need not know who waits, and a reload or the
//! end of the gateway in the meantime is noticed.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use janua_admin::{Client, EndpointAnswer, EndpointStatus, Health};
use serde::Serialize;

use super::super::table::{counted, duration};
use super::super::{CommandResult, Output, printable, status};
use super::{failure, name, said};

/// The time from one question to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// No request is in flight.
    Drained,
    /// It is up.
    Up,
}

/// The outcome as JSON.
#[derive(Debug, Serialize)]
struct Waited<'a> {
    #[serde(flatten)]
    answer: &'a EndpointAnswer,
    /// Whether what was waited for has come.
    done: bool,
    waited_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    Waiting,
    /// It will not come: somebody has given the contrary command, or removed the endpoint.
    Ended(&'static str),
}

/// Waits, at most for this time. `answer` is what the command has answered.
pub(super) fn until(
    wait: Wait,
    client: &Client,
    mut answer: EndpointAnswer,
    patience: Duration,
) -> CommandResult {
    let begin = Instant::now();
    let mut idle = 0;
    loop {
        // A request may have been on its way to the endpoint when the command came, and be
        // counted only afterwards.
        match wait.progress(answer.endpoint.as_ref()) {
            Progress::Done => idle += 1,
            Progress::Waiting => idle = 0,
            Progress::Ended(how) => {
                let why = format!("{} {how}", name(&answer));
                return Err(failed(&why, &answer, begin));
            }
        }
        if idle >= wait.repetitions() {
            let took = begin.elapsed();
            let mut output = said(wait.done(&answer, took), &answer);
            output.json = json(&answer, took, None);
            return Ok(output);
        }
        let left = patience.saturating_sub(begin.elapsed());
        if left.is_zero() {
            let why = wait.not_done(&answer, patience);
            return Err(failed(&why, &answer, begin));
        }
        park_timeout(PAUSE.min(left));
        let list = client.upstreams().map_err(failure)?;
        let mut named = list.upstreams.into_iter();
        let upstream = named.find(|upstream| upstream.name == answer.upstream);
        let endpoints = upstream.into_iter().flat_map(|upstream| upstream.endpoints);
        let mut endpoints = endpoints.filter(|it| it.address == answer.address);
        answer.endpoint = endpoints.next();
    }
}

impl Wait {
    /// `endpoint` is none if it is not there. Who waits until it is up waits for it to come too: a
    /// container that is replaced is missing for a while in the list that names it.
    fn progress(self, endpoint: Option<&EndpointStatus>) -> Progress {
        match (self, endpoint) {
            (Self::Drained, None) => Progress::Ended("has been removed meanwhile"),
            (Self::Drained, Some(endpoint)) if !endpoint.draining => {
                Progress::Ended("has been let in again meanwhile")
            }
            (Self::Up, Some(endpoint)) if endpoint.draining => {
                Progress::Ended("has been taken out again meanwhile")
            }
            (Self::Drained, Some(endpoint)) if endpoint.in_flight == 0 => Progress::Done,
            (Self::Up, Some(endpoint)) if endpoint.health == Health::Up => Progress::Done,
            (Self::Drained | Self::Up, _) => Progress::Waiting,
        }
    }

    /// How often in a row it must be done.
    fn repetitions(self) -> u32 {
        match self {
            Self::Drained => 2,
            Self::Up => 1,
        }
    }

    fn done(self, answer: &EndpointAnswer, took: Duration) -> String {
        let name = name(answer);
        let took = duration(millis(took));
        match self {
            Self::Drained => {
                format!("{name} is taken out, and no request is in flight there, after {took}")
            }
            Self::Up => match answer.endpoint.as_ref().map(|endpoint| endpoint.weight) {
                Some(0) => format!("{name} is up, after {took}"),
                _ => format!("{name} is up and gets requests again, after {took}"),
            },
        }
    }

    fn not_done(self, answer: &EndpointAnswer, patience: Duration) -> String {
        let name = name(answer);
        let patience = duration(millis(patience));
        match (self, &answer.endpoint) {
            (Self::Drained, endpoint) => {
                let in_flight = endpoint.as_ref().map_or(0, |it| it.in_flight);
                let requests = counted(in_flight, "request");
                format!("{name} has {requests} in flight after {patience}; it stays out")
            }
            (Self::Up, None) => {
                format!("{name} is not there after {patience}; it is let in if it comes back")
            }
            (Self::Up, Some(endpoint)) => {
                let why = status::trouble(endpoint, status::now());
                let why = why.unwrap_or_else(|| status::state(endpoint));
                format!(
                    "{name} is not up after {patience}: {why}; it is let in as soon as it is up"
                )
            }
        }
    }
}

fn failed(why: &str, answer: &EndpointAnswer, begin: Instant) -> Output {
    let why = printable(why);
    Output {
        json: json(answer, begin.elapsed(), Some(&why)),
        ..Output::failure(&why)
    }
}

fn json(answer: &EndpointAnswer, took: Duration, error: Option<&str>) -> serde_json::Value {
    let waited = Waited {
        answer,
        done: error.is_none(),
        waited_ms: millis(took),
        error,
    };
    Output::new(String::new(), &waited).json
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
