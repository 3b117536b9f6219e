//! The gateway that messages of clients are sent to, the upstream that writes down
//! what reaches it, and a client that writes down what it is answered.
//!
//! One case follows the other, and each uses connections of its own on both sides: the
//! upstream closes each behind its answer. So no case depends on another.

use std::fs::{self, File};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use janua_tests::{Gateway, Proxy, Settings, Upstream, Visit, Wire, assert_eventually};
use tempfile::TempDir;

use super::inbox::{Body, Framing, Head, Inbox};
use super::text::{write, write_line};

/// One message of a client, and what the client does then.
pub(crate) struct Case {
    /// Its name in the record.
    pub(crate) name: String,
    /// What is sent at once.
    pub(crate) bytes: Vec<u8>,
    /// What is sent after the first interim response.
    pub(crate) after_interim: Vec<u8>,
    /// The methods of the requests in it, which say whether responses have bodies.
    pub(crate) methods: Vec<String>,
    /// How the client goes on.
    pub(crate) then: Then,
}

/// What a client does after its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It reads a response and, unless the connection is at its end, asks for
    /// [`LAST`], whose answer shows that the connection goes on.
    GoOn,
    /// It says that it sends nothing more, and reads to the end.
    Finish,
    /// The same, once the upstream has the head of the request.
    FinishOnceForwarded,
}

/// A request that no case sends itself, and what marks its answer.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: a.example\r\n\r\n";
const LAST_FIELD: &str = "x-last";
/// Asks the upstream itself whether it has accepted all connections before this one.
const MARK: &str = "MARK";

const POLICIES: &str = r#"
[policies.edit]
component = "headers"
[policies.edit.config.request]
remove = ["X-Remove"]
[policies.edit.config.request.set]
X-Edited = "{method} {path}?{query}"
[policies.edit.config.response]
remove = ["Server"]
[policies.edit.config.response.set]
X-Answered = "{status} by {answered_by}"
"#;

const LISTENER: &str =
    "max_head = \"8KiB\"\nmax_fields = 40\nheaders = { X-Frame-Options = \"DENY\" }";

/// Gateway, upstream and files.
pub(crate) struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    seen: Arc<Seen>,
    _files: TempDir,
}

/// What reached the upstream.
#[derive(Default)]
struct Seen {
    /// How many heads of requests.
    heads: AtomicUsize,
    /// The requests of this case, written down.
    requests: Mutex<Vec<String>>,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let files = files();
        let seen = Arc::<Seen>::default();
        let upstream = {
            let seen = Arc::clone(&seen);
            Upstream::raw(move |visit| answer(visit, Arc::clone(&seen))).await
        };
        let root = files.path().display();
        let proxy = Proxy::to(upstream.endpoint())
            .listener(LISTENER)
            .site("max_body = \"16KiB\"")
            .route("path = \"/forward\"")
            .also("/edited", "policies = [\"edit\"]")
            .also("/cached", "cache = true")
            .also("/strip", "strip_prefix = \"/strip\"\nhost = \"upstream\"")
            .also(
                "/files",
                &format!("files = {{ alias = \"{root}\", listing = true }}"),
            )
            .also(
                "/edited-files",
                &format!("files = {{ alias = \"{root}\" }}\npolicies = [\"edit\"]"),
            )
            .also(
                "/respond",
                "respond = { body = \"fixed\\n\", headers = { content-type = \"text/plain\" } }",
            )
            .also(
                "/redirect",
                "redirect = { to = \"https://{host}{path}{query}\", code = 308 }",
            )
            .also(
                "/only-get",
                "methods = [\"GET\"]\nrespond = { body = \"got\" }",
            )
            .also(
                "/last",
                &format!("respond = {{ body = \"last\", headers = {{ {LAST_FIELD} = \"1\" }} }}"),
            );
        let gateway = Settings::new()
            .workers(1)
            .start(format!("{proxy}{POLICIES}"))
            .await;
        Self {
            gateway,
            upstream,
            seen,
            _files: files,
        }
    }

    /// Plays a case: its transcript.
    pub(crate) async fn play(&self, case: &Case) -> String {
        let mut text = String::new();
        for line in case.bytes.split_inclusive(|&byte| byte == b'\n') {
            write_line(&mut text, "> ", line);
        }
        self.talk(case, &mut text).await;
        self.wait_for_the_upstream().await;
        for request in std::mem::take(&mut *self.seen.requests.lock().unwrap()) {
            text += &request;
        }
        text
    }

    async fn talk(&self, case: &Case, text: &mut String) {
        let heads = self.seen.heads.load(SeqCst);
        let mut wire = self.gateway.connect().await;
        let _ = wire.try_send(&case.bytes).await;
        if case.then == Then::FinishOnceForwarded {
            assert_eventually!(self.seen.heads.load(SeqCst) > heads, "{}", case.name);
        }
        if case.then != Then::GoOn {
            wire.finish().await;
        }
        let mut client = Inbox::new(&mut wire);
        let mut methods = case.methods.iter();
        let mut asked_for_last = case.then != Then::GoOn;
        let mut said_more = case.after_interim.is_empty();
        while let Some(head) = client.head().await {
            if head.value(LAST_FIELD).is_some() {
                write_line(text, "", b"the connection goes on");
                return;
            }
            if head.status() == 101 {
                write(text, "< ", &head, Framing::None, &Body::default());
                tunnel(&mut client, text).await;
                break;
            }
            if head.status() < 200 {
                write(text, "< ", &head, Framing::None, &Body::default());
                if !said_more {
                    said_more = true;
                    let _ = client.wire.try_send(&case.after_interim).await;
                }
                continue;
            }
            let method = methods.next().map_or("GET", String::as_str);
            let framing = head.response_framing(method);
            let body = client.body(framing).await;
            write(text, "< ", &head, framing, &body);
            if head.closes() || framing == Framing::UntilClose {
                break;
            }
            if !asked_for_last {
                asked_for_last = true;
                let _ = client.wire.try_send(LAST).await;
            }
        }
        let rest = client.rest().await;
        if !rest.is_empty() {
            write_line(text, "< besides: ", &rest);
        }
        write_line(
            text,
            "",
            format!("the connection ends: {:?}", client.end().unwrap()).as_bytes(),
        );
    }

    /// Waits until the upstream has seen the end of all connections so far: it accepts
    /// them in their order.
    async fn wait_for_the_upstream(&self) {
        let address = self.upstream.endpoint().parse().unwrap();
        let mut wire = Wire::connect(address).await;
        wire.send(format!("{MARK}\r\n\r\n")).await;
        assert!(wire.is_closed().await);
        assert_eventually!(self.upstream.open() == 0, "the gateway keeps a connection");
    }
}

/// Speaks through a tunnel whose other end sends back what it gets.
async fn tunnel(client: &mut Inbox<'_>, text: &mut String) {
    const PING: &[u8] = b"through the tunnel";
    let _ = client.wire.try_send(PING).await;
    let echo = client.at_least(PING.len()).await;
    write_line(text, "< tunnel: ", &echo);
    client.wire.finish().await;
}

/// What the upstream does with a connection: it answers one request by its path.
async fn answer(mut visit: Visit, seen: Arc<Seen>) {
    let mut text = String::new();
    let mut gateway = Inbox::new(&mut visit.wire);
    match gateway.head().await {
        Some(head) if head.start() == MARK => return,
        Some(head) => {
            seen.heads.fetch_add(1, SeqCst);
            answer_to(&head, &mut gateway, &mut text).await;
        }
        None => {
            let rest = gateway.rest().await;
            if rest.is_empty() {
                return;
            }
            write_line(&mut text, "    | unfinished: ", &rest);
        }
    }
    seen.requests.lock().unwrap().push(text);
}

async fn answer_to(head: &Head, gateway: &mut Inbox<'_>, text: &mut String) {
    const MARGIN: &str = "    | ";
    let start = head.start();
    if start.contains("/continue") {
        let _ = gateway.wire.try_send("HTTP/1.1 100 Continue\r\n\r\n").await;
    }
    let framing = head.request_framing();
    let mut body = gateway.body(framing).await;
    if body.fault.is_some() {
        // How much of it came before it was cut off is not for the record.
        body.content.clear();
    }
    write(text, MARGIN, head, framing, &body);
    if body.fault.is_some() {
        return;
    }
    if start.contains("/switch") && head.value("upgrade").is_some() {
        let switch =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        let _ = gateway.wire.try_send(switch).await;
        let mut all = Vec::new();
        loop {
            let some = gateway.at_least(1).await;
            if some.is_empty() {
                break;
            }
            let _ = gateway.wire.try_send(&some).await;
            all.extend(some);
        }
        write_line(text, "    | tunnel: ", &all);
        return;
    }
    let content = "from the upstream";
    let mut reply = format!(
        "HTTP/1.1 200 OK\r\nServer: upstream\r\nContent-Type: text/plain\r\nETag: \"u\"\r\nConnection: close\r\nContent-Length: {}\r\n",
        content.len()
    );
    if start.contains("/cached") {
        reply += "Cache-Control: max-age=600\r\n";
    }
    reply += "\r\n";
    if !start.starts_with("HEAD ") {
        reply += content;
    }
    let _ = gateway.wire.try_send(reply).await;
}

/// A directory whose files have always the same age.
fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (name, content) in [
        ("a.txt", "some text of a file\n"),
        ("a b.txt", "a name with a space\n"),
        ("page.html", "<p>page</p>\n"),
        ("folder/index.html", "<p>index</p>\n"),
        ("empty", ""),
        (".hidden", "hidden"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        File::open(&path).unwrap().set_modified(time).unwrap();
    }
    for directory in ["folder", "."] {
        let directory = File::open(folder.path().join(directory)).unwrap();
        directory.set_modified(time).unwrap();
    }
    folder
}
