//! Calls of a provider's service.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use janua_dns01::{Error, Webhook};
use serde_json::{Value, json};

const TOKEN: &str = "secret-token";

/// A service that gives these responses, one per connection, and returns the
/// requests.
fn stand_in(answers: &[String]) -> (Webhook, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/dns?key=k", listener.local_addr().unwrap());
    let answers = answers.to_vec();
    let served = std::thread::spawn(move || {
        let serve = |answer: &String| {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let length = stream.read(&mut piece).unwrap();
                assert_ne!(length, 0);
                request.extend_from_slice(&piece[..length]);
                let text = String::from_utf8(request.clone()).unwrap();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let head = head.to_ascii_lowercase();
                let mut lines = head.lines();
                let length = lines.find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.unwrap().trim().parse::<usize>().unwrap() {
                    stream.write_all(answer.as_bytes()).unwrap();
                    return text;
                }
            }
        };
        answers.iter().map(serve).collect()
    });
    (Webhook::new(url, Some(TOKEN.to_owned())), served)
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn present(webhook: &Webhook) -> Result<Option<Value>, Error> {
    webhook.present("example.com", "_acme-challenge.example.com", "value")
}

#[test]
fn a_record_is_presented_and_cleaned_up() {
    let (webhook, served) = stand_in(&[
        answer(200, r#"{"record": {"id": 7}, "more": 1}"#),
        answer(204, ""),
        answer(202, ""),
    ]);
    let record = present(&webhook).unwrap();
    assert_eq!(record, Some(json!({ "id": 7 })));
    let name = "_acme-challenge.example.com";
    webhook
        .cleanup("example.com", name, "value", record.as_ref())
        .unwrap();
    webhook.cleanup("example.com", name, "value", None).unwrap();

    let requests = served.join().unwrap();
    let head = requests[0].to_ascii_lowercase();
    assert!(head.starts_with("post /dns?key=k http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nauthorization: bearer secret-token\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\ncontent-type: application/json\r\n"),
        "{head}"
    );
    let expected = |action| json!({ "action": action, "domain": "example.com", "name": name, "value": "value" });
    assert_eq!(body(&requests[0]), expected("present"));
    let mut cleanup = expected("cleanup");
    cleanup["record"] = json!({ "id": 7 });
    assert_eq!(body(&requests[1]), cleanup);
    cleanup["record"] = Value::Null;
    assert_eq!(body(&requests[2]), cleanup);
}

/// Whatever comes with a 2xx that is no object with a record is no error.
#[test]
fn a_response_needs_no_record() {
    let large = format!(r#"{{"record": 1, "x": "{}"}}"#, "x".repeat(70_000));
    let bodies = [
        "",
        "garbage \0 \u{ff}",
        "[1]",
        "{\"other\": 1}",
        "{\"record\"",
        &large,
    ];
    let answers: Vec<String> = bodies.iter().map(|body| answer(200, body)).collect();
    let (webhook, served) = stand_in(&answers);
    for body in bodies {
        assert_eq!(present(&webhook), Ok(None), "{body:.20}");
    }
    served.join().unwrap();
}

#[test]
fn refusals_are_errors() {
    let redirect = "HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\
        connection: close\r\n\r\n";
    let host = "The service for DNS records at 127.0.0.1";
    let table = [
        (answer(401, ""), "answered 401."),
        (answer(422, "no such\n zone"), "answered 422: no such zone."),
        // A service that repeats the token.
        (answer(403, "secret-token is wrong"), "answered 403."),
        (answer(500, "\u{7}Oops."), "answered 500: Oops."),
        (
            redirect.to_owned(),
            "answered 307, but redirects are not followed.",
        ),
    ];
    let answers: Vec<String> = table.iter().map(|(answer, _)| answer.clone()).collect();
    let (webhook, served) = stand_in(&answers);
    for (_, expected) in table {
        let error = present(&webhook).unwrap_err().to_string();
        assert_eq!(error, format!("{host} {expected}"));
    }
    // Each was one request, with none to where the redirect leads.
    assert_eq!(served.join().unwrap().len(), answers.len());
}

#[test]
fn garbage_and_a_closed_connection_are_errors() {
    let (webhook, served) = stand_in(&["garbage\r\n\r\n".to_owned(), String::new()]);
    for _ in 0..2 {
        let error = present(&webhook).unwrap_err().to_string();
        assert!(error.contains("cannot be called"), "{error}");
        assert!(!error.contains(TOKEN), "{error}");
    }
    served.join().unwrap();
}

#[test]
fn a_silent_service_and_a_closed_port_are_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let webhook = Webhook::new(url, None).with_limit(Duration::from_millis(100));
    let error = present(&webhook).unwrap_err().to_string();
    assert!(error.contains("timeout"), "{error}");
    drop(listener);
    let webhook = webhook.with_limit(Duration::from_secs(20));
    assert!(present(&webhook).is_err());
}

#[test]
fn debug_output_has_no_secret() {
    let webhook = Webhook::new(
        "http://h/?k=secret-token".to_owned(),
        Some(TOKEN.to_owned()),
    );
    assert!(!format!("{webhook:?}").contains(TOKEN));
}
