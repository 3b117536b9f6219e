//! A reload applies another configuration, or is refused and changes nothing.

use std::net::TcpListener;

use janua_tests::{Gateway, Proxy, Request, Upstream, assert_eventually, run};
use rustix::process::Signal;

/// A listener on a free port, and a site with this response.
pub(crate) fn says(word: &str) -> String {
    format!(
        "[listeners.public]\naddress = \"127.0.0.1:0\"\n\
         [[sites]]\nhosts = [\"*\"]\nroutes = [{{ respond = {{ body = \"{word}\" }} }}]\n"
    )
}

#[tokio::test]
async fn a_reload_changes_what_is_answered() {
    let mut gateway = Gateway::start(says("one")).await;
    assert_eq!(gateway.get("/").await.text(), "one");
    let address = gateway.address();
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "one");
    let summary = gateway.reload(says("two")).await;
    assert_eq!(summary["generation"], 2);
    // At once, on every worker, and on existing connections.
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "two");
    }
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "two");
    assert_eq!(
        gateway.address(),
        address,
        "an address that stays is not bound again"
    );
    assert_eq!(gateway.status().await["generation"], 2);
}

#[tokio::test]
async fn a_request_in_flight_ends_as_it_began() {
    let (upstream, release) = Upstream::held().await;
    let mut gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.reload(says("new")).await;
    assert_eq!(gateway.get("/").await.text(), "new");
    release.send(true).unwrap();
    assert_eq!(wire.receive("GET").await.text(), "at last");
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "new");
}

#[tokio::test]
async fn sighup_reloads() {
    let gateway = Gateway::start(says("one")).await;
    gateway.write_config(says("two"));
    assert_eq!(gateway.get("/").await.text(), "one", "nothing was said yet");
    gateway.signal(Signal::HUP);
    assert_eventually!(gateway.get("/").await.text() == "two");
    // An invalid configuration leaves the old one live, and the error is
    // logged.
    gateway.write_config("[listeners.public]\naddress = 7\n");
    gateway.signal(Signal::HUP);
    gateway.says("janua.toml:2").await;
    assert_eq!(gateway.get("/").await.text(), "two");
    assert_eventually!(gateway.metric("janua_config_last_reload_ok", &[]).await == 0.0);
}

#[tokio::test]
async fn the_command_reload() {
    let gateway = Gateway::start(says("one")).await;
    gateway.write_config(says("two"));
    gateway.done(&["reload"]).await;
    assert_eq!(gateway.get("/").await.text(), "two");

    gateway.write_config("\n[listeners.public]\nadress = \"127.0.0.1:0\"\n");
    let ran = gateway.command(&["reload"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("janua.toml:3:1"), "{said}");
    assert!(said.contains("address"), "the suggestion: {said}");
    assert_eq!(gateway.get("/").await.text(), "two");
    let status = gateway.status().await;
    assert_eq!(status["generation"], 2);
    assert!(
        status["last_reload"]["error"].is_string(),
        "{}",
        status["last_reload"]
    );
    assert_eq!(
        gateway
            .metric("janua_reloads_total", &[("outcome", "refused")])
            .await,
        1.0
    );
}

#[tokio::test]
async fn listeners_come_and_go() {
    let mut gateway = Gateway::start(says("x")).await;
    let first = gateway.address();
    let second = "[listeners.second]\naddress = \"127.0.0.1:0\"\n";
    gateway.reload(format!("{second}{}", says("x"))).await;
    assert_eq!(gateway.address_of("public"), first);
    let mut wire = janua_tests::Wire::connect(gateway.address_of("second")).await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "x");
    let gone = gateway.address_of("second");

    gateway.reload(says("y")).await;
    assert_eventually!(tokio::net::TcpStream::connect(gone).await.is_err());
    assert_eq!(gateway.get("/").await.text(), "y");
    // Accepted connections end properly: with a response, or by a close before
    // it.
    let _ = wire.try_send(Request::get("/").to_bytes()).await;
    if let Ok(response) = wire.try_receive("GET").await {
        assert!([200, 503].contains(&response.status), "{}", response.status);
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_at_its_place() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut gateway = Gateway::start(says("one")).await;
    let config = says("two").replace(
        "[[sites]]",
        &format!("[listeners.second]\naddress = \"{address}\"\n[[sites]]"),
    );
    let refused = gateway.try_reload(&config).await.unwrap_err();
    assert_eq!(refused["errors"][0]["line"], 4, "{refused}");
    assert!(
        refused["rendered"]
            .as_str()
            .unwrap()
            .contains("janua.toml:4"),
        "{refused}"
    );
    assert_eq!(gateway.get("/").await.text(), "one", "nothing has changed");
    drop(taken);
    gateway.reload(&config).await;
    assert_eq!(gateway.address_of("second"), address);
}

#[tokio::test]
async fn a_second_gateway_does_not_take_half_of_the_traffic() {
    let first = Gateway::start(says("first")).await;
    let address = first.address().to_string();
    let directory = tempfile::tempdir().unwrap();
    let config = says("second").replace("127.0.0.1:0", &address)
        + "[admin]\nsocket = \"admin.sock\"\n[server]\nstate_dir = \"state\"\n";
    std::fs::write(directory.path().join("second.toml"), config).unwrap();
    let ran = run(directory.path(), &["run", "--config", "second.toml"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("second.toml:2"), "{}", ran.stderr);
    for _ in 0..10 {
        assert_eq!(first.get("/").await.text(), "first");
    }
}

/// A request without a route is counted for its own site, even if a
/// configuration with another site at the same position is published before the
/// request ends.
#[tokio::test]
async fn an_unrouted_request_is_counted_for_its_own_site() {
    let site = |name: &str| {
        format!(
            "[[sites]]\nhosts = [\"{name}.example\"]\nname = \"{name}\"\n\
             routes = [{{ path = \"/here\", respond = {{ body = \"x\" }} }}]\n"
        )
    };
    let listener = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";
    let (first, second) = (site("first"), site("second"));
    let mut gateway = Gateway::start(format!("{listener}{first}{second}")).await;
    let mut wire = gateway.connect().await;
    // The response does not wait for the body, but the request ends with it.
    wire.send("POST /nowhere HTTP/1.1\r\nHost: first.example\r\nContent-Length: 3\r\n\r\n")
        .await;
    assert_eq!(wire.receive("POST").await.status, 404);
    gateway.reload(format!("{listener}{second}{first}")).await;
    wire.send("abc").await;
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    let counted = |site| metrics.sum("janua_requests_total", &[("site", site)]);
    assert_eq!((counted("first"), counted("second")), (1.0, 0.0));
}
