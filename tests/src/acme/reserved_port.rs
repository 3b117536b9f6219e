//! Ports that are known before anything listens on them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of the loopback address, for TCP and UDP, which no other test uses while this is there.
///
/// An authority validates on ports of its configuration, and gateways start and end meanwhile, so
/// the kernel cannot choose when one listens. It also could give the port to somebody else
/// between two listeners. These ports are below those that it gives away, and a lock on a file
/// keeps the other tests from each, in whatever process they are. The kernel drops the lock
/// with the process.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
    _lock: File,
}

impl ReservedPort {
    /// A free port.
    #[must_use]
    pub fn reserve() -> Self {
        // Processes begin at different places, so that they seldom meet.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("janua-tests-ports");
        std::fs::create_dir_all(&folder).expect("a folder for locks");
        let count = LAST - FIRST + 1;
        let own = u16::try_from(std::process::id() % 64).unwrap() * (count / 64);
        for _ in 0..count {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let port = FIRST + own.wrapping_add(next) % count;
            if let Some(lock) = lock(&folder, port)
                && is_free(port)
            {
                return Self { port, _lock: lock };
            }
        }
        panic!("no port of {FIRST} to {LAST} is free");
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.port
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// Below `net.ipv4.ip_local_port_range`, which begins at 32768 unless it is changed.
const FIRST: u16 = 20_000;
const LAST: u16 = 29_999;

fn lock(folder: &Path, port: u16) -> Option<File> {
    let file = File::create(folder.join(port.to_string())).expect("a file to lock");
    file.try_lock().ok().map(|()| file)
}

/// Looks into the tables of the kernel and binds nothing: a process that another test starts at
/// this moment would hold the socket a little longer than it is here.
fn is_free(port: u16) -> bool {
    let ending = format!(":{port:04X}");
    let is_in = |table: &str| {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let mut locals = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        locals.any(|local| local.ends_with(&ending))
    };
    !["tcp", "tcp6", "udp", "udp6"].into_iter().any(is_in)
}
