//! Certificates by ACME: what the configuration says becomes the plan of the engine, and
//! the engine's door is the part of the gateway that serves clients.

mod status;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use janua_acme::{
    Authority, Challenge, Directory, Dns, DnsProvider, Door, Eab, Engine, Event, KeyType, Plan,
    Wanted,
};
use janua_config::{self as config, Config, Diagnostic, EventKind, ListenAddress};
use janua_proxy::{Estate, NoCertificate, Obtained, Orders};
use janua_telemetry::metrics::definitions;

use super::events::Events;

pub(super) use status::{expiries, failures, statuses};

/// How long one name server may take for one answer.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);

/// The engine, whose state is kept in this directory.
pub(super) fn engine(state_dir: &Path, estate: &Arc<Estate>, events: &Arc<Events>) -> Arc<Engine> {
    let store = Directory::new(state_dir.join("acme"));
    let door = GatewayDoor {
        estate: Arc::downgrade(estate),
        events: Arc::clone(events),
    };
    let engine = Arc::new(Engine::new(Arc::new(store), Arc::new(door)));
    estate
        .acme
        .set_orders(Arc::new(Waiting(Arc::clone(&engine))));
    engine
}

/// What a configuration says about certificates by ACME.
///
/// # Errors
/// All secrets that cannot be read.
pub(super) fn plan(config: &Config) -> Result<Plan, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let authorities = config.acme.iter();
    let authorities = authorities.map(|(name, one)| authority(name, one, &mut found));
    let mut plan = Plan {
        authorities: authorities.collect(),
        ..Plan::default()
    };
    for site in &config.sites {
        let Some(acme) = certificate(site) else {
            continue;
        };
        let authority = acme.authority().unwrap_or(config::Acme::DEFAULT);
        if let Some(on_demand) = &acme.on_demand {
            let rule = (authority.to_owned(), on_demand.ask.as_str().to_owned());
            plan.on_demand.insert(rule);
            continue;
        }
        let hosts = site.hosts.iter().map(|host| &host.value);
        let named = hosts.filter(|host| !matches!(host, config::HostPattern::Any));
        plan.wanted.extend(named.map(|host| Wanted {
            authority: authority.to_owned(),
            name: host.to_string(),
        }));
    }
    drop_unused(&mut plan);
    match found.is_empty() {
        true => Ok(plan),
        false => Err(found),
    }
}

/// The certificate by ACME of a site, if it has one.
pub(super) fn certificate(site: &config::Site) -> Option<&config::AcmeCertificate> {
    match &site.certificate.as_ref()?.value {
        config::Certificate::Acme(acme) => Some(acme),
        _ => None,
    }
}

/// Without a site, an authority has nothing to do, and no name server is started for it.
fn drop_unused(plan: &mut Plan) {
    let wanted = plan.wanted.iter().map(|wanted| &wanted.authority);
    let on_demand = plan.on_demand.iter().map(|(authority, _)| authority);
    let mut used: BTreeSet<String> = wanted.chain(on_demand).cloned().collect();
    let fallbacks: Vec<String> = plan
        .authorities
        .iter()
        .filter(|authority| used.contains(&authority.name))
        .flat_map(|authority| authority.fallback.clone())
        .collect();
    used.extend(fallbacks);
    plan.authorities
        .retain(|authority| used.contains(&authority.name));
}

fn authority(name: &str, one: &config::Authority, found: &mut Vec<Diagnostic>) -> Authority {
    let challenge = |challenge: &config::Challenge| match challenge {
        config::Challenge::TlsAlpn01 => Challenge::TlsAlpn01,
        config::Challenge::Http01 => Challenge::Http01,
        config::Challenge::Dns01 => Challenge::Dns01,
    };
    let url = |directory: &config::Directory| directory.url().to_owned();
    Authority {
        name: name.to_owned(),
        directory: url(&one.directory),
        test_directory: one.test_directory().map(url),
        email: one.email.as_ref().map(|email| email.value.clone()),
        challenges: one
            .challenges
            .iter()
            .map(|one| challenge(&one.value))
            .collect(),
        dns: one.dns.as_ref().map(|dns| self::dns(dns, found)),
        profile: one.profile.as_ref().map(|profile| profile.value.clone()),
        key_type: match one.key_type {
            config::KeyType::P256 => KeyType::P256,
            config::KeyType::P384 => KeyType::P384,
            config::KeyType::Rsa2048 => KeyType::Rsa2048,
            config::KeyType::Rsa4096 => KeyType::Rsa4096,
        },
        eab: one.eab.as_ref().map(|eab| Eab {
            id: eab.id.value.clone(),
            // Its characters have been checked.
            key: secret(eab.key.resolve(&variable), found)
                .and_then(|key| BASE64_URL_SAFE_NO_PAD.decode(key).ok())
                .unwrap_or_default(),
        }),
        roots: one.roots.as_ref().map(|roots| roots.value.clone()),
        fallback: one
            .fallback
            .iter()
            .map(|name| name.value.as_str().to_owned())
            .collect(),
    }
}

fn dns(dns: &config::AcmeDns, found: &mut Vec<Diagnostic>) -> Dns {
    let provider = match &dns.provider {
        config::DnsProvider::Responder {
            addresses,
            zone,
            name_server,
        } => DnsProvider::Responder {
            addresses: addresses
                .iter()
                .flat_map(|address| socket_addresses(address.value))
                .collect(),
            zones: janua_dns01::Zones {
                zone: zone.as_ref().map(|zone| zone.value.clone()),
                name_server: name_server.value.clone(),
            },
        },
        config::DnsProvider::Webhook { url, token } => DnsProvider::Webhook {
            url: url.as_str().to_owned(),
            token: secret(token.resolve(&variable), found).flatten(),
        },
    };
    Dns {
        provider,
        lookup: janua_dns01::LookupSettings {
            resolvers: dns.resolvers().collect(),
            check: match dns.check {
                config::DnsCheck::Authoritative => janua_dns01::Check::Authoritative,
                config::DnsCheck::Resolvers => janua_dns01::Check::Resolvers,
                config::DnsCheck::Off => janua_dns01::Check::Off,
            },
            timeout: DNS_TIMEOUT,
            authoritative_port: 53,
        },
        propagation_timeout: dns.propagation_timeout.value,
    }
}

/// The addresses that are meant by one of the configuration.
fn socket_addresses(address: ListenAddress) -> Vec<SocketAddr> {
    match address {
        ListenAddress::Socket(address) => vec![address],
        ListenAddress::BothFamilies { port } => vec![
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ],
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn secret<T>(resolved: Result<T, Diagnostic>, found: &mut Vec<Diagnostic>) -> Option<T> {
    resolved.map_err(|fault| found.push(fault)).ok()
}

/// The part of the gateway that serves clients, as the engine sees it.
struct GatewayDoor {
    /// The estate holds the engine, for clients that wait.
    estate: Weak<Estate>,
    events: Arc<Events>,
}

impl GatewayDoor {
    fn with(&self, act: impl FnOnce(&Estate)) {
        // Without it the process is ending.
        if let Some(estate) = self.estate.upgrade() {
            act(&estate);
        }
    }
}

impl Door for GatewayDoor {
    fn put_http(&self, token: &str, key_authorization: &str) {
        self.with(|estate| estate.acme.put_http(token, key_authorization));
    }

    fn remove_http(&self, token: &str) {
        self.with(|estate| estate.acme.remove_http(token));
    }

    fn put_tls_alpn(&self, server_name: &str, config: Arc<janua_tls::ServerConfig>) {
        self.with(|estate| estate.acme.put_tls_alpn(server_name, config));
    }

    fn remove_tls_alpn(&self, server_name: &str) {
        self.with(|estate| estate.acme.remove_tls_alpn(server_name));
    }

    fn issued(&self, authority: &str) -> Arc<janua_tls::Issued> {
        let estate = self.estate.upgrade();
        estate
            .map(|estate| estate.acme.issued(authority))
            .unwrap_or_default()
    }

    fn event(&self, event: &Event) {
        self.events.tell(janua_webhook::Event {
            kind: EventKind::Certificate,
            name: event.name.clone(),
            state: event.state.as_str(),
            text: event.text.clone(),
            details: event.details.clone(),
            time_unix: event.time,
        });
    }

    fn count_order(&self, authority: &str, outcome: &str) {
        self.with(|estate| {
            let labels = [authority, outcome];
            let orders = estate.metrics.counter(&definitions::ACME_ORDERS, labels);
            orders.increment(0);
        });
    }

    fn count_question(&self, answer: &'static str) {
        self.with(|estate| {
            let questions = estate
                .metrics
                .counter(&definitions::ACME_QUESTIONS, [answer]);
            questions.increment(0);
        });
    }
}

/// Clients that wait for the engine.
struct Waiting(Arc<Engine>);

impl Orders for Waiting {
    fn obtain(&self, wanted: janua_proxy::Wanted<'_>) -> Obtained {
        let obtained = self.0.obtain(wanted.authority, wanted.ask, wanted.name);
        Box::pin(async {
            match obtained.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(janua_acme::NoCertificate::NotPermitted)) => {
                    Err(NoCertificate::NotPermitted)
                }
                _ => Err(NoCertificate::Failed),
            }
        })
    }
}
