//! Everything that the traffic runs against: the gateway, its files, certificates and upstreams.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use janua_tests::{
    Authority, Gateway, Http2Upstream, Issue, Issued, Settings, TlsClient, Upstream, component,
    eventually, filler,
};

use crate::calls;
use crate::config::{Endpoints, HOST, MUTUAL};
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::origin;
use crate::outages::Pair;
use crate::plan::Plan;

/// The stage of a soak. Clients, operator and outages share it.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) ledger: Ledger,
    pub(crate) certificates: Certificates,
    pub(crate) endpoints: Endpoints,
    pub(crate) fleet: Fleet,
    /// The configuration that is live.
    pub(crate) revision: AtomicUsize,
    /// Responses of the pair that may be stored have the next number each.
    pub(crate) version: Arc<AtomicU64>,
    pub(crate) plan: Plan,
    pub(crate) begin: Instant,
    /// Whether the traffic goes on.
    pub(crate) goes_on: AtomicBool,
    _steady: (Upstream, Http2Upstream),
}

/// The certificates of the site, one after the other.
pub(crate) struct Certificates {
    authority: Authority,
    identity: Arc<Issued>,
    installed: Mutex<Vec<Vec<u8>>>,
    seen: AtomicUsize,
    trusting: TlsClient,
}

/// The content of the largest file and of the longest body; shorter ones are its beginning.
pub(crate) fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| filler(0, LONGEST))
}

/// The length of [`content`].
pub(crate) const LONGEST: usize = 1024 * 1024;

/// The files by name, and their lengths.
pub(crate) const FILES: [(&str, usize); 3] = [
    ("small.bin", 700),
    ("held.bin", 40_000),
    ("large.bin", LONGEST),
];

impl Scene {
    /// Starts the gateway and the upstreams that live.
    pub(crate) async fn start(plan: Plan, pair: &Pair, version: Arc<AtomicU64>) -> Self {
        let steady = origin::steady().await;
        let steady_calls = calls::server(None, "steady").await;
        let fleet = Fleet::start().await;
        let endpoints = Endpoints {
            pair: pair.addresses(),
            steady: steady.endpoint(),
            calls: pair.call_addresses(),
            steady_calls: steady_calls.endpoint(),
            fleet: fleet.addresses(),
        };
        let directory = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(directory.path());
        write_files(directory.path());
        fleet.list(directory.path(), &[0, 1, 2]);
        // Two workers as by default on two cores. Changed files take effect by themselves.
        let settings = Settings::new().watch().open_files(4096);
        let config = endpoints.config(1);
        let gateway = settings.start_in(directory, config).await;
        let is_watching = eventually(async || {
            let messages = gateway.messages();
            messages
                .contains("watching files for changes")
                .then_some(())
        });
        assert!(is_watching.await.is_some(), "it does not watch its files");
        Self {
            gateway,
            ledger: Ledger::default(),
            certificates,
            endpoints,
            fleet,
            revision: AtomicUsize::new(1),
            version,
            plan,
            begin: Instant::now(),
            goes_on: AtomicBool::new(true),
            _steady: (steady, steady_calls),
        }
    }

    /// Whether traffic and changes go on.
    pub(crate) fn is_on(&self) -> bool {
        self.goes_on.load(SeqCst) && !self.ledger.has_enough()
    }
}

impl Certificates {
    fn new(directory: &Path) -> Self {
        let authority = Authority::new("the authority of the soak");
        authority.write(directory, "ca");
        let certificates = Self {
            identity: Arc::new(authority.sign(&Issue::client("a client"))),
            trusting: TlsClient::trusting(&authority),
            authority,
            installed: Mutex::default(),
            seen: AtomicUsize::new(0),
        };
        certificates.install(directory);
        certificates
    }

    /// Issues the next certificate and puts its files in the place of the old ones, the key
    /// first. Returns its number.
    pub(crate) fn install(&self, directory: &Path) -> usize {
        let issued = self.authority.issue(&[HOST, MUTUAL]);
        let number = {
            let mut installed = self.installed.lock().unwrap();
            installed.push(issued.der().to_vec());
            installed.len() - 1
        };
        issued.write(directory, "next");
        for extension in ["key", "crt"] {
            let path = |name: &str| directory.join(name).with_extension(extension);
            std::fs::rename(path("next"), path("site")).unwrap();
        }
        number
    }

    /// A client that trusts the authority, without a session.
    pub(crate) fn client(&self) -> TlsClient {
        self.trusting.anew()
    }

    /// A client with a certificate of its own.
    pub(crate) fn mutual_client(&self) -> TlsClient {
        self.client().identity(&self.identity)
    }

    /// The number of a certificate that was installed at some time.
    pub(crate) fn number(&self, der: &[u8]) -> Option<usize> {
        let installed = self.installed.lock().unwrap();
        installed.iter().rposition(|known| known == der)
    }

    /// The gateway serves this certificate.
    pub(crate) fn is_seen(&self, number: usize) {
        self.seen.fetch_max(number, SeqCst);
    }

    /// The oldest certificate that a new handshake may show.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(SeqCst)
    }
}

/// The two components between which the operator changes.
pub(crate) fn swapped(turn: usize) -> Vec<u8> {
    let mut bytes = std::fs::read(component("janua-policy-headers")).unwrap();
    if !turn.is_multiple_of(2) {
        // Another component that does the same: with a custom section `x` of one byte.
        bytes.extend([0, 3, 1, b'x', 0]);
    }
    bytes
}

fn write_files(directory: &Path) {
    std::fs::write(directory.join("swapped.wasm"), swapped(0)).unwrap();
    let files = directory.join("site/files");
    std::fs::create_dir_all(&files).unwrap();
    for (name, size) in FILES {
        std::fs::write(files.join(name), &content()[..size]).unwrap();
    }
    std::fs::write(files.join("page.txt"), crate::coded::text(30_000)).unwrap();
    // A file that was changed a moment ago has a weak tag, with which no range is asked for.
    for entry in std::fs::read_dir(files).unwrap() {
        let file = std::fs::File::options()
            .write(true)
            .open(entry.unwrap().path());
        let old = SystemTime::now() - Duration::from_secs(3600);
        file.unwrap().set_modified(old).unwrap();
    }
}
