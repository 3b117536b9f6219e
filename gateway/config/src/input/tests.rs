use super::{Form, Input, NAMED, PlainInput};
use crate::input_advice::AT_THE_END;

fn named(word: &str) -> Result<Input, (String, String)> {
    Input::named(word, Form::Alone)
}

/// The words of the SDK, of which each is in quotes in its tables.
fn words_of_the_sdk() -> Vec<&'static str> {
    let sdk = include_str!("../../../../sdk/rust/src/template.rs");
    let (_, table) = sdk.split_once("const PLAIN").unwrap();
    let (table, _) = table.split_once("/// The input with this name").unwrap();
    table.split('"').skip(1).step_by(2).collect()
}

/// All words of the configuration.
fn words() -> Vec<&'static str> {
    let plain = PlainInput::ALL.iter().map(|input| input.as_str());
    plain.chain(NAMED).chain(["client_network"]).collect()
}

#[test]
fn the_words_are_those_of_policies() {
    let mut own = [words(), AT_THE_END.to_vec()].concat();
    let mut sdk = words_of_the_sdk();
    own.sort_unstable();
    sdk.sort_unstable();
    assert_eq!(own, sdk);
}

/// The table of all inputs.
#[test]
fn each_word_is_in_the_documents() {
    let page = include_str!("../../../../docs/inputs.md");
    for word in words() {
        let alone = format!("`{word}`");
        let with_name = format!("`{word}:");
        let is_in_table = |line: &str| {
            line.starts_with("| `") && (line.contains(&alone) || line.contains(&with_name))
        };
        assert!(page.lines().any(is_in_table), "{word}");
    }
}

#[test]
fn a_word_is_written_as_it_is_read() {
    for input in PlainInput::ALL {
        assert_eq!(named(input.as_str()).unwrap(), Input::Plain(*input));
    }
    for word in [
        "client_ip",
        "header:x-a",
        "cookie:Session",
        "query:a b",
        "raw_query:page",
        "variable:auth.user",
        "variable:auth.a.b",
        "client_network:24/48",
        "response_header:x-version",
    ] {
        assert_eq!(named(word).unwrap().to_string(), word);
    }
    let folded = named("header:X-A").unwrap();
    assert_eq!(folded, Input::Header("x-a".to_owned()));
}

#[test]
fn what_is_no_input_is_refused_with_what_to_write() {
    for (word, what, help) in [
        ("header:", "needs a name", "`header:example`"),
        ("header:a b", "not the name of a header field", "letters"),
        ("cookie:a=b", "not the name of a cookie", "`cookie:session`"),
        ("variable:user", "not the name of a variable", "auth.user"),
        ("variable:.user", "not the name of a variable", "auth.user"),
        ("client_network:33/1", "two prefixes", "24/48"),
        ("client_network:24", "two prefixes", "24/48"),
    ] {
        let (said, helped) = named(word).unwrap_err();
        assert!(
            said.contains(what) && helped.contains(help),
            "{word}: {said}; {helped}"
        );
    }
}
