use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::parse;
use super::node::Node;
use super::read;

#[test]
fn documents() {
    let text = |text: &str| Node::Text(text.to_owned());
    let cases = [
        ("null", Node::Null),
        (" true ", Node::Bool(true)),
        ("-9223372036854775808", Node::Signed(i64::MIN)),
        ("18446744073709551615", Node::Unsigned(u64::MAX)),
        ("0", Node::Signed(0)),
        ("1.50", Node::Fraction("1.50".into())),
        ("1e3", Node::Fraction("1e3".into())),
        (
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00ü""#,
            text("a\"\\/\u{8}\u{c}\n\r\té😀ü"),
        ),
        ("[]", Node::List(vec![])),
        (
            "[1, [true]]",
            Node::List(vec![Node::Signed(1), Node::List(vec![Node::Bool(true)])]),
        ),
        ("{}", Node::Table(vec![])),
        (
            "{\"a\" : 1,\n\"b\":{}}",
            Node::Table(vec![
                ("a".into(), Node::Signed(1)),
                ("b".into(), Node::Table(vec![])),
            ]),
        ),
    ];
    for (json, node) in cases {
        assert_eq!(parse(json).as_ref(), Ok(&node), "{json}");
    }
}

#[test]
fn what_is_not_json() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "tru",
        "truee",
        "01",
        "-",
        "--1",
        "+1",
        ".5",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\u+123\"",
        "\"a\nb\"",
        "1 2",
        "'a'",
        "\"\\u00é\"",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert_eq!(parse("[1,]").unwrap_err(), "not JSON at byte 3");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(parse(&nested(64)).is_ok());
    assert!(parse(&nested(65)).is_err());
    assert!(parse(&nested(1_000_000)).is_err());
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Everything {
    number: u16,
    signed: i32,
    float: f64,
    text: String,
    flag: bool,
    maybe: Option<String>,
    list: Vec<u8>,
    table: BTreeMap<String, Inner>,
    case: Case,
    pair: (u8, String),
    either: Either,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    list: Vec<bool>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Case {
    #[default]
    PlainOne,
    Holding(u8),
    Fields {
        a: bool,
    },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Either {
    Number(u8),
    Text(String),
}

impl Default for Either {
    fn default() -> Self {
        Self::Number(0)
    }
}

#[test]
fn everything_that_serde_asks_for() {
    let read: Everything = read(
        r#"{"number": 65535, "signed": -1, "float": 1.5, "text": "t", "flag": true,
            "maybe": "m", "list": [1, 2], "table": {"k": {"list": [true]}},
            "case": {"fields": {"a": true}}, "pair": [1, "p"], "either": "e"}"#,
    )
    .unwrap();
    let expected = Everything {
        number: 65535,
        signed: -1,
        float: 1.5,
        text: "t".into(),
        flag: true,
        maybe: Some("m".into()),
        list: vec![1, 2],
        table: [("k".into(), Inner { list: vec![true] })].into(),
        case: Case::Fields { a: true },
        pair: (1, "p".into()),
        either: Either::Text("e".into()),
    };
    assert_eq!(read, expected);
}

#[test]
fn cases_and_nothing() {
    for (json, case) in [
        ("", Case::PlainOne),
        ("null", Case::PlainOne),
        (r#"{"case": "plain-one"}"#, Case::PlainOne),
        (r#"{"case": {"holding": 3}}"#, Case::Holding(3)),
        (r#"{"maybe": null, "float": 2}"#, Case::PlainOne),
    ] {
        assert_eq!(read::<Everything>(json).unwrap().case, case, "{json}");
    }
}

#[test]
fn mistakes_have_a_path() {
    let cases = [
        (
            r#"{"number": 65536}"#,
            "`number`: expected a whole number from 0 to 65535, found 65536",
        ),
        (
            r#"{"number": 1.5}"#,
            "`number`: expected a whole number from 0 to 65535, found a number with a fraction",
        ),
        (
            r#"{"number": "1"}"#,
            "`number`: expected a whole number from 0 to 65535, found a string",
        ),
        (
            r#"{"text": true}"#,
            "`text`: expected a string, found a boolean",
        ),
        (
            r#"{"flag": null}"#,
            "`flag`: expected a boolean, found nothing",
        ),
        (
            r#"{"list": [1, 256]}"#,
            "`list[1]`: expected a whole number from 0 to 255, found 256",
        ),
        (r#"{"list": {}}"#, "`list`: expected a list, found a table"),
        (r#"{"table": {"k": {}}}"#, "`table.k`: missing field `list`"),
        (
            r#"{"table": {"k": {"list": [true, []]}}}"#,
            "`table.k.list[1]`: expected a boolean, found a list",
        ),
        (
            r#"{"table": {"k": {"lists": []}}}"#,
            "`table.k`: unknown field `lists`; did you mean `list`?",
        ),
        (
            r#"{"case": "plane-one"}"#,
            "`case`: unknown value `plane-one`; did you mean `plain-one`?",
        ),
        (r#"{"text": "a", "text": "b"}"#, "duplicate field `text`"),
        ("[]", "expected a table, found a list"),
    ];
    for (json, message) in cases {
        assert_eq!(read::<Everything>(json).unwrap_err(), message, "{json}");
    }
}
