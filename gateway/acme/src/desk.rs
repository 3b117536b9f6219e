//! What all orders share.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use janua_dns01::{Check, Lookup, Responder, Webhook, Zones, challenge_name};

use crate::accounts::Accounts;
use crate::door::Door;
use crate::failure::Failure;
use crate::http::Http;
use crate::settings::{Authority, Dns, DnsProvider, Plan};
use crate::solver::{NameServer, Publisher, Solver};
use crate::store::Store;

/// What all orders share. It lives on the thread of certificates.
pub(crate) struct Desk {
    clock: fn() -> i64,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) door: Arc<dyn Door>,
    pub(crate) accounts: Accounts,
    /// Who answers DNS-01, by the name of the authority, or why nobody can.
    solvers: RefCell<HashMap<String, Result<Rc<Solver>, Failure>>>,
    responders: RefCell<Vec<Running>>,
    /// The names that may be delegated to the name servers one by one.
    apexes: RefCell<BTreeSet<String>>,
    asker: RefCell<Option<Http>>,
    /// Records that would be of use, by authority and name.
    suggestions: RefCell<HashMap<(String, String), String>>,
}

/// A built-in name server that is running.
struct Running {
    addresses: Vec<SocketAddr>,
    zones: Zones,
    server: Rc<NameServer>,
}

impl Desk {
    pub(crate) fn new(store: Arc<dyn Store>, door: Arc<dyn Door>) -> Self {
        Self::with_clock(store, door, unix_now)
    }

    pub(crate) fn with_clock(
        store: Arc<dyn Store>,
        door: Arc<dyn Door>,
        clock: fn() -> i64,
    ) -> Self {
        Self {
            clock,
            store,
            door,
            accounts: Accounts::default(),
            solvers: RefCell::default(),
            responders: RefCell::default(),
            apexes: RefCell::default(),
            asker: RefCell::default(),
            suggestions: RefCell::default(),
        }
    }

    /// A record that would be of use for a name, or that none would.
    pub(crate) fn suggest(&self, authority: &str, name: &str, record: Option<String>) {
        let key = (authority.to_owned(), name.to_owned());
        let mut suggestions = self.suggestions.borrow_mut();
        match record {
            Some(record) => drop(suggestions.insert(key, record)),
            None => drop(suggestions.remove(&key)),
        }
    }

    /// The record that would be of use for a name.
    pub(crate) fn suggestion(&self, key: &(String, String)) -> Option<String> {
        self.suggestions.borrow().get(key).cloned()
    }

    /// The client that asks whether names may have certificates. Reading whom the system
    /// trusts takes tens of milliseconds, so that it is made once.
    pub(crate) fn asker(&self) -> Result<Http, Failure> {
        if let Some(http) = &*self.asker.borrow() {
            return Ok(http.clone());
        }
        let http = Http::new(None)?;
        self.asker.replace(Some(http.clone()));
        Ok(http)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Who answers DNS-01 for an authority. What could not be started before is tried again.
    pub(crate) async fn solver(&self, authority: &Authority) -> Result<Rc<Solver>, Failure> {
        let known = self.solvers.borrow().get(&authority.name).cloned();
        if let Some(Ok(solver)) = known {
            return Ok(solver);
        }
        let dns = authority.dns.as_ref().ok_or_else(|| {
            Failure::new(
                "settings",
                "`dns` is missing in the settings of the authority",
            )
        })?;
        let made = self.make_solver(dns).await.map(Rc::new);
        if let Ok(solver) = &made {
            let mut solvers = self.solvers.borrow_mut();
            solvers.insert(authority.name.clone(), Ok(Rc::clone(solver)));
        }
        made
    }

    /// Whether DNS-01 cannot be answered for an authority: a port was taken, for example.
    pub(crate) fn is_broken(&self, authority: &str) -> bool {
        let solvers = self.solvers.borrow();
        matches!(solvers.get(authority), Some(Err(_)))
    }

    /// Starts and stops the name servers that a plan needs. One that stays keeps its sockets.
    pub(crate) async fn configure(&self, plan: &Plan) {
        let needed: Vec<(&[SocketAddr], &Zones)> = plan
            .authorities
            .iter()
            .filter_map(|authority| match &authority.dns.as_ref()?.provider {
                DnsProvider::Responder { addresses, zones } => Some((&**addresses, zones)),
                DnsProvider::Webhook { .. } => None,
            })
            .collect();
        let running = self.responders.take();
        let (kept, ended): (Vec<Running>, Vec<Running>) = running
            .into_iter()
            .partition(|one| needed.contains(&(&one.addresses, &one.zones)));
        self.responders.replace(kept);
        for one in ended {
            let responder = one.server.0.take();
            // Others may need its ports.
            if let Some(responder) = responder {
                responder.stop().await;
            }
        }
        let mut solvers = HashMap::new();
        for authority in &plan.authorities {
            if let Some(dns) = &authority.dns {
                let solver = self.make_solver(dns).await;
                if let Err(failure) = &solver {
                    tracing::error!(authority = authority.name, "DNS-01 cannot work: {failure}");
                }
                solvers.insert(authority.name.clone(), solver.map(Rc::new));
            }
        }
        self.solvers.replace(solvers);
    }

    async fn make_solver(&self, dns: &Dns) -> Result<Solver, Failure> {
        let lookup = Lookup::new(dns.lookup.clone());
        let publisher = match &dns.provider {
            DnsProvider::Responder { addresses, zones } => Publisher::Responder {
                server: self.name_server(addresses, zones).await?,
                zones: zones.clone(),
            },
            DnsProvider::Webhook { url, token } => {
                Publisher::Webhook(Arc::new(Webhook::new(url.clone(), token.clone())))
            }
        };
        Ok(Solver {
            publisher,
            lookup: lookup.map_err(|error| Failure::new("dns", error))?,
            patience: dns.propagation_timeout,
            is_checked: dns.lookup.check != Check::Off,
        })
    }

    /// The name server on these addresses, started unless it runs.
    async fn name_server(
        &self,
        addresses: &[SocketAddr],
        zones: &Zones,
    ) -> Result<Rc<NameServer>, Failure> {
        let known = self
            .responders
            .borrow()
            .iter()
            .find(|one| one.addresses == addresses && one.zones == *zones)
            .map(|one| Rc::clone(&one.server));
        if let Some(server) = known {
            return Ok(server);
        }
        let started = Responder::start(addresses, zones.clone()).await;
        let responder = started.map_err(|error| taken(addresses, &error))?;
        responder.set_apexes(self.apexes.borrow().iter().cloned());
        let server = Rc::new(NameServer(RefCell::new(Some(responder))));
        self.responders.borrow_mut().push(Running {
            addresses: addresses.to_vec(),
            zones: zones.clone(),
            server: Rc::clone(&server),
        });
        Ok(server)
    }

    /// Tells all name servers for which domains they may be asked.
    pub(crate) fn serve_domains<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let apexes: BTreeSet<String> = names.map(challenge_name).collect();
        for running in &*self.responders.borrow() {
            if let Some(responder) = &*running.server.0.borrow() {
                responder.set_apexes(apexes.iter().cloned());
            }
        }
        self.apexes.replace(apexes);
    }
}

/// Why a name server could not be started, and what to do if others have the port.
fn taken(addresses: &[SocketAddr], error: &std::io::Error) -> Failure {
    let is_wide = addresses
        .iter()
        .any(|address| address.ip().is_unspecified());
    match error.kind() {
        std::io::ErrorKind::AddrInUse if is_wide => Failure::new(
            "dns",
            format_args!(
                "{} A resolver of this machine may have the port, as systemd-resolved has; name \
                 the machine's own addresses in `responder` then",
                error
            ),
        ),
        _ => Failure::new("dns", error),
    }
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
