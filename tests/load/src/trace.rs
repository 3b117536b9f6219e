//! Counts system calls and user instructions per request, if this machine supports it.
//!
//! `perf trace` counts without stopping the process, unlike `strace`. Virtual machines often
//! have no instruction counter.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::contender::Running;
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::kernel;
use crate::process::pause;

const WINDOW: Duration = Duration::from_secs(3);
/// Time for perf to attach before the load, and to print its report after it.
const MARGIN: Duration = Duration::from_millis(700);

/// Counts per request; `None` if the machine does not support counting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Name of the contender.
    pub(crate) name: &'static str,
    /// System calls.
    pub(crate) calls: Option<f64>,
    /// Instructions in user code.
    pub(crate) instructions: Option<f64>,
}

/// Counts for one contender while only this one has load.
///
/// # Errors
/// The load cannot be generated.
pub(crate) fn count(running: &Running, rate: f64, connections: usize) -> anyhow::Result<Counts> {
    let target = Target {
        address: running.process.address,
        ask: Ask::plain("/1k", 1024),
        connections,
        pace: Pace::PerSecond(rate),
    };
    let mut generator = Generator::connect(&[target])?;
    generator.run(MARGIN)?;
    let pids: Vec<String> = kernel::tree(running.process.id())
        .iter()
        .map(u32::to_string)
        .collect();
    let pids = pids.join(",");
    let (text, outcome) = under(&["trace", "-s", "-p", &pids], &mut generator)?;
    let calls = per_request(text.as_deref().and_then(system_calls), &outcome);
    let (text, outcome) = under(
        &["stat", "-x,", "-e", "instructions:u", "-p", &pids],
        &mut generator,
    )?;
    let instructions = per_request(text.as_deref().and_then(user_instructions), &outcome);
    Ok(Counts {
        name: running.contender.name,
        calls,
        instructions,
    })
}

/// Runs perf during a run of load. Returns its report; `None` if perf is not installed or not
/// permitted.
fn under(
    arguments: &[&str],
    generator: &mut Generator,
) -> anyhow::Result<(Option<String>, Outcome)> {
    let seconds = (WINDOW + MARGIN * 2).as_secs_f64().to_string();
    let perf = Command::new("perf")
        .args(arguments)
        .args(["--", "sleep", &seconds])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(perf) = perf else {
        return Ok((None, Outcome::default()));
    };
    pause(MARGIN);
    let outcomes = generator.run(WINDOW);
    let report = perf.wait_with_output()?;
    let text = [report.stdout, report.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let outcome = outcomes?.into_iter().next().unwrap_or_default();
    Ok((report.status.success().then_some(text), outcome))
}

fn per_request(count: Option<u64>, outcome: &Outcome) -> Option<f64> {
    let requests = outcome.answered + outcome.failed();
    (requests > 0).then_some(count? as f64 / requests as f64)
}

/// Sums the system calls of all threads in a report of `perf trace -s`. Its lines have a
/// name, a count and six more numbers.
fn system_calls(report: &str) -> Option<u64> {
    let calls = report.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, calls, errors, times @ ..] = words.as_slice() else {
            return None;
        };
        let numbers = errors.parse::<u64>().is_ok() && times.len() >= 4;
        numbers.then(|| calls.parse::<u64>().ok())?
    });
    let sum: u64 = calls.sum();
    (sum > 0).then_some(sum)
}

/// Reads the count from a report of `perf stat -x,`.
fn user_instructions(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_perf_are_read() {
        let trace = "
 Summary of events:

 nginx (5423), 58 events, 90.6%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   recvfrom               8      2     0.117     0.013     0.015     0.018      3.97%
   writev                 2      0     0.028     0.014     0.014     0.014      1.94%
";
        assert_eq!(system_calls(trace), Some(10));
        assert_eq!(system_calls("perf: not permitted"), None);
        assert_eq!(
            user_instructions("123456,,instructions:u,100,100.00,,"),
            Some(123_456)
        );
        assert_eq!(
            user_instructions("<not supported>,,instructions:u,0,100.00,,"),
            None
        );
    }
}
