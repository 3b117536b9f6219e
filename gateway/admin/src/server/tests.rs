use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{
    Asker, CacheEntry, CacheStatus, Client, ClientError, Control, DeployAnswer, DeployPhase,
    DeployRequest, EndpointAnswer, EndpointCommand, EndpointRequest, Health, MemosStatus,
    PolicyState, PurgeRequest, PurgeSummary, ReloadChange, ReloadDiagnostic, ReloadError,
    ReloadSummary, Reuse, Server, SocketOptions, SplitStatus, SplitWeightRequest, Status,
    WebhookOutcome, WeightRequest,
};

/// A gateway with just the state that the endpoint needs.
struct Gateway {
    ready: AtomicBool,
    valid: AtomicBool,
    reloads: AtomicUsize,
    /// If set, a reload waits for a message on this channel.
    gate: Mutex<Option<Receiver<()>>>,
    /// Who has asked for the last reload.
    asker: Mutex<Option<Asker>>,
}

impl Control for Gateway {
    fn ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    fn metrics(&self) -> String {
        "janua_workers 2\n".to_owned()
    }

    fn status(&self) -> Status {
        status()
    }

    fn reload(&self, asker: &Asker) -> Result<ReloadSummary, ReloadError> {
        *self.asker.lock().unwrap() = Some(asker.clone());
        if let Some(gate) = self.gate.lock().unwrap().take() {
            let _ = gate.recv();
        }
        self.reloads.fetch_add(1, Ordering::SeqCst);
        match self.valid.load(Ordering::SeqCst) {
            true => Ok(summary()),
            false => Err(refusal()),
        }
    }

    fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, String> {
        purge(request)
    }

    fn cache(&self) -> Result<CacheStatus, String> {
        Ok(cache())
    }

    fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, String> {
        Ok(vec![CacheEntry {
            url: url.to_owned(),
            ..CacheEntry::default()
        }])
    }

    fn renew_certificate(&self, name: &str) -> Result<String, String> {
        certificate(name)
    }

    fn revoke_certificate(&self, name: &str) -> Result<String, String> {
        certificate(name)
    }

    fn endpoint(&self, command: &EndpointCommand<'_>) -> Result<EndpointAnswer, String> {
        endpoint(command)
    }

    fn split_weight(&self, request: &SplitWeightRequest) -> Result<SplitStatus, String> {
        split_weight(request)
    }

    fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String> {
        deploy(request)
    }
}

struct Running {
    gateway: Arc<Gateway>,
    client: Client,
    path: PathBuf,
    server: Option<Server>,
    _folder: tempfile::TempDir,
}

fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let gateway = Arc::new(Gateway {
        ready: AtomicBool::new(true),
        valid: AtomicBool::new(true),
        reloads: AtomicUsize::new(0),
        gate: Mutex::new(None),
        asker: Mutex::new(None),
    });
    let options = SocketOptions {
        path: path.clone(),
        mode: 0o600,
        group: None,
    };
    let control: Arc<dyn Control> = Arc::<Gateway>::clone(&gateway);
    let server = Server::start(&options, control).unwrap();
    Running {
        gateway,
        client: Client::new(&path),
        path,
        server: Some(server),
        _folder: folder,
    }
}

impl Running {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// The whole answer to raw bytes.
    fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn hold_reload(&self) -> Sender<()> {
        let (go, gate) = channel();
        *self.gateway.gate.lock().unwrap() = Some(gate);
        go
    }
}

#[test]
fn status_reads_back_whole() {
    let running = running();
    assert_eq!(running.client.status().unwrap(), status());
    let list = running.client.upstreams().unwrap();
    assert_eq!(list.upstreams, status().upstreams);
    assert_eq!(list.splits, status().splits);
    assert_eq!(list.absent, status().absent);
    let certificates = running.client.certificates().unwrap();
    assert_eq!(certificates, status().certificates);
}

#[test]
fn a_reload_waits_and_tells_what_it_did() {
    let running = running();
    let go = running.hold_reload();
    let client = running.client.clone();
    let reload = std::thread::spawn(move || client.reload());
    // Meanwhile the endpoint continues to answer.
    assert!(running.client.ready().unwrap());
    assert_eq!(running.client.status().unwrap(), status());
    assert!(!reload.is_finished());
    go.send(()).unwrap();
    assert_eq!(reload.join().unwrap().unwrap(), summary());
}

/// What waits for a client who has left can end.
#[test]
fn a_client_who_leaves_is_noticed() {
    let running = running();
    let _go = running.hold_reload();
    let mut client = running.connect();
    client
        .write_all(b"POST /reload HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let asker = || running.gateway.asker.lock().unwrap().clone();
    let until = |what: &dyn Fn() -> bool| {
        let begin = std::time::Instant::now();
        while !what() {
            assert!(begin.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
    };
    until(&|| asker().is_some());
    let has_left = || asker().unwrap().has_left().load(Ordering::Relaxed);
    assert!(!has_left());
    drop(client);
    until(&has_left);
}

#[test]
fn a_refused_reload_carries_every_error() {
    let running = running();
    running.gateway.valid.store(false, Ordering::SeqCst);
    let error = running.client.reload().unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("error: no such upstream") && said.ends_with("stays live"),
        "{said}"
    );
    match error {
        ClientError::Refused(refused) => assert_eq!(refused, refusal()),
        other => panic!("{other}"),
    }
    let answer = running.raw(b"POST /reload HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
}

#[test]
fn ready_follows_the_gateway_and_health_does_not() {
    let running = running();
    assert!(running.client.ready().unwrap());
    running.gateway.ready.store(false, Ordering::SeqCst);
    assert!(!running.client.ready().unwrap());
    let health = running.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
}

#[test]
fn metrics_have_their_media_type() {
    let running = running();
    assert_eq!(running.client.metrics().unwrap(), "janua_workers 2\n");
    let answer = running.raw(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(
        answer.contains("text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
}

#[test]
fn what_is_not_offered_is_refused() {
    let running = running();
    let table: [(&[u8], &str); 6] = [
        (b"GET /reload HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 405 "),
        (b"POST /status HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 405 "),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 404 "),
        (
            b"GET /status/../reload HTTP/1.1\r\nhost: x\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        (b"nonsense\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /healthz?x HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "),
    ];
    for (request, expected) in table {
        let answer = running.raw(request);
        assert!(answer.starts_with(expected), "{expected}, but {answer}");
    }
    assert_eq!(running.gateway.reloads.load(Ordering::SeqCst), 0);
}

#[test]
fn a_purge_request_arrives_unchanged() {
    let running = running();
    let request = PurgeRequest {
        url: vec!["https://a.example/ü?x=\"".to_owned()],
        tag: vec!["a".to_owned(), "b".to_owned()],
        soft: true,
        webhooks: false,
        ..PurgeRequest::default()
    };
    let summary = running.client.purge(&request).unwrap();
    assert_eq!(summary.purged, ["https://a.example/ü?x=\" a b soft"]);
    assert_eq!(summary.webhooks[0].host, "cdn.example");

    let nothing = running.client.purge(&PurgeRequest::default()).unwrap_err();
    assert_eq!(nothing.to_string(), "nothing is named");
}

#[test]
fn a_purge_may_name_one_or_many() {
    let running = running();
    let table = [
        (r#"{"tag":"a"}"#, "200", r#"["a webhooks"]"#),
        (
            r#"{"host":["a","b"],"soft":true}"#,
            "200",
            r#"["a b soft webhooks"]"#,
        ),
        (r#"{"all":true,"webhooks":false}"#, "200", r#"["all"]"#),
        ("{}", "422", "nothing is named\n"),
        (r#"{"tags":"a"}"#, "400", "unknown field `tags`"),
        (r#"{"tag":3}"#, "400", "a string, or a list of strings"),
        (r#"{"tag":"a"} x"#, "400", "trailing characters"),
        ("", "400", "the request is not understood"),
    ];
    for (body, status, said) in table {
        let answer = running.raw(&post("/cache/purge", body));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{body}: {answer}"
        );
        assert!(answer.contains(said), "{body}: {answer}");
    }
}

#[test]
fn the_cache_is_asked_about() {
    let running = running();
    assert_eq!(running.client.cache().unwrap(), cache());
    let url = "https://a.example/b?c=d&e=%20";
    assert_eq!(running.client.cache_entries(url).unwrap()[0].url, url);
    let answer = running.raw(b"GET /cache/entry HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_deploy_goes_step_by_step() {
    let running = running();
    let request = DeployRequest {
        site: "app.example.com".to_owned(),
        route: None,
        phase: DeployPhase::Begin,
        tags: vec![],
        webhooks: true,
    };
    let answer = running.client.deploy(&request).unwrap();
    assert_eq!(answer.root, "/srv/app");
    let unknown = DeployRequest {
        site: "other".to_owned(),
        ..request
    };
    let error = running.client.deploy(&unknown).unwrap_err();
    assert!(
        matches!(&error, ClientError::NotDone(why) if why == "there is no site `other`"),
        "{error}"
    );
    let answer = running.raw(&post("/deploy", r#"{"site":"x","phase":"end"}"#));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("unknown variant `end`"), "{answer}");
}

#[test]
fn an_endpoint_is_taken_out_and_let_in_and_weighed() {
    let running = running();
    let endpoint = EndpointRequest {
        upstream: "sales".to_owned(),
        endpoint: "sales.internal:5006".to_owned(),
    };
    let weight = WeightRequest {
        upstream: endpoint.upstream.clone(),
        endpoint: endpoint.endpoint.clone(),
        weight: 0,
    };
    for (command, draining, weight) in [
        (EndpointCommand::Drain(&endpoint), true, 1),
        (EndpointCommand::Undrain(&endpoint), false, 1),
        (EndpointCommand::Weight(&weight), false, 0),
    ] {
        let answer = running.client.endpoint(&command).unwrap();
        assert_eq!(answer.upstream, "sales");
        assert_eq!(answer.address, "sales.internal:5006");
        let endpoint = answer.endpoint.unwrap();
        let now = (endpoint.draining, endpoint.weight);
        assert_eq!(now, (draining, weight), "{command:?}");
    }
    let other = EndpointRequest {
        upstream: "purchase".to_owned(),
        ..endpoint
    };
    let unknown = running.client.endpoint(&EndpointCommand::Drain(&other));
    let why = unknown.unwrap_err().to_string();
    assert_eq!(why, "there is no upstream `purchase`");
    for (path, body, said) in [
        (
            "/upstreams/drain",
            r#"{"upstream":"sales"}"#,
            "missing field `endpoint`",
        ),
        (
            "/upstreams/undrain",
            r#"{"upstream":"sales","endpoint":"a:1","weight":1}"#,
            "unknown field `weight`",
        ),
        (
            "/upstreams/weight",
            r#"{"upstream":"sales","endpoint":"a:1","weight":-1}"#,
            "invalid value",
        ),
    ] {
        let answer = running.raw(&post(path, body));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
}

#[test]
fn a_split_is_weighed() {
    let running = running();
    let request = SplitWeightRequest {
        route: "a.example/api".to_owned(),
        upstream: "sales".to_owned(),
        weight: 7,
    };
    let split = running.client.split_weight(&request).unwrap();
    assert_eq!(split.shares[0].weight, 7);
    let other = SplitWeightRequest {
        route: "a.example/".to_owned(),
        ..request
    };
    let why = running.client.split_weight(&other).unwrap_err().to_string();
    assert_eq!(why, "there is no such split");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let running = running();
    let answer = running.raw(&post("/cache/purge", &" ".repeat((1 << 20) + 1)));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// A body that was announced and never arrives does not occupy a connection
/// forever.
#[test]
fn a_body_that_does_not_come_is_given_up() {
    let running = running();
    let mut stream = running.connect();
    stream
        .write_all(b"POST /cache/purge HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    // Without a time limit this read would not return.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}

#[test]
fn a_head_without_end_is_cut_off() {
    let running = running();
    let mut stream = running.connect();
    let mut sent = 0;
    stream.write_all(b"GET /status HTTP/1.1\r\n").unwrap();
    // Writing fails once the server has closed the connection.
    while stream.write_all(b"x: 0123456789abcdef\r\n").is_ok() {
        sent += 20;
        assert!(sent < 4 << 20, "4 MiB of head were taken");
    }
}

/// There are more idle connections than the limit, and a response still comes
/// in time.
#[test]
fn silent_clients_do_not_block_others_for_long() {
    let running = running();
    let mut silent: Vec<UnixStream> = (0..40).map(|_| running.connect()).collect();
    silent[0].write_all(b"GET /status HT").unwrap();
    assert_eq!(running.client.status().unwrap(), status());
    // The incomplete request was given up, with or without a response.
    let mut rest = Vec::new();
    silent[0].read_to_end(&mut rest).unwrap();
}

/// A client that requests something large and never reads it.
#[test]
fn a_client_that_does_not_read_is_dropped() {
    struct Large;
    impl Control for Large {
        fn ready(&self) -> bool {
            true
        }
        fn metrics(&self) -> String {
            "x".repeat(16 << 20)
        }
        fn status(&self) -> Status {
            status()
        }
        fn reload(&self, _: &Asker) -> Result<ReloadSummary, ReloadError> {
            Ok(summary())
        }

        fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, String> {
            purge(request)
        }

        fn cache(&self) -> Result<CacheStatus, String> {
            Ok(cache())
        }

        fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, String> {
            Ok(vec![CacheEntry {
                url: url.to_owned(),
                ..CacheEntry::default()
            }])
        }

        fn renew_certificate(&self, name: &str) -> Result<String, String> {
            certificate(name)
        }

        fn revoke_certificate(&self, name: &str) -> Result<String, String> {
            certificate(name)
        }

        fn endpoint(&self, command: &EndpointCommand<'_>) -> Result<EndpointAnswer, String> {
            endpoint(command)
        }

        fn split_weight(&self, request: &SplitWeightRequest) -> Result<SplitStatus, String> {
            split_weight(request)
        }

        fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String> {
            deploy(request)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let options = SocketOptions {
        path: path.clone(),
        mode: 0o600,
        group: None,
    };
    let _server = Server::start(&options, Arc::new(Large)).unwrap();
    let lazy: Vec<UnixStream> = (0..40)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    assert!(Client::new(&path).status().is_ok());
    drop(lazy);
}

#[test]
fn a_missing_gateway_is_reported() {
    let mut running = running();
    drop(running.server.take());
    assert!(!running.path.exists());
    let said = running.client.status().unwrap_err().to_string();
    let path = running.path.display();
    assert_eq!(
        said,
        format!("no gateway answers on {path}: is it running? use --admin to name its socket")
    );
}

#[test]
fn a_response_of_another_server_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let other = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = [0; 512];
        let _ = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .unwrap();
    });
    let error = Client::new(&path).status().unwrap_err();
    assert!(matches!(error, ClientError::Unexpected(_)), "{error}");
    other.join().unwrap();
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").into()
}

fn split_weight(request: &SplitWeightRequest) -> Result<SplitStatus, String> {
    let mut splits = status().splits.into_iter();
    let split = splits.find(|split| split.route == request.route);
    let mut split = split.ok_or("there is no such split")?;
    let mut shares = split.shares.iter_mut();
    let share = shares.find(|share| share.upstream == request.upstream);
    share.ok_or("there is no such upstream")?.weight = request.weight;
    Ok(split)
}

fn endpoint(command: &EndpointCommand<'_>) -> Result<EndpointAnswer, String> {
    let mut upstreams = status().upstreams.into_iter();
    let upstream = upstreams.find(|upstream| upstream.name == command.upstream());
    let upstream =
        upstream.ok_or_else(|| format!("there is no upstream `{}`", command.upstream()))?;
    let mut endpoint = upstream.endpoints.into_iter().next().unwrap();
    assert_eq!(endpoint.address, command.endpoint());
    match command {
        EndpointCommand::Drain(_) => endpoint.draining = true,
        EndpointCommand::Undrain(_) => endpoint.draining = false,
        EndpointCommand::Weight(request) => endpoint.weight = request.weight,
    }
    Ok(EndpointAnswer {
        upstream: upstream.name,
        address: endpoint.address.clone(),
        endpoint: Some(endpoint),
        changed: true,
        warnings: Vec::new(),
    })
}

/// Returns the request's content.
fn certificate(name: &str) -> Result<String, String> {
    match name {
        "a.example" => Ok("it is done".to_owned()),
        _ => Err("no certificate has this name".to_owned()),
    }
}

fn purge(request: &PurgeRequest) -> Result<PurgeSummary, String> {
    if request.is_empty() {
        return Err("nothing is named".to_owned());
    }
    let flags = [
        (request.all, "all"),
        (request.soft, "soft"),
        (request.webhooks, "webhooks"),
    ];
    let flags = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, word)| (*word).to_owned());
    let PurgeRequest {
        url,
        prefix,
        host,
        tag,
        ..
    } = request.clone();
    let words = [url, prefix, host, tag].concat().into_iter().chain(flags);
    Ok(PurgeSummary {
        purged: vec![words.collect::<Vec<_>>().join(" ")],
        webhooks: vec![WebhookOutcome {
            host: "cdn.example".to_owned(),
            status: Some(200),
            calls: 1,
            error: None,
        }],
        ..PurgeSummary::default()
    })
}

fn cache() -> CacheStatus {
    CacheStatus {
        objects: 7,
        bytes: 4096,
        budget: 1 << 26,
        ..CacheStatus::default()
    }
}

fn deploy(request: &DeployRequest) -> Result<DeployAnswer, String> {
    if request.site != "app.example.com" {
        return Err(format!("there is no site `{}`", request.site));
    }
    Ok(DeployAnswer {
        site: request.site.clone(),
        route: "/".to_owned(),
        root: "/srv/app".to_owned(),
        retains: true,
        hosts: vec![request.site.clone()],
        patterns: Vec::new(),
        everything: false,
        untold: Vec::new(),
        purge: None,
    })
}

fn summary() -> ReloadSummary {
    ReloadSummary {
        generation: 8,
        changed: vec![ReloadChange {
            text: "upstream sales: endpoint 10.0.0.3:80 added".to_owned(),
            what: "upstream sales: endpoint 10.0.0.3:80".to_owned(),
            field: None,
            change: "added".to_owned(),
            old: None,
            new: None,
        }],
        warnings: vec![],
        took_ms: 12,
    }
}

fn refusal() -> ReloadError {
    ReloadError {
        rendered: "error: no such upstream\n --> janua.toml:7:12\n".to_owned(),
        errors: vec![ReloadDiagnostic {
            file: Some("janua.toml".to_owned()),
            line: Some(7),
            column: Some(12),
            message: "no such upstream".to_owned(),
            help: Some("did you mean `sales`?".to_owned()),
        }],
    }
}

fn status() -> Status {
    use crate::{
        AbsentEndpoint, AddressStatus, CertificateSource, CertificateStatus, CheckStatus,
        EndpointStatus, LimitStatus, ListenerStatus, PolicyStatus, ReloadStatus, ShareStatus,
        UpstreamStatus, WatchStatus,
    };
    Status {
        version: "0.1.0".to_owned(),
        pid: 17,
        config: "/etc/janua/janua.toml".to_owned(),
        generation: 7,
        started_unix_ms: 1_798_761_599_042,
        uptime_ms: 90_000,
        ready: true,
        workers: 4,
        connections: 12,
        in_flight: 3,
        requests: 1_000_000,
        sites: 2,
        routes: 9,
        listeners: vec![ListenerStatus {
            name: "public".to_owned(),
            addresses: vec!["0.0.0.0:443".to_owned()],
            tls: true,
            connections: 12,
        }],
        upstreams: vec![UpstreamStatus {
            sources: Vec::new(),
            name: "sales".to_owned(),
            balance: "least_conn".to_owned(),
            endpoints: vec![EndpointStatus {
                name: None,
                address: "sales.internal:5006".to_owned(),
                addresses: vec![AddressStatus {
                    address: "10.0.0.2:5006".to_owned(),
                    health: Health::Up,
                }],
                weight: 1,
                configured_weight: Some(2),
                draining: false,
                backup: true,
                zone: Some("a".to_owned()),
                health: Health::Down,
                in_flight: 3,
                idle: 8,
                requests: 500,
                fails: 2,
                down_since_unix_ms: None,
                last_error: None,
                failed: Some("check".to_owned()),
                failed_count: 3,
                last_error_detail: Some("503".to_owned()),
                is_tried: false,
                check: Some(CheckStatus {
                    state: "down".to_owned(),
                    contrary: 0,
                    checked_unix_ms: Some(7),
                }),
            }],
            limits: vec![LimitStatus {
                name: "requests".to_owned(),
                in_use: 3,
                limit: Some(1000),
            }],
        }],
        splits: vec![SplitStatus {
            route: "a.example/api".to_owned(),
            shares: vec![ShareStatus {
                upstream: "sales".to_owned(),
                weight: 95,
                configured_weight: Some(100),
            }],
        }],
        absent: vec![AbsentEndpoint {
            upstream: "sales".to_owned(),
            address: "10.0.0.9:5006".to_owned(),
        }],
        memos: MemosStatus {
            bytes: 4096,
            budget: 1 << 20,
        },
        policies: vec![PolicyStatus {
            name: "jwt".to_owned(),
            component: "jwt".to_owned(),
            hash: "00ff".to_owned(),
            identity: "ff00".to_owned(),
            state: PolicyState::Ok,
            calls: 10,
            hits: 90,
            misses: 10,
            traps: 0,
            overruns: 0,
            errors: 1,
            suspended: 0,
            throttled: 0,
            overloaded: 0,
            last_error: Some("no such key".to_owned()),
            reuse: Reuse::Off("it read a clock".to_owned()),
            memo_bytes: 4096,
            memo_entries: 10,
        }],
        secrets: vec![],
        datasets: vec![],
        certificates: vec![CertificateStatus {
            names: vec!["a.example".to_owned()],
            subject: "CN=a.example".to_owned(),
            issuer: "CN=R11".to_owned(),
            key_type: "ECDSA P-256".to_owned(),
            fingerprint: "00ff".to_owned(),
            source: CertificateSource::SelfSigned,
            file: "a.crt".to_owned(),
            valid_from_unix_ms: 0,
            valid_until_unix_ms: 1_798_761_600_000,
            days_left: -1,
            sites: vec!["a.example".to_owned()],
            upstreams: vec![],
            warnings: vec!["it has expired".to_owned()],
            last_error: None,
            acme: None,
        }],
        watching: Some(WatchStatus {
            files: 3,
            directories: 2,
            polled: 1,
        }),
        last_reload: Some(ReloadStatus {
            at_unix_ms: 1_798_761_600_000,
            error: None,
        }),
        warnings: vec![],
    }
}

#[test]
fn certificates_are_renewed_and_revoked_by_name() {
    let running = running();
    let client = &running.client;
    for done in [
        client.renew_certificate("a.example"),
        client.revoke_certificate("a.example"),
    ] {
        assert_eq!(done.unwrap(), "it is done");
    }
    let refused = client.renew_certificate("b.example").unwrap_err();
    assert_eq!(refused.to_string(), "no certificate has this name");
}
