//! How a process that compiles has ended, and what that says about the component.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

use super::child::REFUSED;
use super::limits::{CompileLimits, MAX_ARTEFACT, Stage};
use crate::artefact::Artefact;
use crate::component::LoadError;

/// How the child has ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By itself.
    Exit(ExitStatus),
    /// It took too long by the clock.
    Late,
    /// Its output is too large.
    Large,
    /// The gateway stops.
    Stopped,
    /// Nobody waits for the result any more.
    Abandoned,
}

/// The longest sentence of a child that is shown, in characters.
const MAX_SENTENCE: usize = 2_000;

impl Ending {
    /// The compiled component, or why there is none. `output` is what follows the mark of the
    /// first stage, `words` is what it wrote to its standard error, and `code` are the limits
    /// of the second stage.
    pub(super) fn outcome(
        self,
        stage: Stage,
        code: CompileLimits,
        output: Vec<u8>,
        words: &str,
    ) -> Result<Artefact, LoadError> {
        let limits = stage.limits(code);
        let status = match self {
            Self::Exit(status) => status,
            Self::Late => return Err(beyond(stage, &format!("{:?}", limits.time))),
            Self::Large => {
                let limit = format!("{} MiB of compiled code", MAX_ARTEFACT >> 20);
                return Err(beyond(stage, &limit));
            }
            Self::Stopped => return Err(LoadError::Stopped),
            Self::Abandoned => return Err(LoadError::Abandoned),
        };
        if status.code() == Some(i32::from(REFUSED)) {
            return Err(LoadError::Refused(sentence(&String::from_utf8_lossy(
                &output,
            ))));
        }
        if status.success() && stage == Stage::Code {
            let artefact = Artefact::from_bytes(output);
            return artefact.ok_or_else(|| {
                LoadError::Died("the compiled code arrived incomplete; try again".to_owned())
            });
        }
        Err(died(stage, limits, status, words))
    }
}

/// The child died of a limit, or of a defect.
fn died(stage: Stage, limits: CompileLimits, status: ExitStatus, words: &str) -> LoadError {
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is(Signal::XCPU) {
        return beyond(stage, &format!("{} s of CPU time", limits.cpu));
    }
    // What the standard library says when it gives up.
    if words.contains("memory allocation of") || words.contains("out of memory") {
        return beyond(stage, &format!("{} MiB of memory", limits.memory >> 20));
    }
    if words.contains("stack overflow") || words.contains("overflowed its stack") {
        return beyond(stage, "the stack, because it is nested too deeply");
    }
    if is(Signal::KILL) {
        return LoadError::Died(format!(
            "{} was killed from outside, probably because the machine has too little memory",
            doing(stage)
        ));
    }
    let words = match words.trim() {
        "" => String::new(),
        words => format!(": {}", sentence(words)),
    };
    LoadError::Died(format!("{} failed ({status}){words}", doing(stage)))
}

fn beyond(stage: Stage, limit: &str) -> LoadError {
    let advice = match stage {
        Stage::Structure => "build it with fewer and less nested types and instances",
        Stage::Code => "build it optimised for size, and divide its largest functions",
    };
    let doing = doing(stage);
    LoadError::Died(format!("{doing} takes more than {limit}; {advice}"))
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Structure => "checking its structure",
        Stage::Code => "compiling it",
    }
}

fn sentence(text: &str) -> String {
    text.trim().chars().take(MAX_SENTENCE).collect()
}
