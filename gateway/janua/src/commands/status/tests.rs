use janua_admin::{
    AddressStatus, CertificateSource, CertificateStatus, CheckStatus, DatasetStatus,
    EndpointStatus, Health, LimitStatus, ListenerStatus, MemosStatus, PolicyState, PolicyStatus,
    ReloadStatus, Reuse, SecretKeyStatus, SecretStatus, ShareStatus, SplitStatus, Status,
    UpstreamStatus, WatchStatus,
};

use super::person;

fn endpoint(address: &str, health: Health, requests: u64) -> EndpointStatus {
    EndpointStatus {
        name: None,
        address: address.to_owned(),
        addresses: vec![AddressStatus {
            address: address.to_owned(),
            health,
        }],
        weight: 1,
        configured_weight: None,
        draining: false,
        backup: false,
        zone: None,
        health,
        in_flight: 3,
        idle: 8,
        requests,
        fails: 0,
        down_since_unix_ms: None,
        last_error: None,
        failed: None,
        failed_count: 0,
        last_error_detail: None,
        is_tried: false,
        check: None,
    }
}

fn limit(name: &str, in_use: u64, limit: Option<u64>) -> LimitStatus {
    LimitStatus {
        name: name.to_owned(),
        in_use,
        limit,
    }
}

fn policy(name: &str, hits: u64, misses: u64) -> PolicyStatus {
    PolicyStatus {
        name: name.to_owned(),
        component: "headers".to_owned(),
        hash: "0123456789abcdef".repeat(4),
        identity: "ff".repeat(32),
        state: PolicyState::Ok,
        calls: misses,
        hits,
        misses,
        traps: 0,
        overruns: 0,
        errors: 0,
        suspended: 0,
        throttled: 0,
        overloaded: 0,
        last_error: None,
        reuse: Reuse::On,
        memo_bytes: 20_480,
        memo_entries: 2,
    }
}

fn running() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 17,
        config: "/etc/janua/janua.toml".to_owned(),
        generation: 7,
        started_unix_ms: 1_000_000,
        uptime_ms: 3_700_000,
        ready: true,
        workers: 4,
        connections: 12,
        in_flight: 1,
        requests: 1_234_567,
        sites: 1,
        routes: 9,
        listeners: vec![ListenerStatus {
            name: "public".to_owned(),
            addresses: vec!["0.0.0.0:443".to_owned(), "[::]:443".to_owned()],
            tls: true,
            connections: 12,
        }],
        upstreams: vec![UpstreamStatus {
            sources: Vec::new(),
            name: "sales".to_owned(),
            balance: "least_conn".to_owned(),
            endpoints: vec![
                endpoint("127.0.0.1:5006", Health::Up, 1_200_000),
                EndpointStatus {
                    down_since_unix_ms: Some(4_640_000),
                    last_error: Some("refused".to_owned()),
                    backup: true,
                    zone: Some("east".to_owned()),
                    ..endpoint("127.0.0.1:5007", Health::Down, 7)
                },
            ],
            limits: vec![limit("pending", 3, None), limit("requests", 6, Some(7))],
        }],
        splits: vec![SplitStatus {
            route: "shop/api".to_owned(),
            shares: vec![ShareStatus {
                upstream: "sales".to_owned(),
                weight: 95,
                configured_weight: None,
            }],
        }],
        absent: Vec::new(),
        policies: vec![policy("security", 999, 1), policy("fresh", 0, 0)],
        memos: MemosStatus {
            bytes: 40_960,
            budget: 256 << 20,
        },
        secrets: vec![SecretStatus {
            name: "issuer".to_owned(),
            kind: "jwks".to_owned(),
            keys: vec![
                SecretKeyStatus {
                    id: Some("2026-01".to_owned()),
                    key_type: "P-256".to_owned(),
                    algorithm: Some("ES256".to_owned()),
                },
                SecretKeyStatus {
                    id: None,
                    key_type: "RSA, 2048 bits".to_owned(),
                    algorithm: None,
                },
            ],
            users: 0,
        }],
        datasets: vec![DatasetStatus {
            name: "blocked".to_owned(),
            kind: "networks".to_owned(),
            entries: 1_000_000,
            bytes: 16 << 20,
            generation: 3,
            users: vec!["bots".to_owned(), "security".to_owned()],
        }],
        certificates: vec![CertificateStatus {
            names: vec!["a.example".to_owned()],
            subject: "CN=a.example".to_owned(),
            issuer: "CN=R11".to_owned(),
            key_type: "ECDSA P-256".to_owned(),
            fingerprint: "ab".repeat(32),
            source: CertificateSource::Files,
            file: "a.crt".to_owned(),
            valid_from_unix_ms: 0,
            valid_until_unix_ms: 1_800_000_000_000,
            days_left: 47,
            sites: vec!["shop".to_owned()],
            upstreams: vec![],
            warnings: vec![],
            last_error: None,
            acme: None,
        }],
        watching: Some(WatchStatus {
            files: 5,
            directories: 2,
            polled: 0,
        }),
        last_reload: Some(ReloadStatus {
            at_unix_ms: 4_640_000,
            error: None,
        }),
        warnings: vec![],
    }
}

#[test]
fn a_gateway_on_one_page() {
    let expected = "\
janua 0.1.0, serving, up 1 h 1 min, process 17
/etc/janua/janua.toml, generation 7: 1 site, 9 routes
4 workers, 12 connections, 1 request in flight, 1,234,567 in all
5 files watched for changes
last reload 1 min 0 s ago: ok

listeners
  NAME    ADDRESS                TLS  CONNECTIONS
  public  0.0.0.0:443, [::]:443  yes           12

upstreams
  NAME   ENDPOINT        HEALTH  WEIGHT  IN FLIGHT  IDLE   REQUESTS  FAILURES  BACKUP  ZONE
  sales  127.0.0.1:5006  up           1          3     8  1,200,000         0  no      -
  sales  127.0.0.1:5007  down         1          3     8          7         0  yes     east

splits
  ROUTE     UPSTREAM  WEIGHT  SHARE  NOTES
  shop/api  sales         95  100 %

policies
  NAME      COMPONENT  HASH          STATE  CALLS  REUSED  FAILURES  REFUSED    MEMO
  security  headers    0123456789ab  ok         1    99 %         0        0  20 KiB
  fresh     headers    0123456789ab  ok         0       -         0        0  20 KiB
  memory for memos: 40 KiB of 256 MiB

secrets
  NAME    KIND  KEY      TYPE            ALGORITHM
  issuer  jwks  2026-01  P-256           ES256
  issuer  jwks  -        RSA, 2048 bits  -

datasets
  NAME     KIND        ENTRIES  MEMORY  USED BY
  blocked  networks  1,000,000  16 MiB  bots, security

certificates
  NAMES      USED BY  KEY          ISSUER  SOURCE  VALID UNTIL           DAYS LEFT
  a.example  shop     ECDSA P-256  CN=R11  files   2027-01-15 08:00 UTC         47

attention
  upstream sales: 127.0.0.1:5007: down for 1 min 0 s, last failure: refused";
    assert_eq!(person(&running()), expected);
}

#[test]
fn what_is_wrong_is_said_last_and_in_words() {
    let mut status = running();
    status.ready = false;
    status.last_reload = Some(ReloadStatus {
        at_unix_ms: 4_640_000,
        error: Some("error: no such upstream\n --> janua.toml:7:12\n".to_owned()),
    });
    let endpoints = &mut status.upstreams[0].endpoints;
    endpoints[0].health = Health::Unresolved;
    endpoints[0].last_error = Some("no such name\x1b[2J".to_owned());
    status.upstreams[0].limits[1].in_use = 7;
    status.policies[0].state = PolicyState::Open;
    status.policies[0].last_error = Some("trap: unreachable".to_owned());
    status.policies[1].reuse = Reuse::Off("it read a clock".to_owned());
    status.certificates[0].days_left = 3;
    status.certificates[0].warnings = vec!["a.crt: known".to_owned(), "a.crt: new".to_owned()];
    status.warnings = vec!["janua.toml:3:1: a.crt: known".to_owned()];
    let page = person(&status);
    assert!(page.starts_with("janua 0.1.0, not serving, "), "{page}");
    assert!(
        page.contains("\nlast reload 1 min 0 s ago: refused\n"),
        "{page}"
    );
    let attention = "
attention
  upstream sales: no endpoint is up
  upstream sales: all it may have of `limits.requests` is in use: 7 of 7
  upstream sales: 127.0.0.1:5006: no such name\u{fffd}[2J
  upstream sales: 127.0.0.1:5007: down for 1 min 0 s, last failure: refused
  policy security: last failure: trap: unreachable
  policy fresh: verdicts are not reused: it read a clock
  certificate a.example: it expires in 3 days
  certificate a.example: a.crt: new
  the last reload was refused:
    error: no such upstream
     --> janua.toml:7:12
  janua.toml:3:1: a.crt: known";
    assert!(page.ends_with(attention), "{page}");
}

#[test]
fn an_endpoint_that_is_partly_up_says_how_far() {
    let mut status = running();
    let mut half = endpoint("sales.internal:80", Health::Up, 0);
    half.addresses.push(AddressStatus {
        address: "10.0.0.9:80".to_owned(),
        health: Health::Down,
    });
    status.upstreams[0].endpoints = vec![half];
    let page = person(&status);
    assert!(page.contains("  sales.internal:80  up 1/2 "), "{page}");
}

#[test]
fn an_ill_endpoint_says_what_failed() {
    let mut status = running();
    let checked = |state: &str| {
        Some(CheckStatus {
            state: state.to_owned(),
            contrary: 0,
            checked_unix_ms: Some(4_690_000),
        })
    };
    status.upstreams[0].endpoints = vec![
        EndpointStatus {
            down_since_unix_ms: Some(4_640_000),
            last_error: Some("status".to_owned()),
            last_error_detail: Some("503".to_owned()),
            failed: Some("check".to_owned()),
            failed_count: 4,
            check: checked("down"),
            ..endpoint("10.0.0.1:80", Health::Down, 0)
        },
        EndpointStatus {
            down_since_unix_ms: Some(4_640_000),
            last_error: Some("refused".to_owned()),
            failed: Some("check".to_owned()),
            failed_count: 1,
            check: checked("waiting"),
            ..endpoint("10.0.0.2:80", Health::Down, 0)
        },
        EndpointStatus {
            down_since_unix_ms: Some(4_640_000),
            last_error: Some("reset".to_owned()),
            failed: Some("requests".to_owned()),
            failed_count: 1200,
            is_tried: true,
            ..endpoint("10.0.0.3:80", Health::Down, 0)
        },
        EndpointStatus {
            last_error: Some("refused".to_owned()),
            failed: Some("requests".to_owned()),
            ..endpoint("10.0.0.4:80", Health::Down, 0)
        },
        EndpointStatus {
            check: checked("waiting"),
            ..endpoint("10.0.0.5:80", Health::Waiting, 0)
        },
    ];
    let page = person(&status);
    let attention = "
attention
  upstream sales: no endpoint is up
  upstream sales: 10.0.0.1:80: down for 1 min 0 s, 4 checks failed in a row, last failure: status (503)
  upstream sales: 10.0.0.2:80: down for 1 min 0 s, 1 check failed in a row, last failure: refused; it gets nothing before its first check has passed
  upstream sales: 10.0.0.3:80: down for 1 min 0 s, 1,200 requests failed in a row, last failure: reset; requests are still sent to it
  upstream sales: 10.0.0.4:80: held back after failures, last failure: refused
  upstream sales: 10.0.0.5:80: waits for its first check";
    assert!(page.ends_with(attention), "{page}");
}
