//! Figures from the kernel's `/proc` about a process and its descendants.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// A process and all its descendants, by process id.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if let Some(parent) = parent_of(pid) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(one) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == one)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}

fn parent_of(pid: u32) -> Option<u32> {
    // The name, in parentheses, may itself contain spaces and parentheses.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// CPU time that a process tree has used since its start.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cpu {
    /// User and system time in nanoseconds, as counted by the scheduler.
    pub(crate) nanos: u64,
    /// Clock ticks in user code: sampled, so only useful as a share.
    pub(crate) user_ticks: u64,
    /// Clock ticks in the kernel.
    pub(crate) system_ticks: u64,
}

impl Cpu {
    /// Reads it for `root` and its descendants, without processes that have ended.
    pub(crate) fn of(root: u32) -> Self {
        let mut sum = Self::default();
        for pid in tree(root) {
            sum.add_process(pid);
        }
        sum
    }

    /// Reads it for one process without its descendants.
    pub(crate) fn alone(pid: u32) -> Self {
        let mut sum = Self::default();
        sum.add_process(pid);
        sum
    }

    fn add_process(&mut self, pid: u32) {
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            self.add_thread(&thread.path());
        }
    }

    fn add_thread(&mut self, task: &Path) {
        self.nanos += scheduled(task);
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return;
        };
        // Fields 14 and 15 of proc(5), counted without the first two, up to the name.
        let mut ticks = fields
            .split_whitespace()
            .skip(11)
            .map(|value| value.parse().unwrap_or(0));
        self.user_ticks += ticks.next().unwrap_or(0);
        self.system_ticks += ticks.next().unwrap_or(0);
    }

    /// The difference to an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(earlier.nanos),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }

    /// The share of user code, 0 to 1.
    pub(crate) fn user_share(self) -> f64 {
        let ticks = (self.user_ticks + self.system_ticks).max(1);
        self.user_ticks as f64 / ticks as f64
    }
}

/// CPU time of each thread of a process tree, by thread id.
pub(crate) struct Threads(HashMap<String, u64>);

impl Threads {
    /// Reads it for `root` and its descendants.
    pub(crate) fn of(root: u32) -> Self {
        let mut all = HashMap::new();
        for pid in tree(root) {
            let threads = fs::read_dir(format!("/proc/{pid}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                let id = thread.file_name().to_string_lossy().into_owned();
                all.insert(id, scheduled(&thread.path()));
            }
        }
        Self(all)
    }

    /// The differences to an earlier reading in nanoseconds, the greatest first.
    pub(crate) fn since(&self, earlier: &Self) -> Vec<u64> {
        let differences = self.0.iter().map(|(id, now)| {
            let before = earlier.0.get(id).copied().unwrap_or(0);
            now.saturating_sub(before)
        });
        let mut sorted: Vec<u64> = differences.collect();
        sorted.sort_unstable_by_key(|used| Reverse(*used));
        sorted
    }
}

/// CPU time of a thread in nanoseconds, as counted by the scheduler.
fn scheduled(task: &Path) -> u64 {
    let schedule = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let nanos = schedule.split_whitespace().next();
    nanos.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Time that a core has been busy since the machine started, in a resolution of 10 ms; zero
/// for a core that does not exist.
pub(crate) fn core_busy(core: usize) -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{core}");
    let line = stat.lines().find_map(|line| {
        let (first, rest) = line.split_once(' ')?;
        (first == name).then_some(rest)
    });
    // user nice system idle iowait irq softirq steal
    let ticks: u64 = line
        .unwrap_or_default()
        .split_whitespace()
        .take(8)
        .enumerate()
        .filter(|(column, _)| !matches!(column, 3 | 4))
        .map(|(_, value)| value.parse().unwrap_or(0))
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Memory of a process tree, in KiB.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Memory {
    /// Resident pages; shared ones count in every process.
    pub(crate) rss: u64,
    /// Resident pages; shared ones are divided among the processes that share them.
    pub(crate) pss: u64,
}

impl Memory {
    /// Reads it for `root` and its descendants.
    pub(crate) fn of(root: u32) -> Self {
        let mut sum = Self::default();
        for pid in tree(root) {
            let rollup =
                fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            for line in rollup.lines() {
                let mut words = line.split_whitespace();
                let (name, value) = (words.next(), words.next());
                let value = value.and_then(|value| value.parse().ok()).unwrap_or(0);
                match name {
                    Some("Rss:") => sum.rss += value,
                    Some("Pss:") => sum.pss += value,
                    _ => {}
                }
            }
        }
        sum
    }
}

/// True if a process of this tree listens on this IPv4 address. Otherwise another server
/// could be measured in its place.
pub(crate) fn listens(root: u32, address: SocketAddr) -> bool {
    let Some(inode) = listening_inode(address.port()) else {
        return false;
    };
    let wanted = format!("socket:[{inode}]");
    tree(root).into_iter().any(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        descriptors
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.as_os_str() == wanted.as_str())
    })
}

fn listening_inode(port: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?
        + &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let wanted = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        (local.ends_with(&wanted) && state == "0A").then(|| fields.nth(5).map(str::to_owned))?
    })
}

/// A line about the machine: kernel, cores, processor.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn machine() -> anyhow::Result<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("kernel release")?;
    let processors = fs::read_to_string("/proc/cpuinfo").context("processors")?;
    let cores = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    Ok(format!("Linux {}, {cores} cores, {model}", kernel.trim()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_known_to_be_ours_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(listens(std::process::id(), address));
        // There is no process with this id.
        assert!(!listens(u32::MAX, address));
        drop(listener);
        assert!(!listens(std::process::id(), address));
    }

    #[test]
    fn cpu_and_memory_are_read() {
        let threads = Threads::of(std::process::id());
        let before = Cpu::of(std::process::id());
        let mut sum = 0u64;
        while Cpu::of(std::process::id()).since(before).nanos < 1_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert_eq!(Threads(HashMap::new()).since(&threads), [0; 0]);
        let used = Threads::of(std::process::id()).since(&threads);
        assert!(used.first().is_some_and(|most| *most > 0), "{used:?}");
        assert!(used.is_sorted_by(|one, next| one >= next), "{used:?}");
        assert!(Memory::of(std::process::id()).pss > 100);
        assert!(machine().unwrap().contains("cores"));
    }
}
