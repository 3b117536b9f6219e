//! The contract grows by names: a component that was built for a later version works in this
//! gateway as long as it uses nothing that is younger, and is refused by the name of what it
//! uses otherwise.

use janua_tests::{Gateway, Proxy, Upstream, component};

use crate::policies_load::errors;

fn config(endpoint: &str, uses: &str) -> String {
    format!(
        "[policies.later]\ncomponent = \"{}\"\ngrants = [\"edit:header:x-later\"]\nconfig = {{ {uses} }}\n{}",
        component("later").display(),
        Proxy::to(endpoint).route("policies = [\"later\"]")
    )
}

#[tokio::test]
async fn what_is_younger_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, words) in [
        ("phase", "to take part in the phase `mirror`"),
        ("input", "this version does not know the input \"mirror\""),
        (
            "reference",
            "this version does not know the input \"mirror\"",
        ),
        ("permission", "mirror"),
        ("declaration", "the declaration `mirror`"),
        (
            "part",
            "this version does not know the part of a value \"mirror\"",
        ),
        ("edit", "this version does not know the edit \"mirror\""),
        (
            "response_edit",
            "this version does not know the edit \"mirror\"",
        ),
        ("effect", "this version does not know the effect \"mirror\""),
        (
            "outcome",
            "this version does not know the outcome \"mirror\"",
        ),
        ("reuse", "this version does not know the reuse \"mirror\""),
    ] {
        let uses = format!("{kind} = \"mirror\"");
        let found = errors(folder.path(), &config("127.0.0.1:9", &uses)).await;
        assert_eq!(found.len(), 1, "{kind}: {found:#?}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.starts_with("policy `later`: "), "{kind}: {message}");
        assert!(message.contains(words), "{kind}: {message}");
    }
    // A permission of a kind that exists.
    let uses = "permission = \"effect:mirror\"";
    let found = errors(folder.path(), &config("127.0.0.1:9", uses)).await;
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains("`effect:mirror`"), "{message}");
}

#[tokio::test]
async fn what_is_not_used_does_no_harm() {
    let upstream = Upstream::echo().await;
    let mut gateway = Gateway::start(config(&upstream.endpoint(), "")).await;
    let later =
        async |gateway: &Gateway| gateway.get("/").await.json()["headers"]["x-later"].clone();
    assert_eq!(later(&gateway).await, "1");
    // A reload that uses something younger is refused, and the old configuration goes on.
    let younger = config(&upstream.endpoint(), "effect = \"mirror\"");
    let refused = gateway.try_reload(younger).await.unwrap_err();
    let message = refused["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("the effect \"mirror\""), "{message}");
    assert_eq!(later(&gateway).await, "1");
    // The phases that it takes part in are told to it by their place.
    let known = config(&upstream.endpoint(), "phase = \"response\"");
    gateway.reload(known).await;
    assert_eq!(later(&gateway).await, "1");
}
