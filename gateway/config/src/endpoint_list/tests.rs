use std::path::Path;

use super::{ListedEndpoint, MOST_LISTED, parse_endpoint_list};

fn read(file: &str, text: &str) -> Result<Vec<ListedEndpoint>, Vec<String>> {
    parse_endpoint_list(Path::new(file), text).map_err(|found| found.lines().collect())
}

fn addresses(listed: &[ListedEndpoint]) -> Vec<String> {
    let addresses = listed.iter().map(|endpoint| endpoint.address.to_string());
    addresses.collect()
}

#[test]
fn a_list_is_read_from_both_formats() {
    let toml = r#"
        [[endpoints]]
        address = "10.0.0.1:3000"
        weight = 3
        max_connections = 10
        id = "one"

        [[endpoints]]
        address = "[::1]:3000"

        [[endpoints]]
        address = "Backend.internal:3000"
        healthy = true
    "#;
    let list = r#"[
        { "address": "10.0.0.1:3000", "weight": 3, "max_connections": 10, "id": "one" },
        "[::1]:3000",
        { "address": "Backend.internal:3000", "weight": null, "healthy": true }
    ]"#;
    let object = format!("{{ \"endpoints\": {list} }}");
    let short = r#"endpoints = [
        { address = "10.0.0.1:3000", weight = 3, max_connections = 10, id = "one" },
        "[::1]:3000", "Backend.internal:3000",
    ]"#;
    for (file, text) in [
        ("a.toml", toml),
        ("a", short),
        ("a.json", list),
        ("a.json", &object),
    ] {
        let listed = read(file, text).unwrap();
        let expected = ["10.0.0.1:3000", "[::1]:3000", "backend.internal:3000"];
        assert_eq!(addresses(&listed), expected, "{text}");
        let first = &listed[0];
        assert_eq!(first.weight.get(), 3);
        assert_eq!(
            first.max_connections.map(std::num::NonZeroU32::get),
            Some(10)
        );
        assert_eq!(first.id.as_deref(), Some("one"));
        let second = &listed[1];
        assert_eq!((second.weight.get(), second.max_connections), (1, None));
    }
}

#[test]
fn an_empty_list_is_one_and_an_empty_file_is_none() {
    for (file, text) in [
        ("a.toml", "endpoints = []"),
        ("a.json", "[]"),
        ("a.json", "{\"endpoints\": []}"),
    ] {
        assert!(read(file, text).unwrap().is_empty(), "{text}");
    }
    for file in ["a.toml", "a.json"] {
        for text in ["", " \n", "\0\0\0"] {
            read(file, text).unwrap_err();
        }
    }
    read("a.json", "{}").unwrap_err();
}

#[test]
fn the_unhealthy_and_the_repeated_are_left_out() {
    let text = r#"[
        { "address": "10.0.0.1:1", "healthy": false },
        { "address": "10.0.0.2:1", "weight": 2 },
        { "address": "10.0.0.2:1", "weight": 3 }
    ]"#;
    let listed = read("a.json", text).unwrap();
    assert_eq!(addresses(&listed), ["10.0.0.2:1"]);
    assert_eq!(listed[0].weight.get(), 2);
}

#[test]
fn errors_say_where_and_what_to_write() {
    for (file, text, expected) in [
        (
            "a.toml",
            "[[endpoints]]\naddress = \"10.0.0.1:1\"\ntls = true\n",
            "a.toml:3:1: unknown field `tls`",
        ),
        (
            "a.toml",
            "[[endpoints]]\naddress = \"unix:/run/docker.sock\"\n",
            "a.toml:2:11: a socket's path must be named by the configuration",
        ),
        (
            "a.toml",
            "[[endpoints]]\naddress = \"srv:_http._tcp.a\"\n",
            "a.toml:2:11: a record of the DNS must be named by the configuration",
        ),
        (
            "a.toml",
            "[[endpoints]]\nfile = \"b.toml\"\n",
            "a.toml:2:1: unknown field `file`",
        ),
        (
            "a.toml",
            "[[endpoints]]\naddress = \"10.0.0.1:1\"\n[upstreams.b]\nendpoints = [\"b:1\"]\n",
            "a.toml:3:2: unknown field `upstreams`",
        ),
        (
            "a.toml",
            "[[endpoints]]\naddress = \"10.0.",
            "a.toml:2:17: ",
        ),
        (
            "a.json",
            "[\n{\"address\": \"10.0.0.1:1\"},\n{\"address\": \"10.0.",
            "a.json: EOF while parsing a string at line 3",
        ),
        (
            "a.json",
            "[\"10.0.0.1:1\", {\"address\": \"10.0.0.1:70000\"}]",
            "a.json: endpoint 2: `10.0.0.1:70000` is not an address of an endpoint",
        ),
        (
            "a.json",
            "[{\"address\": \"10.0.0.1:1\", \"weight\": 0}]",
            "a.json: endpoint 1: ",
        ),
        (
            "a.json",
            "[{\"address\": \"10.0.0.1:1\", \"weight\": 1e99}]",
            "a.json: endpoint 1: ",
        ),
        (
            "a.json",
            "[{\"address\": \"10.0.0.1:1\", \"weight\": 99999999999999999999}]",
            "a.json: endpoint 1: ",
        ),
        (
            "a.json",
            "{\"endpoints\": [], \"listeners\": {}}",
            "a.json: unknown field `listeners`",
        ),
        ("a.json", "[null]", "a.json: endpoint 1: "),
        ("a.json", "[[\"10.0.0.1:1\"]]", "a.json: endpoint 1: "),
        ("a.json", "7", "a.json: expected a list of endpoints"),
    ] {
        let found = read(file, text).unwrap_err();
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{text}: {found:?}"
        );
    }
}

/// Each of these took minutes: every error was compared with all others, its line was counted
/// from the beginning, and each unknown field was looked up in the whole reference.
#[test]
fn a_list_that_is_full_of_errors_is_refused_at_once() {
    let most = usize::try_from(super::LONGEST_LIST).unwrap();
    let full = |begin: &str, end: &str, part: &dyn Fn(usize) -> String| {
        let mut text = begin.to_owned();
        for at in 0.. {
            let part = part(at);
            if text.len() + part.len() + end.len() > most {
                break;
            }
            text.push_str(&part);
        }
        text + end
    };
    let line = |at: usize| format!("a{at}=1\n");
    let lines = |count: usize| (0..count).map(line).collect::<String>();
    let begin = std::time::Instant::now();
    for (file, text) in [
        ("a.json", full("[1", "]", &|_| ",1".to_owned())),
        ("a.toml", full("endpoints=[1", "]", &|_| ",1".to_owned())),
        (
            "a.json",
            full("[{\"a\":1", "}]", &|at| format!(",\"a{at}\":1")),
        ),
        (
            "a.toml",
            full("[[endpoints]]\n", "", &|at| format!("a{at}=1\n")),
        ),
        (
            "a.toml",
            full("", "endpoints=[]", &|at| format!("a{at}=1\n")),
        ),
        ("a.toml", lines(50_000) + &lines(50_000)),
    ] {
        let found = read(file, &text).unwrap_err();
        assert!(found.len() <= 20, "{file}: {}", found.len());
    }
    let took = begin.elapsed();
    assert!(took.as_secs() < 30, "{took:?}");
}

#[test]
fn a_text_of_json_may_have_every_character() {
    let all: String = (0..=0xff).filter_map(char::from_u32).collect();
    let id = serde_json::Value::from(all.as_str()).to_string();
    let text = format!("[{{\"address\": \"10.0.0.1:1\", \"id\": {id}}}]");
    let listed = read("a.json", &text).unwrap();
    assert_eq!(listed[0].id.as_deref(), Some(all.as_str()));
}

#[test]
fn a_list_has_a_bound() {
    let list = |count: usize| {
        let each = (0..count).map(|at| format!("\"10.0.{}.{}:1\"", at / 256, at % 256));
        format!("[{}]", each.collect::<Vec<_>>().join(","))
    };
    assert_eq!(
        read("a.json", &list(MOST_LISTED)).unwrap().len(),
        MOST_LISTED
    );
    let found = read("a.json", &list(MOST_LISTED + 1)).unwrap_err();
    assert!(
        found[0].contains("1001 endpoints are listed, and 1000"),
        "{found:?}"
    );
}
