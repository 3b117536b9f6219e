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
use crate::solver::{Publisher, Solver};
use crate::store::Store;

/// What all orders share. It lives on the thread of certificates.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) door: Arc<dyn Door>,
    pub(crate) accounts: Accounts,
    /// Who answers DNS-01, by the name of the authority, or why nobody can.
    solvers: RefCell<HashMap<String, Result<Rc<Solver>, Failure>>>,
    responders: RefCell<Vec<Running>>,
    asker: RefCell<Option<Http>>,
    /// Records that would be of use, by authority and name.
    suggestions: RefCell<HashMap<(String, String), String>>,
}

/// A built-in name server that is running.
struct Running {
    addresses: Vec<SocketAddr>,
    zones: Zones,
    responder: Rc<Responder>,
}

impl Desk {
    pub(crate) fn new(store: Arc<dyn Store>, door: Arc<dyn Door>) -> Self {
        Self {
            store,
            door,
            accounts: Accounts::default(),
            solvers: RefCell::default(),
            responders: RefCell::default(),
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
    #[allow(
        clippy::unused_self,
        reason = "the time belongs to what all orders share"
    )]
    pub(crate) fn now(&self) -> i64 {
        unix_now()
    }

    /// Who answers DNS-01 for an authority.
    pub(crate) fn solver(&self, authority: &Authority) -> Result<Rc<Solver>, Failure> {
        let solvers = self.solvers.borrow();
        solvers.get(&authority.name).cloned().unwrap_or_else(|| {
            Err(Failure::new(
                "settings",
                "`dns` is missing in the settings of the authority",
            ))
        })
    }

    /// Starts and stops the name servers that a plan needs. One that stays keeps its sockets.
    pub(crate) async fn configure(&self, plan: &Plan) {
        let mut solvers = HashMap::new();
        let mut kept = Vec::new();
        for authority in &plan.authorities {
            if let Some(dns) = &authority.dns {
                let solver = self.make_solver(dns, &mut kept).await;
                if let Err(failure) = &solver {
                    tracing::error!(authority = authority.name, "DNS-01 cannot work: {failure}");
                }
                solvers.insert(authority.name.clone(), solver.map(Rc::new));
            }
        }
        self.responders.replace(kept);
        self.solvers.replace(solvers);
    }

    async fn make_solver(&self, dns: &Dns, kept: &mut Vec<Running>) -> Result<Solver, Failure> {
        let lookup = Lookup::new(dns.lookup.clone());
        let publisher = match &dns.provider {
            DnsProvider::Responder { addresses, zones } => Publisher::Responder {
                responder: self.responder(addresses, zones, kept).await?,
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

    async fn responder(
        &self,
        addresses: &[SocketAddr],
        zones: &Zones,
        kept: &mut Vec<Running>,
    ) -> Result<Rc<Responder>, Failure> {
        let is_same = |one: &Running| one.addresses == addresses && one.zones == *zones;
        if let Some(running) = kept.iter().find(|one| is_same(one)) {
            return Ok(Rc::clone(&running.responder));
        }
        let before = {
            let mut running = self.responders.borrow_mut();
            let found = running.iter().position(is_same);
            // Others on these addresses end first.
            let before = found.map(|place| running.swap_remove(place));
            running.retain(|one| one.addresses.iter().all(|it| !addresses.contains(it)));
            before
        };
        let running = match before {
            Some(running) => running,
            None => Running {
                addresses: addresses.to_vec(),
                zones: zones.clone(),
                responder: Rc::new(
                    Responder::start(addresses, zones.clone())
                        .await
                        .map_err(|error| Failure::new("dns", error))?,
                ),
            },
        };
        let responder = Rc::clone(&running.responder);
        kept.push(running);
        Ok(responder)
    }

    /// Tells all name servers for which domains they may be asked.
    pub(crate) fn serve_domains<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let apexes: BTreeSet<String> = names
            .map(|name| challenge_name(name.strip_prefix("*.").unwrap_or(name)))
            .collect();
        for running in &*self.responders.borrow() {
            running.responder.set_apexes(apexes.iter().cloned());
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
