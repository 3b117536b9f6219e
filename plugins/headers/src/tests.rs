use janua_sdk::testing::{Exchange, Trial, configure};
use janua_sdk::{Request, Response};

use super::Headers;

fn configured(json: &str) -> Trial<Headers> {
    configure(json).unwrap()
}

#[test]
fn a_request_is_edited_in_order() {
    let policy = configured(
        r#"{"request": {
            "remove": ["X-Old", "X-Both"],
            "set": {"X-Forwarded": "for {client_ip}; host={host}", "X-User": "{header:x-name}"},
            "append": {"X-Both": ["{path}", "{{b}}"], "Via": "janua"}
        }}"#,
    );
    let exchange = Exchange::get("https://shop.example/a?b=1")
        .header("x-old", "1")
        .header("x-both", "spoofed")
        .header("via", "1.1 cdn")
        .header("x-user", "spoofed");
    let got = policy.request(&exchange).exchange;
    let expected = Exchange::get("https://shop.example/a?b=1")
        .header("via", "1.1 cdn")
        .header("x-forwarded", "for 192.0.2.1; host=shop.example")
        .header("via", "janua")
        .header("x-both", "/a")
        .header("x-both", "{b}");
    assert_eq!(got, expected);
}

/// The gateway has replaced the paths and variables by their contents.
#[test]
fn fields_from_files_and_variables() {
    let policy = configured(
        r#"{"request": {
            "set": {"authorization_file": "Bearer {x}\n", "x-a_env": "a"},
            "append": {"x-b_file": "b\r\n", "x-b": "{method}"}
        }}"#,
    );
    let got = policy
        .request(&Exchange::get("https://a.example/"))
        .exchange;
    let expected = Exchange::get("https://a.example/")
        .header("authorization", "Bearer {x}")
        .header("x-a", "a")
        .header("x-b", "GET")
        .header("x-b", "b");
    assert_eq!(got, expected);
}

#[test]
fn invalid_contents_are_refused_without_repeating_them() {
    for (json, said) in [
        (r#"{"x_file": "s3cret\ns3cret"}"#, "`request.set.x_file`"),
        (
            r#"{"x_file": "\n"}"#,
            "`request.set.x_file`: the file or variable is empty",
        ),
        (
            r#"{"x_file": ["s3cret"]}"#,
            "`request.set.x_file`: a reference is",
        ),
        (
            r#"{"x_file": "s3cret", "x": "b"}"#,
            "`request.set`: `x` is there twice",
        ),
        (r#"{"_file": "s3cret"}"#, "`request.set`"),
    ] {
        let json = format!(r#"{{"request": {{"set": {json}}}}}"#);
        let why = configure::<Headers>(&json).unwrap_err();
        assert!(why.starts_with(said) && !why.contains("s3cret"), "{why}");
    }
}

#[test]
fn a_verdict_on_a_request_has_no_inputs() {
    let policy = configured(r#"{"request": {"set": {"x": "{client_ip}{header:y}"}}}"#);
    let phase = policy.phase(Request).unwrap();
    assert!(phase.inputs.is_empty());
    assert_eq!(phase.references.len(), 2);
    assert!(policy.phase(Response).is_none());
}

#[test]
fn exactly_the_edited_fields_are_declared() {
    let policy = configured(
        r#"{"request": {"remove": ["X-Old"], "set": {"X-A": "1", "x-t_file": "t"}, "append": {"X-Old": "2"}},
            "response": {"set": {"X-Frame-Options": "DENY"}, "append": {"Link": ["a", "b"]}}}"#,
    );
    let declared =
        |phase: Option<&janua_sdk::contract::subscriptions::Phase>| phase.unwrap().may.join(" ");
    assert_eq!(
        declared(policy.phase(Request)),
        "edit:header:x-old edit:header:x-a edit:header:x-t"
    );
    assert_eq!(
        declared(policy.phase(Response)),
        "edit:response-header:x-frame-options edit:response-header:link"
    );
    assert!(policy.subscription().owns.is_empty());
}

#[test]
fn always_selects_the_statuses() {
    let all: Vec<u16> = (200..=599).collect();
    let usual = vec![200, 201, 204, 206, 301, 302, 303, 304, 307, 308];
    let cases = [
        ("", usual.clone()),
        (r#", "always": false"#, usual),
        (r#", "always": true"#, all.clone()),
        (r#", "always": [200, 404]"#, vec![200, 404]),
        (r#", "always": []"#, vec![]),
    ];
    for (always, expected) in cases {
        let json = format!(r#"{{"response": {{"set": {{"x-frame-options": "DENY"}}{always}}}}}"#);
        let policy = configured(&json);
        let edited = |status: &u16| {
            let exchange = Exchange::get("https://a.example/").answered(*status, "gateway");
            let got = policy.response(&exchange).exchange;
            got.response_lines("x-frame-options") == ["DENY"]
        };
        let got: Vec<u16> = all.iter().copied().filter(edited).collect();
        assert_eq!(got, expected, "{always}");
    }
}

#[test]
fn always_needs_no_input() {
    let policy = configured(r#"{"response": {"remove": ["Server"], "always": true}}"#);
    let phase = policy.phase(Response).unwrap();
    assert!(phase.inputs.is_empty());
}

#[test]
fn invalid_configurations_are_refused() {
    let cases = [
        ("{}", "nothing to do: give `request`, `response` or both"),
        (
            r#"{"request": {"set": {"x y": "a"}}}"#,
            "`request.set`: \"x y\" is not a field name",
        ),
        (
            r#"{"response": {"remove": ["Content-Length"]}}"#,
            "`response.remove`: `content-length` belongs to the gateway and cannot be edited",
        ),
        (
            r#"{"request": {"set": {"X-A": "1", "x-a": "2"}}}"#,
            "`request.set`: `x-a` is there twice",
        ),
        (
            r#"{"request": {"set": {"X-S": "{status}"}}}"#,
            "`request.set.X-S`: `status` is not known yet in the phase request",
        ),
        (
            r#"{"request": {"set": {"X-S": "{clientip}"}}}"#,
            "`request.set.X-S`: unknown placeholder `clientip`; did you mean `client_ip`?",
        ),
        (
            r#"{"request": {"always": true}}"#,
            "`request`: unknown field `always`; there are remove, set, append",
        ),
        (
            r#"{"response": {"append": {"Link": 1}}}"#,
            "`response.append.Link`: expected a string or a list of strings, found a whole number",
        ),
        (
            r#"{"response": {"always": "yes"}}"#,
            "`response.always`: expected true, false or a list of statuses, found a string",
        ),
        (
            r#"{"request": {"set": {"x": "a\nb"}}}"#,
            "`request.set.x`: a field value holds no line break or other control character",
        ),
    ];
    for (json, message) in cases {
        let error = configure::<Headers>(json).unwrap_err();
        assert_eq!(error, message, "{json}");
    }
}
