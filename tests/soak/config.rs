//! The configuration, of which there are as many revisions as reloads.

use std::fmt::Write as _;

use janua_tests::component;

use crate::fleet::LIST;

/// The host of everything but client certificates.
pub(crate) const HOST: &str = "a.example";
/// The host whose clients show a certificate.
pub(crate) const MUTUAL: &str = "mutual.example";

/// Routes that do nothing, so that a generation which is not freed takes some hundred KiB.
const BALLAST: usize = 200;

/// The addresses of the upstreams.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// Two that die in turn.
    pub(crate) pair: [String; 2],
    /// One that lives.
    pub(crate) steady: String,
    /// Two servers of gRPC, each of which dies together with one of the pair.
    pub(crate) calls: [String; 2],
    /// One that lives.
    pub(crate) steady_calls: String,
    /// Three instances, of which a list has some.
    pub(crate) fleet: [String; 3],
}

impl Endpoints {
    /// A revision: `/revision` says which one it is, and `/only/N` is there in no other.
    ///
    /// Sessions of TLS are limited to 256, because the default, 20,480, would fill for longer
    /// than the soak lasts. Connections to upstreams are closed after two idle seconds, so that
    /// descriptors can be compared at the end.
    pub(crate) fn config(&self, revision: usize) -> String {
        let [one, two] = &self.pair;
        let [calls_one, calls_two] = &self.calls;
        let [blue, green, _] = &self.fleet;
        let Self {
            steady,
            steady_calls,
            ..
        } = self;
        let misbehave = component("misbehave");
        let misbehave = misbehave.display();
        let mut text = format!(
            r#"
[listeners.clear]
address = "127.0.0.1:0"

[listeners.secure]
address = "127.0.0.1:0"
tls = {{ session_cache = 256 }}

[cache]
memory = "4MiB"
max_object = "1MiB"

[upstreams.pair]
endpoints = ["{one}", "{two}"]
passive_health = {{ fail_timeout = "1s" }}
keepalive_timeout = "2s"

[upstreams.steady]
endpoints = ["{steady}"]
keepalive_timeout = "2s"

[upstreams.calls]
endpoints = ["{calls_one}", "{calls_two}"]
http = "2"
passive_health = {{ fail_timeout = "1s" }}
keepalive_timeout = "2s"

[upstreams.steady-calls]
endpoints = ["{steady_calls}"]
http = "2"
keepalive_timeout = "2s"

[upstreams.fleet]
endpoints = [{{ file = "{LIST}" }}]
sticky = {{ cookie = "fleet", lifetime = "1h" }}
hold = "10m"
limits = {{ requests = 1000, pending = 1000 }}
keepalive_timeout = "2s"

[upstreams.blue]
endpoints = ["{blue}"]
keepalive_timeout = "2s"

[upstreams.green]
endpoints = ["{green}"]
keepalive_timeout = "2s"

[policies.lifetimes]
component = "cache-rules"
config = {{ tags_from = ["cache-tag"] }}

[policies.trap]
component = "{misbehave}"
config = {{ do = "trap" }}

[policies.calm]
component = "{misbehave}"
config = {{ do = "nothing" }}

[policies.swapped]
component = "swapped.wasm"
grants = ["edit:response-header:x-swapped"]
config = {{ response = {{ set = {{ X-Swapped = "yes" }} }} }}

[[sites]]
hosts = ["{MUTUAL}"]
certificate = {{ cert = "site.crt", key = "site.key" }}
tls = {{ client_auth = {{ ca = "ca.pem" }} }}
routes = [{{ path = "/mutual", respond = {{ body = "mutual" }} }}]

[[sites]]
hosts = ["{HOST}"]
certificate = {{ cert = "site.crt", key = "site.key" }}
"#
        );
        for (path, lines) in [
            ("/app/", "upstream = \"pair\""),
            (
                "/cached/",
                "upstream = \"pair\"\ncache = true\npolicies = [\"lifetimes\"]",
            ),
            ("/text/", "upstream = \"pair\"\ncompress = true"),
            ("/steady/", "upstream = \"steady\""),
            ("/ws", "upstream = \"steady\""),
            ("/events", "upstream = \"steady\""),
            ("/soak.Calls/", "upstream = \"calls\""),
            ("/soak.Web/", "upstream = \"calls\"\ngrpc_web = true"),
            ("/soak.Steady/", "upstream = \"steady-calls\""),
            ("/fleet/", "upstream = \"fleet\""),
            (
                "/split/",
                "upstream = { split = [{ upstream = \"blue\" }, { upstream = \"green\" }] }\n\
                 mirror = { upstream = \"steady\", percent = 50 }",
            ),
            ("/files/", "files = \"site\"\ncompress = true"),
            ("/trap", "upstream = \"steady\"\npolicies = [\"trap\"]"),
            ("/calm", "upstream = \"steady\"\npolicies = [\"calm\"]"),
            (
                "/swapped",
                "respond = { body = \"swapped\" }\npolicies = [\"swapped\"]",
            ),
            (
                "/revision",
                &format!("respond = {{ body = \"{revision}\" }}"),
            ),
            (
                &format!("/only/{revision}"),
                "respond = { body = \"only\" }",
            ),
        ] {
            let _ = write!(text, "\n[[sites.routes]]\npath = \"{path}\"\n{lines}\n");
        }
        for n in 0..BALLAST {
            let _ = write!(
                text,
                "\n[[sites.routes]]\npath = \"/ballast/{n}\"\nrespond = {{ body = \"{n}\" }}\n"
            );
        }
        text
    }
}
