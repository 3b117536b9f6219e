use std::time::Duration;

use super::{Answer, Family, Found, Listed, MOST_FOUND, Memory, Outcome, Question, Service};

fn hosts() -> Question {
    Question::Addresses {
        host: "pods.internal".to_owned(),
        port: 80,
        family: Family::Any,
    }
}

fn services() -> Question {
    Question::Services {
        name: "_http._tcp.app.internal".to_owned(),
    }
}

fn addresses(text: &str) -> Answer {
    Answer::Addresses(
        text.split_whitespace()
            .map(|ip| ip.parse().unwrap())
            .collect(),
    )
}

fn answer(text: &str) -> Outcome {
    Outcome::Answer(addresses(text), Duration::from_secs(60))
}

fn gone() -> Outcome {
    Outcome::Gone("no such name".to_owned())
}

fn failed() -> Outcome {
    Outcome::Failed("server failure".to_owned())
}

fn shown(found: &[Found]) -> Vec<String> {
    found.iter().map(|it| it.address.to_string()).collect()
}

/// Notes outcomes at times in seconds, and compares what is known after each.
fn story(steps: &[(u64, Outcome, &str, Option<&str>)]) {
    let mut memory = Memory::default();
    for (at, outcome, expected, error) in steps {
        let now = Duration::from_secs(*at);
        let Listed { found, error: said } = memory.note(&hosts(), outcome.clone(), now);
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(shown(&found), expected, "at {at}");
        assert_eq!(said.as_deref(), *error, "at {at}");
    }
}

#[test]
fn addresses_are_sorted_and_each_is_there_once() {
    story(&[
        (
            0,
            answer("10.0.0.10 10.0.0.9 ::1 10.0.0.10"),
            "10.0.0.9:80 10.0.0.10:80 [::1]:80",
            None,
        ),
        (9, answer("10.0.0.11"), "10.0.0.11:80", None),
    ]);
}

#[test]
fn a_failure_keeps_what_is_known_for_as_long_as_it_lasts() {
    story(&[
        (0, failed(), "", Some("server failure")),
        (1, answer("10.0.0.9"), "10.0.0.9:80", None),
        (60, failed(), "10.0.0.9:80", Some("server failure")),
        (9_000, failed(), "10.0.0.9:80", Some("server failure")),
        (9_001, answer("10.0.0.9"), "10.0.0.9:80", None),
    ]);
}

#[test]
fn that_there_is_nothing_any_more_counts_after_a_while() {
    story(&[
        (0, answer("10.0.0.9"), "10.0.0.9:80", None),
        (60, gone(), "10.0.0.9:80", Some("no such name")),
        (89, gone(), "10.0.0.9:80", Some("no such name")),
        // What nobody says does not interrupt it.
        (90, failed(), "10.0.0.9:80", Some("server failure")),
        (91, gone(), "", Some("no such name")),
        (92, answer("10.0.0.8"), "10.0.0.8:80", None),
        // It begins anew.
        (99, gone(), "10.0.0.8:80", Some("no such name")),
        (
            100,
            answer(""),
            "10.0.0.8:80",
            Some("there are no endpoints in the answer"),
        ),
        (110, answer("10.0.0.7"), "10.0.0.7:80", None),
        (130, gone(), "10.0.0.7:80", Some("no such name")),
    ]);
}

#[test]
fn a_family_that_could_not_be_looked_up_keeps_its_addresses() {
    let partial = |text: &str, missing| {
        let ttl = Duration::from_secs(60);
        Outcome::Partial(addresses(text), ttl, missing, "timeout".to_owned())
    };
    story(&[
        (
            0,
            answer("10.0.0.9 ::1 ::2"),
            "10.0.0.9:80 [::1]:80 [::2]:80",
            None,
        ),
        (
            1,
            partial("10.0.0.8", Family::Ipv6),
            "10.0.0.8:80 [::1]:80 [::2]:80",
            Some("timeout"),
        ),
        (
            2,
            partial("::3", Family::Ipv4),
            "10.0.0.8:80 [::3]:80",
            Some("timeout"),
        ),
        (3, answer("::3"), "[::3]:80", None),
    ]);
}

#[test]
fn records_have_weights_and_those_of_a_worse_priority_are_backups() {
    let service = |priority, weight, port, target: &str| Service {
        priority,
        weight,
        port,
        target: target.to_owned(),
    };
    let answer = Answer::Services(vec![
        service(20, 5, 80, "c.internal"),
        service(10, 60, 80, "b.internal"),
        service(10, 0, 81, "a.internal"),
        // The same at a worse priority.
        service(30, 9, 80, "b.internal"),
    ]);
    let found = services().found(answer);
    let found = found
        .iter()
        .map(|it| (it.address.to_string(), it.weight, it.backup));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            ("a.internal:81".to_owned(), Some(1), false),
            ("b.internal:80".to_owned(), Some(60), false),
            ("c.internal:80".to_owned(), Some(5), true),
        ]
    );
}

/// Name servers change the order of records from query to query, which must not look like a
/// change.
#[test]
fn the_order_of_an_answer_does_not_matter() {
    let service = |weight, port, target: &str| Service {
        priority: 10,
        weight,
        port,
        target: target.to_owned(),
    };
    let mut records = vec![
        service(1, 80, "a.internal"),
        service(7, 80, "a.internal"),
        service(3, 80, "a.internal"),
        service(2, 81, "a.internal"),
    ];
    let first = services().found(Answer::Services(records.clone()));
    for _ in 0..records.len() {
        records.rotate_left(1);
        assert_eq!(services().found(Answer::Services(records.clone())), first);
    }
    assert_eq!(first.len(), 2);
    assert_eq!(first[0].weight, Some(7));
}

#[test]
fn an_answer_has_a_bound_and_the_first_are_used() {
    let many = |count: u32| {
        let each = (0..count).map(|at| format!("10.0.{}.{}", at / 250, at % 250));
        addresses(&each.collect::<Vec<_>>().join(" "))
    };
    let ttl = Duration::from_secs(60);
    let mut memory = Memory::default();
    let mut note = |outcome| {
        let listed = memory.note(&hosts(), outcome, ttl);
        assert_eq!(listed.found.len(), MOST_FOUND);
        shown(&listed.found)
    };
    let found = note(Outcome::Answer(many(2_000), ttl));
    assert_eq!((&*found[0], &*found[999]), ("10.0.0.0:80", "10.0.3.249:80"));
    // Those of the other family that stay count too.
    let error = "timeout".to_owned();
    let found = note(Outcome::Partial(addresses("::1"), ttl, Family::Ipv4, error));
    assert_eq!(found[999], "10.0.3.249:80");
}
