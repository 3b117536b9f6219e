use janua_config::Sources;

use super::*;
use crate::compile;
use crate::provision::Bundled;
use crate::testing::Kit;

/// Two routes that divide their requests, with these weights of the first and these lines.
fn config([one, two]: [u32; 2], lines: &str) -> String {
    format!(
        "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
         [upstreams]\n\
         v1.endpoints = \"10.0.0.1:1\"\n\
         v2.endpoints = \"10.0.0.2:1\"\n\
         [[sites]]\nhosts = [\"a.example\"]\n\
         [[sites.routes]]\npath = \"/api\"\n{lines}\n\
         upstream = {{ split = [{{ upstream = \"v1\", weight = {one} }}, \
         {{ upstream = \"v2\", weight = {two} }}] }}\n\
         [[sites.routes]]\nname = \"rest\"\n\
         upstream = {{ split = [{{ upstream = \"v1\" }}, {{ upstream = \"v2\" }}] }}\n"
    )
}

fn kit(config: &str) -> Kit {
    let kit = Kit::of(config);
    let estate = &kit.worker.estate;
    estate.publish(Arc::clone(&kit.worker.snapshot().snapshot));
    kit
}

/// Reloads with another configuration.
fn reload(kit: &Kit, config: &str) {
    let sources = Sources::single("janua.toml", config);
    let loaded = janua_config::parse(sources).expect("a configuration");
    let bundled = Bundled {
        names: &[],
        component: &|_| None,
    };
    let estate = &kit.worker.estate;
    let previous = estate.snapshot();
    let snapshot = compile(&loaded, estate, &bundled, previous.as_deref()).expect("a snapshot");
    estate.publish(Arc::new(snapshot));
}

/// The present weights of the routes that divide their requests.
fn weights(kit: &Kit) -> Vec<(String, Vec<u32>)> {
    let splits = kit.worker.estate.splits().into_iter();
    splits
        .map(|split| {
            let weights = split.shares.iter().map(|share| share.weight);
            (split.name(), weights.collect())
        })
        .collect()
}

fn expected(api: [u32; 2], rest: [u32; 2]) -> Vec<(String, Vec<u32>)> {
    vec![
        ("a.example/api".to_owned(), api.to_vec()),
        ("a.example/rest".to_owned(), rest.to_vec()),
    ]
}

#[test]
fn weights_are_set_by_the_names_of_route_and_upstream() {
    let kit = kit(&config([95, 5], ""));
    let set = |route, upstream, weight| {
        let estate = &kit.worker.estate;
        estate.set_split_weight(route, upstream, weight)
    };
    assert_eq!(weights(&kit), expected([95, 5], [1, 1]));
    for (route, weight) in [("a.example/api", 6), ("a.example//api", 7)] {
        let split = set(route, "v2", weight).unwrap();
        let share = ShareStatus {
            upstream: "v2".into(),
            weight,
            configured: 5,
        };
        assert_eq!(split.shares[1], share);
    }
    set("a.example/rest", "v1", 0).unwrap();
    assert_eq!(weights(&kit), expected([95, 7], [0, 1]));
    for (route, upstream, words) in [
        (
            "a.example",
            "v1",
            "those that do are a.example/api, a.example/rest",
        ),
        ("a.example/", "v1", "those that do are a.example/api"),
        ("a.example/api/", "v1", "no route of this name"),
        ("a.exampleapi", "v1", "no route of this name"),
        ("a.examplerest", "v1", "no route of this name"),
        ("/api", "v1", "no route of this name"),
        ("", "v1", "no route of this name"),
        ("a.example/api", "v3", "it has v1, v2"),
        ("a.example/rest", "v2", "every request would fail"),
    ] {
        let refused = set(route, upstream, 0).unwrap_err().to_string();
        assert!(refused.contains(words), "{route} {upstream}: {refused}");
    }
    assert_eq!(weights(&kit), expected([95, 7], [0, 1]));
}

#[test]
fn a_weight_that_was_set_lasts_until_the_split_changes() {
    let kit = kit(&config([95, 5], ""));
    let set = |weight| {
        let estate = &kit.worker.estate;
        estate.set_split_weight("a.example/api", "v2", weight)
    };
    set(50).unwrap();
    let before = kit.worker.estate.snapshot().unwrap();
    reload(&kit, &config([95, 5], "max_body = 7"));
    assert_eq!(weights(&kit), expected([95, 50], [1, 1]));
    // Requests that still use the snapshot from before are divided in the same way.
    set(60).unwrap();
    let of_before: Vec<_> = before.splits().collect();
    assert_eq!(of_before[0].shares[1].weight, 60);
    reload(&kit, &config([90, 10], ""));
    assert_eq!(weights(&kit), expected([90, 10], [1, 1]));
    set(70).unwrap();
    // Another value by which they are divided makes another split, and so does another route.
    let by = |by: &str| config([90, 10], "").replacen("}] }", &format!("}}], by = \"{by}\" }}"), 1);
    reload(&kit, &by("header:x-user"));
    assert_eq!(weights(&kit), expected([90, 10], [1, 1]));
    set(70).unwrap();
    reload(&kit, &by("header:X-User"));
    assert_eq!(weights(&kit), expected([90, 70], [1, 1]));
    assert_eq!(
        kit.worker.estate.splits()[0].by.as_deref(),
        Some("header:x-user")
    );
    reload(&kit, &by("cookie:user"));
    assert_eq!(weights(&kit), expected([90, 10], [1, 1]));
    set(70).unwrap();
    reload(&kit, &config([90, 10], "name = \"other\""));
    let labels: Vec<_> = weights(&kit);
    assert_eq!(labels[0], ("a.example/other".to_owned(), vec![90, 10]));
}

#[test]
fn routes_with_one_label_are_told_apart_by_their_order() {
    let same = |first: &str| {
        let config = config([95, 5], "methods = [\"POST\"]");
        let second = "[[sites.routes]]\npath = \"/api\"\n\
                      upstream = { split = [{ upstream = \"v1\" }, { upstream = \"v2\" }] }\n";
        format!("{config}{first}{second}")
    };
    let kit = kit(&same(""));
    let estate = &kit.worker.estate;
    let refused = estate.set_split_weight("a.example/api", "v2", 1);
    assert_eq!(refused, Err(SetWeightError::Ambiguous));
    let split = estate.snapshot().unwrap();
    let (_, _, first) = split.split_routes().next().unwrap();
    assert_eq!(first.weights.set_weight("v2", 50), Ok(true));
    reload(&kit, &same(""));
    let splits = estate.splits();
    assert_eq!(splits[0].shares[1].weight, 50);
    assert_eq!(splits[2].shares[1].weight, 1);
}

#[test]
fn without_a_split_there_is_nothing_to_set() {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
    let estate = &kit.worker.estate;
    assert_eq!(estate.splits(), []);
    let refused = estate.set_split_weight("*/", "app", 1).unwrap_err();
    assert!(
        refused.to_string().starts_with("no route divides"),
        "{refused}"
    );
}
