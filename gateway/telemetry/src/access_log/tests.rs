use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AccessLog, BATCH_BYTES, Clock, FIELDS, Format, Note, Record, Word, write_line};
use crate::metrics::Counter;
use crate::sink::{Destination, Sink};

const FULL: Record<'static> = Record {
    time_unix_millis: 1_798_761_599_042,
    request_id: b"0f3a",
    client_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
    method: "GET",
    scheme: "https",
    host: b"sales.example.com",
    path: b"/api/",
    query: Some(b"page=2"),
    http_version: "1.1",
    tls_version: Some("1.3"),
    tls_cipher: Some("TLS_AES_128_GCM_SHA256"),
    tls_server_name: Some("sales.example.com"),
    status: Some(200),
    bytes_in: 7,
    bytes_out: 1024,
    duration_us: 1530,
    site: Some("sales.example.com"),
    route: Some("/api/"),
    answered_by: Some("upstream"),
    cache: Some("miss"),
    cache_detail: Some("rule:assets"),
    upstream: Some("sales"),
    endpoint: Some("127.0.0.1:5006"),
    upstream_connect_us: Some(120),
    upstream_head_us: Some(900),
    upstream_total_us: Some(1400),
    failure: Some("connection_timeout"),
    notes: &[
        Note {
            of: "jwt",
            text: "subject 7",
        },
        Note {
            of: "canary",
            text: "new",
        },
    ],
    annotations: &[
        Word {
            name: "jwt.note",
            value: b"fresh\n",
        },
        Word {
            name: "canary.group",
            value: b"b",
        },
    ],
    variables: &[Word {
        name: "jwt.sub",
        value: b"\xff7",
    }],
    user_agent: Some(b"curl/8.5.0"),
    referer: Some(b"https://example.com/"),
};

const BARE: Record<'static> = Record {
    query: None,
    tls_version: None,
    tls_cipher: None,
    tls_server_name: None,
    status: None,
    site: None,
    route: None,
    answered_by: None,
    cache: None,
    cache_detail: None,
    upstream: None,
    endpoint: None,
    upstream_connect_us: None,
    upstream_head_us: None,
    upstream_total_us: None,
    failure: None,
    notes: &[],
    annotations: &[],
    variables: &[],
    user_agent: None,
    referer: None,
    ..FULL
};

fn line(format: Format, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    write_line(&mut out, format, &mut Clock::default(), record);
    String::from_utf8(out).unwrap()
}

/// The expected content of a record, independent of the code that writes it.
fn expected(record: &Record<'_>) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let notes: Vec<String> = record
        .notes
        .iter()
        .map(|note| format!("{}: {}", note.of, note.text))
        .collect();
    let words = |words: &[Word<'_>]| {
        let words = words
            .iter()
            .map(|word| (word.name.to_owned(), text(word.value)));
        let words: serde_json::Map<_, _> = words.collect();
        (!words.is_empty()).then_some(words)
    };
    let mut object = json!({
        "request_id": text(record.request_id),
        "client_ip": record.client_ip.to_string(),
        "method": record.method,
        "scheme": record.scheme,
        "host": text(record.host),
        "path": text(record.path),
        "query": record.query.map(text),
        "http_version": record.http_version,
        "tls_version": record.tls_version,
        "tls_cipher": record.tls_cipher,
        "tls_server_name": record.tls_server_name,
        "status": record.status,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "duration_us": record.duration_us,
        "site": record.site,
        "route": record.route,
        "answered_by": record.answered_by,
        "cache": record.cache,
        "cache_detail": record.cache_detail,
        "upstream": record.upstream,
        "endpoint": record.endpoint,
        "upstream_connect_us": record.upstream_connect_us,
        "upstream_head_us": record.upstream_head_us,
        "upstream_total_us": record.upstream_total_us,
        "failure": record.failure,
        "notes": (!notes.is_empty()).then_some(notes),
        "annotations": words(record.annotations),
        "variables": words(record.variables),
        "user_agent": record.user_agent.map(text),
        "referer": record.referer.map(text),
    });
    let members = object.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    object
}

fn read(line: &str) -> Value {
    let mut value: Value = serde_json::from_str(line).unwrap();
    let time = value.as_object_mut().unwrap().remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'));
    value
}

#[test]
fn a_json_line_holds_every_field_of_the_table_in_its_order() {
    let line = line(Format::Json, &FULL);
    assert!(line.starts_with(r#"{"time":"2026-12-31T23:59:59.042Z","request_id":"0f3a","#));
    let mut from = 0;
    for field in FIELDS {
        let key = format!("\"{}\":", field.name);
        let at = line[from..].find(&key);
        from += at.unwrap_or_else(|| panic!("{key} is not in its place in {line}"));
    }
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value.as_object().unwrap().len(), FIELDS.len());
    for field in FIELDS {
        let kind = match &value[field.name] {
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Array(_) => "array of strings",
            Value::Object(_) => "object of strings",
            other => panic!("{}: {other}", field.name),
        };
        assert_eq!(kind, field.kind, "{}", field.name);
    }
    assert_eq!(read(&line), expected(&FULL));
}

#[test]
fn absent_fields_are_left_out() {
    let line = line(Format::Json, &BARE);
    assert!(!line.contains("null") && !line.contains("notes"));
    assert_eq!(read(&line), expected(&BARE));
}

#[test]
fn the_text_format_is_combined_and_the_rest() {
    assert_eq!(
        line(Format::Text, &FULL),
        "203.0.113.9 - - [31/Dec/2026:23:59:59 +0000] \"GET /api/?page=2 HTTP/1.1\" 200 1024 \
         \"https://example.com/\" \"curl/8.5.0\" request_id=\"0f3a\" scheme=\"https\" \
         host=\"sales.example.com\" tls_version=\"1.3\" \
         tls_cipher=\"TLS_AES_128_GCM_SHA256\" tls_server_name=\"sales.example.com\" bytes_in=7 duration_us=1530 \
         site=\"sales.example.com\" route=\"/api/\" answered_by=\"upstream\" cache=\"miss\" \
         cache_detail=\"rule:assets\" upstream=\"sales\" \
         endpoint=\"127.0.0.1:5006\" upstream_connect_us=120 upstream_head_us=900 \
         upstream_total_us=1400 failure=\"connection_timeout\" notes=\"jwt: subject 7\" \
         notes=\"canary: new\" annotations=\"jwt.note=fresh\\x0A\" \
         annotations=\"canary.group=b\" variables=\"jwt.sub=\\xFF7\"\n"
    );
    assert_eq!(
        line(Format::Text, &BARE),
        "203.0.113.9 - - [31/Dec/2026:23:59:59 +0000] \"GET /api/ HTTP/1.1\" 499 1024 \"-\" \"-\" \
         request_id=\"0f3a\" scheme=\"https\" host=\"sales.example.com\" bytes_in=7 \
         duration_us=1530\n"
    );
}

fn log(format: Format) -> (tempfile::TempDir, Sink, AccessLog) {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::File(folder.path().join("log"));
    let sink = Sink::open(destination, Arc::new(Counter::new(1))).unwrap();
    let log = AccessLog::new(sink.clone(), format, 0);
    (folder, sink, log)
}

fn written(folder: &tempfile::TempDir, sink: &Sink) -> String {
    assert!(sink.drain(Duration::from_secs(10)));
    fs::read_to_string(folder.path().join("log")).unwrap()
}

#[test]
fn lines_wait_for_a_full_buffer_a_flush_or_the_end() {
    let (folder, sink, mut log) = log(Format::Text);
    log.record(&BARE);
    assert_eq!(written(&folder, &sink), "");
    log.flush();
    log.flush();
    assert_eq!(written(&folder, &sink).lines().count(), 1);

    let per_batch = BATCH_BYTES.div_ceil(line(Format::Text, &BARE).len());
    (0..per_batch).for_each(|_| log.record(&BARE));
    assert_eq!(written(&folder, &sink).lines().count(), 1 + per_batch);

    log.record(&BARE);
    drop(log);
    assert_eq!(written(&folder, &sink).lines().count(), 2 + per_batch);
}

#[test]
fn a_log_that_is_off_is_silent() {
    let mut log = AccessLog::off();
    log.record(&FULL);
    log.flush();
    assert!(log.batch.is_none());
}

/// The parts of a record, owned: ten byte strings, five texts, six numbers.
type Pieces = (
    [Option<Vec<u8>>; 6],
    [Option<String>; 8],
    [Option<u64>; 8],
    IpAddr,
);

fn with_record<R>((bytes, texts, numbers, ip): &Pieces, act: impl FnOnce(&Record<'_>) -> R) -> R {
    let bytes = bytes.each_ref().map(Option::as_deref);
    let texts = texts.each_ref().map(Option::as_deref);
    let note = Note {
        of: texts[6].unwrap_or_default(),
        text: texts[7].unwrap_or_default(),
    };
    let notes = [note; 2];
    let words = [
        Word {
            name: "a.b",
            value: bytes[1].unwrap_or_default(),
        },
        Word {
            name: "a.c",
            value: bytes[2].unwrap_or_default(),
        },
    ];
    act(&Record {
        time_unix_millis: numbers[0].unwrap_or(0),
        request_id: bytes[0].unwrap_or_default(),
        client_ip: *ip,
        method: texts[0].unwrap_or("GET"),
        scheme: "http",
        host: bytes[1].unwrap_or_default(),
        path: bytes[2].unwrap_or_default(),
        query: bytes[3],
        http_version: "2",
        tls_version: None,
        tls_cipher: None,
        tls_server_name: None,
        status: numbers[1].map(|n| n as u16),
        bytes_in: numbers[2].unwrap_or(0),
        bytes_out: numbers[3].unwrap_or(0),
        duration_us: numbers[4].unwrap_or(0),
        site: texts[1],
        route: texts[2],
        answered_by: texts[3],
        cache: texts[5],
        cache_detail: texts[6],
        upstream: texts[4],
        endpoint: texts[5],
        upstream_connect_us: numbers[5],
        upstream_head_us: numbers[6],
        upstream_total_us: numbers[7],
        failure: texts[3],
        notes: if texts[7].is_some() { &notes } else { &[] },
        annotations: if texts[7].is_some() { &words } else { &[] },
        variables: if texts[6].is_some() { &words[1..] } else { &[] },
        user_agent: bytes[4],
        referer: bytes[5],
    })
}

prop_compose! {
    fn pieces()(
        bytes: [Option<Vec<u8>>; 6],
        texts: [Option<String>; 8],
        numbers: [Option<u64>; 8],
        ip: IpAddr,
    ) -> Pieces {
        (bytes, texts, numbers, ip)
    }
}

proptest! {
    #[test]
    fn any_record_is_one_line_that_reads_back(pieces in pieces()) {
        with_record(&pieces, |record| {
            let line = line(Format::Json, record);
            let object = line.strip_suffix('\n').unwrap();
            assert!(!object.contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c)));
            assert_eq!(read(object), expected(record));
        });
    }

    #[test]
    fn any_record_is_one_line_of_text(pieces in pieces()) {
        with_record(&pieces, |record| {
            let line = line(Format::Text, record);
            let line = line.strip_suffix('\n').unwrap();
            assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
            // Quotes are balanced: no value can end another one's quotes.
            assert_eq!(line.matches('"').count() % 2, 0);
            let quoted = line.matches("=\"").count() * 2 + 6;
            assert!(line.matches('"').count() <= quoted);
        });
    }
}
