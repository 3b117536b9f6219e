use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use janua_config::{EventKind, EventWebhook, Sources, Webhook, parse};
use serde_json::{Value, json};

use crate::{CallResult, Caller, Event, Purged, RetryPolicy};

const SOON: RetryPolicy = RetryPolicy {
    call: Duration::from_secs(5),
    tries: 3,
    pause: Duration::from_millis(1),
    all: Duration::from_secs(20),
};

/// A server that gives these responses, one per connection, and returns the
/// requests.
fn stand_in(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let served = std::thread::spawn(move || {
        let serve = |answer: &String| {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let length = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..length]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let head = head.to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.unwrap().trim().parse::<usize>().unwrap() {
                    stream.write_all(answer.as_bytes()).unwrap();
                    return text;
                }
            }
        };
        answers.iter().map(serve).collect()
    });
    (format!("http://{address}/zones/z/purge_cache"), served)
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn webhook(url: &str, rest: &str) -> Webhook {
    let text =
        format!("[listeners.x]\naddress = \"*:80\"\n[[cache.webhooks]]\nurl = \"{url}\"\n{rest}\n");
    let loaded = parse(Sources::single("a.toml", text)).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.config.cache.webhooks[0].clone()
}

const CLOUDFLARE: &str = "template = \"cloudflare\"";

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn host() -> Purged {
    Purged {
        hosts: vec!["app.example.com".to_owned()],
        ..Purged::default()
    }
}

#[test]
fn cloudflare_is_called_as_it_documents() {
    let ok = answer(200, r#"{"success":true}"#);
    let (url, served) = stand_in(&[&ok, &ok, &ok, &ok]);
    let purged = Purged {
        urls: vec!["https://a.example/ü\"".to_owned()],
        prefixes: vec!["a.example/assets/".to_owned()],
        hosts: vec!["a.example".to_owned()],
        tags: vec!["one".to_owned(), "two".to_owned()],
        everything: false,
    };
    let outcome = Caller::new(SOON).call(&webhook(&url, CLOUDFLARE), Some("secret"), &purged);
    let expected = CallResult {
        status: Some(200),
        calls: 4,
        error: None,
    };
    assert_eq!(outcome, expected);
    let requests = served.join().unwrap();
    let first = requests[0].to_ascii_lowercase();
    assert!(
        first.starts_with("post /zones/z/purge_cache http/1.1\r\n"),
        "{first}"
    );
    assert!(
        first.contains("\r\nauthorization: bearer secret\r\n"),
        "{first}"
    );
    assert!(
        first.contains("\r\ncontent-type: application/json\r\n"),
        "{first}"
    );
    let bodies: Vec<_> = requests.iter().map(|request| body(request)).collect();
    let expected = [
        json!({ "files": ["https://a.example/ü\""] }),
        json!({ "prefixes": ["a.example/assets/"] }),
        json!({ "hosts": ["a.example"] }),
        json!({ "tags": ["one", "two"] }),
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn everything_is_one_call_and_many_names_are_several() {
    let ok = answer(200, "{}");
    let (url, served) = stand_in(&[&ok]);
    let purged = Purged {
        everything: true,
        ..host()
    };
    Caller::new(SOON).call(&webhook(&url, CLOUDFLARE), None, &purged);
    let requests = served.join().unwrap();
    assert_eq!(body(&requests[0]), json!({ "purge_everything": true }));
    assert!(!requests[0].to_ascii_lowercase().contains("authorization"));

    let (url, served) = stand_in(&[&ok, &ok]);
    let purged = Purged {
        tags: (0..31).map(|n| n.to_string()).collect(),
        ..Purged::default()
    };
    let outcome = Caller::new(SOON).call(&webhook(&url, CLOUDFLARE), None, &purged);
    assert_eq!((outcome.calls, outcome.error), (2, None));
    let requests = served.join().unwrap();
    assert_eq!(body(&requests[1]), json!({ "tags": ["30"] }));
}

#[test]
fn placeholders_in_a_custom_body_are_filled_in() {
    let (url, served) = stand_in(&[&answer(204, "")]);
    let own = r#"body = '{"h": {hosts}, "all": {everything}, "n": [{urls}, {tags}]}'
        headers = { x-key = "k" }"#;
    let outcome = Caller::new(SOON).call(&webhook(&url, own), None, &host());
    assert_eq!((outcome.status, outcome.error), (Some(204), None));
    let request = &served.join().unwrap()[0];
    let expected = json!({ "h": ["app.example.com"], "all": false, "n": [[], []] });
    assert_eq!(body(request), expected);
    assert!(
        request.to_ascii_lowercase().contains("\r\nx-key: k\r\n"),
        "{request}"
    );
}

fn event_webhook(url: &str, rest: &str) -> EventWebhook {
    let text = format!(
        "[listeners.x]\naddress = \"*:80\"\n[[webhooks]]\non = [\"certificate\"]\nurl = \"{url}\"\n{rest}\n"
    );
    let loaded = parse(Sources::single("a.toml", text)).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.config.webhooks[0].clone()
}

#[test]
fn an_event_is_told_with_its_token_and_retried() {
    // What Cloudflare would mean by the body is nothing to other services.
    let refused = answer(200, r#"{"success":false}"#);
    let (url, served) = stand_in(&[&answer(503, ""), &refused]);
    let webhook = event_webhook(&url, "headers = { x-key = \"k\" }");
    let event = Event {
        kind: EventKind::Certificate,
        name: "a.example".to_owned(),
        state: "renewed",
        text: "the certificate was renewed".to_owned(),
        details: json!({}),
        time_unix: 0,
    };
    let outcome = Caller::new(SOON).notify(&webhook, Some("secret"), &event);
    let expected = CallResult {
        status: Some(200),
        calls: 2,
        error: None,
    };
    assert_eq!(outcome, expected);
    let requests = served.join().unwrap();
    for request in &requests {
        let head = request.to_ascii_lowercase();
        assert!(
            head.contains("\r\nauthorization: bearer secret\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nx-key: k\r\n"), "{head}");
        assert_eq!(body(request)["state"], "renewed");
    }
}

#[test]
fn temporary_failures_are_retried_and_refusals_are_not() {
    let refused = r#"{"success":false,"errors":[{"message":"Invalid zone"}]}"#;
    type Case<'a> = (&'a [(u16, &'a str)], u32, Option<u16>, Option<&'a str>);
    let table: [Case<'_>; 6] = [
        (&[(503, ""), (429, ""), (200, "")], 3, Some(200), None),
        (
            &[(500, ""), (502, ""), (503, "")],
            3,
            Some(503),
            Some("it answered 503"),
        ),
        (&[(403, "")], 1, Some(403), Some("it answered 403")),
        (
            &[(403, refused)],
            1,
            Some(403),
            Some("it answered 403: Invalid zone"),
        ),
        (
            &[(200, refused)],
            1,
            Some(200),
            Some("it answered 200: Invalid zone"),
        ),
        // Not followed: the token is meant for the configured host only.
        (&[(302, "")], 1, Some(302), Some("it answered 302")),
    ];
    for (answers, calls, status, error) in table {
        let answers: Vec<_> = answers
            .iter()
            .map(|(status, body)| answer(*status, body))
            .collect();
        let answers: Vec<_> = answers.iter().map(String::as_str).collect();
        let (url, served) = stand_in(&answers);
        let outcome = Caller::new(SOON).call(&webhook(&url, CLOUDFLARE), Some("secret"), &host());
        let error = error.map(str::to_owned);
        assert_eq!(
            outcome,
            CallResult {
                status,
                calls,
                error
            }
        );
        assert_eq!(served.join().unwrap().len(), answers.len());
    }
}

#[test]
fn a_closed_port_and_a_silent_server_fail() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hasty = RetryPolicy {
        call: Duration::from_millis(100),
        ..SOON
    };
    let silent = Caller::new(hasty).call(&webhook(&url, CLOUDFLARE), Some("secret"), &host());
    assert_eq!((silent.status, silent.calls), (None, 3));
    assert!(silent.error.is_some_and(|error| error.contains("timeout")));
    drop(listener);
    let gone = Caller::new(SOON).call(&webhook(&url, CLOUDFLARE), Some("secret"), &host());
    assert_eq!((gone.status, gone.calls), (None, 3));
    assert!(gone.error.is_some_and(|error| !error.contains("secret")));
}

/// The TLS stack of this build works: a server that does not speak TLS causes
/// an error message and receives no token.
#[test]
fn https_works() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).unwrap();
        hello
    });
    let once = RetryPolicy { tries: 1, ..SOON };
    let outcome = Caller::new(once).call(&webhook(&url, CLOUDFLARE), Some("secret"), &host());
    assert_eq!((outcome.status, outcome.calls), (None, 1));
    assert!(outcome.error.is_some_and(|error| !error.contains("secret")));
    // The start of a TLS handshake record.
    assert_eq!(heard.join().unwrap(), [0x16, 3, 1]);
}
