//! What is shown while the configuration changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use janua_tls::{Issued, ServerConfig};
use rcgen::{CertificateParams, KeyPair};

use super::super::*;
use crate::door::Door;
use crate::record::{certificate_key, directory_key};
use crate::settings::{Authority, Challenge, KeyType, Wanted};
use crate::status::Event;
use crate::store::Store;
use crate::store::directory::Directory;

#[derive(Default)]
struct Shown(Mutex<HashMap<String, Arc<Issued>>>);

impl Door for Shown {
    fn put_http(&self, _: &str, _: &str) {}
    fn remove_http(&self, _: &str) {}
    fn put_tls_alpn(&self, _: &str, _: Arc<ServerConfig>) {}
    fn remove_tls_alpn(&self, _: &str) {}
    fn issued(&self, authority: &str) -> Arc<Issued> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(authority.to_owned()).or_default())
    }
    fn event(&self, _: &Event) {}
    fn count_order(&self, _: &str, _: &str) {}
    fn count_question(&self, _: &'static str) {}
}

struct Fixture {
    _scratch: tempfile::TempDir,
    root: PathBuf,
    door: Arc<Shown>,
    keeper: Keeper,
}

impl Fixture {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (root, door) = (scratch.path().join("acme"), Arc::<Shown>::default());
        let store = Directory::new(root.clone());
        let desk = Desk::new(Arc::new(store), Arc::clone(&door) as Arc<dyn Door>);
        Self {
            keeper: Keeper::new(desk, Arc::default()),
            _scratch: scratch,
            root,
            door,
        }
    }

    /// Keeps a certificate in the store that is valid from and until these days from now.
    fn store(&self, directory: &str, name: &str, days: (i64, i64)) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let at = |days: i64| {
            time::OffsetDateTime::from_unix_timestamp(self.keeper.look().wall + days * 86_400)
                .unwrap()
        };
        (params.not_before, params.not_after) = (at(days.0), at(days.1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        let kept_as = certificate_key(&directory_key(directory), name);
        let store = Directory::new(self.root.clone());
        store.put(&kept_as, pem.as_bytes()).unwrap();
    }

    /// The names of the certificate that a client gets.
    fn shown(&self, authority: &str, host: &str) -> Option<String> {
        let certificate = self.door.issued(authority).find(host)?;
        Some(certificate.facts().names.join(" "))
    }

    fn subject(&self, authority: &str, name: &str) -> Option<&Subject> {
        let key = (authority.to_owned(), name.to_owned());
        self.keeper.subjects.get(&key)
    }

    async fn reload(&mut self, plan: Plan) {
        self.keeper.prepare(&plan);
        self.keeper.configure(plan).await;
    }
}

fn authority(name: &str, directory: &str, fallback: &[&str]) -> Authority {
    Authority {
        name: name.to_owned(),
        directory: directory.to_owned(),
        test_directory: None,
        email: None,
        challenges: vec![Challenge::Http01, Challenge::Dns01],
        dns: None,
        profile: None,
        key_type: KeyType::P256,
        eab: None,
        roots: None,
        fallback: fallback.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn plan(authorities: Vec<Authority>, wanted: &[(&str, &str)]) -> Plan {
    let wanted = wanted.iter().map(|&(authority, name)| Wanted {
        authority: authority.to_owned(),
        name: name.to_owned(),
    });
    Plan {
        authorities,
        wanted: wanted.collect(),
        ..Plan::default()
    }
}

const A: &str = "https://a.test/directory";
const B: &str = "https://b.test/directory";

/// A host keeps its certificate until that of a new wildcard is there, also after a restart.
#[tokio::test]
async fn a_wildcard_that_is_added() {
    let mut gateway = Fixture::new();
    gateway.store(A, "shop.a.example", (-1, 80));
    let authorities = || vec![authority("a", A, &[])];
    let before = [("a", "shop.a.example")];
    let after = [("a", "shop.a.example"), ("a", "*.a.example")];
    gateway.reload(plan(authorities(), &before)).await;
    gateway.reload(plan(authorities(), &after)).await;
    let shown = |gateway: &Fixture| gateway.shown("a", "shop.a.example");
    assert_eq!(shown(&gateway).as_deref(), Some("shop.a.example"));
    assert!(gateway.subject("a", "*.a.example").unwrap().held.is_none());

    let mut again = Fixture::new();
    std::mem::swap(&mut again.root, &mut gateway.root);
    let store = Directory::new(again.root.clone());
    let desk = Desk::new(Arc::new(store), Arc::clone(&again.door) as Arc<dyn Door>);
    again.keeper = Keeper::new(desk, Arc::default());
    again.reload(plan(authorities(), &after)).await;
    assert_eq!(shown(&again).as_deref(), Some("shop.a.example"));

    // It has come.
    again.store(A, "*.a.example", (0, 90));
    let key = ("a".to_owned(), "*.a.example".to_owned());
    let now = again.keeper.look();
    again.keeper.load(&key, now);
    assert_eq!(shown(&again).as_deref(), Some("*.a.example"));
    assert!(again.subject("a", "shop.a.example").is_none());
}

/// From `letsencrypt-staging` to `letsencrypt`, say: the new authority is asked at once, and
/// the former certificate is shown until it has issued another.
#[tokio::test]
async fn the_directory_of_an_authority_changes() {
    let mut gateway = Fixture::new();
    gateway.store(A, "a.example", (-1, 80));
    let wanted = [("default", "a.example")];
    let with = |directory| plan(vec![authority("default", directory, &[])], &wanted);
    gateway.reload(with(A)).await;
    let due = |gateway: &Fixture| {
        let subject = gateway.subject("default", "a.example").unwrap();
        subject.is_due(gateway.keeper.look())
    };
    assert!(!due(&gateway));
    gateway.reload(with(B)).await;
    assert_eq!(gateway.shown("default", "a.example").unwrap(), "a.example");
    assert!(due(&gateway));
    // And back again: that of the store will do.
    gateway.reload(with(A)).await;
    assert!(!due(&gateway));
}

/// A site that turns to another authority keeps its certificate until that one has issued.
#[tokio::test]
async fn a_site_turns_to_another_authority() {
    let mut gateway = Fixture::new();
    gateway.store(A, "a.example", (-1, 80));
    let authorities = || vec![authority("a", A, &[]), authority("b", B, &[])];
    gateway
        .reload(plan(authorities(), &[("a", "a.example")]))
        .await;
    let new = plan(authorities(), &[("b", "a.example")]);
    gateway.keeper.prepare(&new);
    // Sites look there as soon as the configuration is published.
    assert_eq!(gateway.shown("b", "a.example").unwrap(), "a.example");
    gateway.keeper.configure(new).await;
    assert_eq!(gateway.shown("b", "a.example").unwrap(), "a.example");
    assert_eq!(gateway.shown("a", "a.example"), None);
    let subject = gateway.subject("b", "a.example").unwrap();
    assert!(subject.is_due(gateway.keeper.look()));
}

/// An authority whose certificates live six days comes before a fallback whose former one
/// lives longer.
#[tokio::test]
async fn the_certificate_that_was_issued_last() {
    let mut gateway = Fixture::new();
    gateway.store(A, "a.example", (-1, 5));
    gateway.store(B, "a.example", (-65, 25));
    let authorities = vec![authority("a", A, &["b"]), authority("b", B, &[])];
    gateway
        .reload(plan(authorities, &[("a", "a.example")]))
        .await;
    let subject = gateway.subject("a", "a.example").unwrap();
    assert_eq!(subject.held.as_ref().unwrap().directory, A);
    assert!(!subject.is_due(gateway.keeper.look()));
}

/// A name that a client has asked for is written into the configuration.
#[tokio::test]
async fn a_name_on_demand_becomes_one_in_advance() {
    let mut gateway = Fixture::new();
    gateway.store(A, "a.example", (-1, 80));
    let rule = ("a".to_owned(), "http://127.0.0.1:1/".to_owned());
    let key = ("a".to_owned(), "a.example".to_owned());
    let mut on_demand = plan(vec![authority("a", A, &[])], &[]);
    on_demand.on_demand.insert(rule.clone());
    gateway.reload(on_demand).await;
    let answered = gateway
        .keeper
        .answer(key.clone(), &rule.1, Permission::Granted);
    assert!(answered && gateway.shown("a", "a.example").is_some());
    let in_advance = plan(vec![authority("a", A, &[])], &[("a", "a.example")]);
    gateway.reload(in_advance).await;
    let subject = gateway.subject("a", "a.example").unwrap();
    assert!(subject.ask.is_none() && subject.held.is_some());
    // An answer that comes late changes nothing.
    gateway.keeper.answer(key, &rule.1, Permission::Granted);
    let subject = gateway.subject("a", "a.example").unwrap();
    assert!(subject.ask.is_none() && subject.held.is_some());
    let other = ("a".to_owned(), "b.example".to_owned());
    gateway.keeper.answer(other, &rule.1, Permission::Granted);
    assert!(gateway.subject("a", "b.example").is_none());
}

/// A site is served a moment before the engine works by its configuration.
#[tokio::test]
async fn a_client_that_comes_at_once() {
    let test = async {
        let mut gateway = Fixture::new();
        let ask = "http://127.0.0.1:1/".to_owned();
        let mut new = plan(vec![authority("a", A, &[])], &[]);
        new.on_demand.insert(("a".to_owned(), ask.clone()));
        let key = ("a".to_owned(), "a.example".to_owned());
        let come = |gateway: &mut Fixture| {
            let (reply, wait) = tokio::sync::oneshot::channel();
            let (key, ask) = (key.clone(), ask.clone());
            gateway.keeper.obtain(Client { key, ask, reply });
            wait
        };
        let refused = come(&mut gateway).await;
        assert_eq!(refused, Ok(Err(NoCertificate::NotPermitted)));
        let (done, _wait) = tokio::sync::oneshot::channel();
        let prepare = Command::Prepare(Box::new(new), done);
        gateway.keeper.obey(prepare).await;
        let mut waits = come(&mut gateway);
        assert!(waits.try_recv().is_err() && gateway.keeper.asking.contains_key(&key));
    };
    tokio::task::LocalSet::new().run_until(test).await;
}
