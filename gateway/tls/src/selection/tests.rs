use super::*;
use crate::client_auth::{ClientAuth, ClientAuthority};
use crate::testing::{Authority, Scratch, client, handshake};

struct Fixture {
    scratch: Scratch,
    authority: Authority,
    sessions: Sessions,
}

impl Fixture {
    fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            authority: Authority::new("Root"),
            sessions: Sessions::new(&SessionSettings::default()).unwrap(),
        }
    }

    /// A site for hosts as they are written in the configuration.
    fn entry(&self, id: usize, hosts: &[&str]) -> Entry {
        let issued = self.authority.issue(match hosts {
            ["*"] => &["default.example"],
            hosts => hosts,
        });
        Entry {
            id,
            hosts: hosts.iter().map(|host| pattern(host)).collect(),
            certificates: SiteCertificates::Fixed(vec![self.scratch.load("site", &issued)]),
            settings: ServerSettings::default(),
        }
    }

    fn selection(&self, entries: Vec<Entry>) -> Result<Selection, Error> {
        Selection::new(entries, &self.sessions, &SessionSettings::default())
    }

    fn required(&self) -> ServerSettings {
        let ca = self
            .scratch
            .write("ca.pem", self.authority.pem().as_bytes());
        ServerSettings {
            client_auth: ClientAuth::Required(ClientAuthority { ca, crl: None }),
            ..ServerSettings::default()
        }
    }
}

fn pattern(host: &str) -> HostPattern {
    match host.strip_prefix("*.") {
        Some(parent) => HostPattern::Wildcard(parent.into()),
        None if host == "*" => HostPattern::Default,
        None => HostPattern::Exact(host.into()),
    }
}

fn chosen(selection: &Selection, name: &str) -> Option<usize> {
    selection.choose(Some(name)).map(|site| site.id())
}

#[test]
fn names_choose_as_in_the_router() {
    let fixture = Fixture::new();
    let selection = fixture
        .selection(vec![
            fixture.entry(1, &["example.com"]),
            fixture.entry(2, &["*.example.com"]),
            fixture.entry(3, &["*.qa.example.com", "other.example.org"]),
            fixture.entry(4, &["www.qa.example.com"]),
        ])
        .unwrap();
    let cases = [
        ("example.com", Some(1)),
        ("EXAMPLE.com", Some(1)),
        ("example.com.", Some(1)),
        ("a.example.com", Some(2)),
        ("a.b.example.com", Some(2)),
        ("qa.example.com", Some(2)),
        ("a.qa.example.com", Some(3)),
        ("A.B.QA.example.com", Some(3)),
        ("other.example.org", Some(3)),
        ("www.qa.example.com", Some(4)),
        ("a.www.qa.example.com", Some(3)),
        ("aexample.com", None),
        (".example.com", None),
        ("example.org", None),
        ("com", None),
        ("", None),
    ];
    for (name, id) in cases {
        assert_eq!(chosen(&selection, name), id, "{name}");
    }
    assert!(selection.choose(None).is_none());
}

#[test]
fn the_default_site_takes_the_rest() {
    let fixture = Fixture::new();
    let selection = fixture
        .selection(vec![
            fixture.entry(1, &["example.com"]),
            fixture.entry(2, &["*"]),
        ])
        .unwrap();
    assert_eq!(chosen(&selection, "example.com"), Some(1));
    assert_eq!(chosen(&selection, "example.org"), Some(2));
    assert_eq!(chosen(&selection, "192.0.2.1"), Some(2));
    assert_eq!(selection.choose(None).map(|site| site.id()), Some(2));
}

#[test]
fn two_sites_for_one_host_are_refused() {
    let fixture = Fixture::new();
    for host in ["example.com", "*.example.com", "*"] {
        let entries = vec![fixture.entry(1, &[host]), fixture.entry(2, &[host])];
        assert_eq!(
            fixture.selection(entries).unwrap_err().to_string(),
            format!("Two sites of one listener serve `{host}`. Remove it from one of them.")
        );
    }
    let twice = fixture.entry(1, &["example.com", "example.com"]);
    assert!(fixture.selection(vec![twice]).is_ok());
}

#[test]
fn the_demand_of_a_wildcard_does_not_apply_to_an_exact_host() {
    let fixture = Fixture::new();
    for demanding in [0, 1] {
        let mut entries = vec![
            fixture.entry(0, &["*.example.com"]),
            fixture.entry(1, &["a.example.com"]),
        ];
        entries[demanding].settings = fixture.required();
        let selection = fixture.selection(entries).unwrap();
        let client = Arc::new(client(&fixture.authority));
        for (id, host) in [(0, "b.example.com"), (1, "a.example.com")] {
            let site = selection.choose(Some(host)).unwrap();
            assert_eq!(site.id(), id);
            let works = handshake(site.config(), &client, host).is_ok();
            assert_eq!(works, id != demanding, "{host}");
        }
    }
}

#[test]
fn what_a_connection_may_be_used_for_besides_is_told() {
    let fixture = Fixture::new();
    let mut demanding = fixture.entry(3, &["c.example"]);
    demanding.settings = fixture.required();
    let mut both = fixture.entry(1, &["a.example", "b.example"]);
    both.hosts.pop();
    let entries = vec![both, fixture.entry(2, &["b.example"]), demanding];
    let selection = fixture.selection(entries).unwrap();
    let site = |id| selection.site(id).unwrap();
    assert!(site(1).same_settings(site(2)) && site(1).covers(None, "b.example"));
    assert!(!site(2).covers(None, "a.example"));
    assert!(!site(1).same_settings(site(3)));
    assert!(selection.site(4).is_none());

    // The connection outlives the snapshot.
    let next = fixture
        .selection(vec![fixture.entry(7, &["b.example"])])
        .unwrap();
    assert!(site(1).same_settings(next.site(7).unwrap()));
}

#[test]
fn of_several_certificates_all_have_to_cover() {
    let fixture = Fixture::new();
    let mut entry = fixture.entry(1, &["a.example", "b.example"]);
    let narrow = fixture.authority.issue_rsa(&["a.example"]);
    let SiteCertificates::Fixed(certificates) = &mut entry.certificates else {
        panic!("it has files");
    };
    certificates.push(fixture.scratch.load("rsa", &narrow));
    let selection = fixture.selection(vec![entry]).unwrap();
    let site = selection.site(1).unwrap();
    assert!(site.covers(None, "a.example"));
    assert!(!site.covers(None, "b.example"));
}
