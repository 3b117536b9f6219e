use janua_upstream::{Address, FailingRequests, Ill};

use super::*;

fn change(port: u16, from: Shown, is_up: bool) -> Transition {
    Transition {
        upstream: "app".into(),
        endpoint: Address::Ip(([127, 0, 0, 1], port).into()),
        from,
        ill: (!is_up).then_some(Ill::Requests(FailingRequests {
            word: "refused",
            count: 1,
            since_ms: Some(0),
            is_ejected: true,
        })),
        lasted_ms: 0,
        failing_ms: 0,
        is_draining: false,
    }
}

fn down(port: u16) -> Transition {
    change(port, Shown::Up, false)
}

fn up(port: u16) -> Transition {
    change(port, Shown::Down, true)
}

/// What is told of single endpoints: whether it is up, and how much was left out.
fn singles(notices: &[Notice]) -> Vec<(bool, u32)> {
    let single = |notice: &Notice| match notice {
        Notice::One {
            transition,
            left_out,
            ..
        } => (transition.to() == Shown::Up, *left_out),
        Notice::Several { .. } => panic!("several: {notices:?}"),
    };
    notices.iter().map(single).collect()
}

#[test]
fn a_flapping_endpoint_is_told_of_once_a_minute_and_its_last_state_always() {
    let mut notices = Notices::default();
    assert_eq!(notices.due_ms(), None);
    notices.offer(&down(1), 0);
    assert_eq!(notices.take(500), []);
    assert_eq!(notices.due_ms(), Some(1_000));
    assert_eq!(singles(&notices.take(1_000)), [(false, 0)]);
    assert_eq!(notices.due_ms(), None);
    for turn in 1..10 {
        notices.offer(&up(1), turn * 2_000);
        notices.offer(&down(1), turn * 2_000 + 1_000);
    }
    notices.offer(&up(1), 30_000);
    assert_eq!(notices.due_ms(), Some(61_000));
    assert_eq!(notices.take(60_999), []);
    assert_eq!(singles(&notices.take(61_000)), [(true, 18)]);
    assert_eq!(notices.due_ms(), None);
    // After a quiet minute a change is told at once.
    assert_eq!(notices.take(200_000), []);
    assert!(notices.endpoints.is_empty());
    notices.offer(&down(1), 200_000);
    assert_eq!(singles(&notices.take(201_000)), [(false, 0)]);
}

#[test]
fn many_that_fail_together_are_told_of_together() {
    let mut notices = Notices::default();
    for port in 1..=1000 {
        notices.offer(&down(port), u64::from(port));
    }
    let told = notices.take(2_000);
    assert_eq!(told.len(), MOST);
    let Some((Notice::Several { transitions, at_ms }, first)) = told.split_last() else {
        panic!("no summary: {told:?}");
    };
    assert_eq!(*at_ms, 1000, "that of the last change");
    assert_eq!(singles(first), [(false, 0); MOST - 1]);
    assert_eq!(transitions.len(), 1000 - (MOST - 1));
    assert_eq!(transitions[0].endpoint.to_string(), "127.0.0.1:10");
    // There is no more room in this minute, and all of it in the next one.
    for port in 1..=3 {
        notices.offer(&up(port), 3_000);
    }
    notices.offer(&down(2_000), 3_000);
    assert_eq!(notices.take(61_999), []);
    assert_eq!(notices.due_ms(), Some(62_000));
    assert_eq!(notices.take(62_000).len(), 4);
}

#[test]
fn messages_wait_while_more_endpoints_fail_but_not_for_ever() {
    let mut notices = Notices::default();
    for (port, now_ms) in [(1, 0), (2, 900), (3, 1_800)] {
        notices.offer(&down(port), now_ms);
        // Further changes of the same endpoint are no reason to wait.
        notices.offer(&up(1), now_ms + 50);
    }
    assert_eq!(notices.due_ms(), Some(2_800));
    for (port, now_ms) in [(4, 2_700), (5, 3_600), (6, 4_500)] {
        notices.offer(&down(port), now_ms);
    }
    assert_eq!(
        (notices.take(4_999), notices.due_ms()),
        (vec![], Some(5_000))
    );
    assert_eq!(notices.take(5_000).len(), 6);
}

#[test]
fn that_a_new_endpoint_works_is_no_news() {
    let mut notices = Notices::default();
    notices.offer(&change(1, Shown::New, true), 0);
    assert_eq!(notices.due_ms(), None);
    notices.offer(&change(1, Shown::New, false), 0);
    assert_eq!(singles(&notices.take(1_000)), [(false, 0)]);
}

#[test]
fn a_message_has_the_time_of_the_change() {
    let mut notices = Notices::default();
    notices.offer(&down(1), 7);
    // A receiver has hung meanwhile.
    let told = notices.take(90_000);
    assert!(matches!(&*told, [Notice::One { at_ms: 7, .. }]), "{told:?}");
}

#[test]
fn what_ends_because_it_was_taken_out_is_not_told() {
    let mut notices = Notices::default();
    let is_out = Transition {
        is_draining: true,
        ..down(1)
    };
    notices.offer(&is_out, 0);
    assert_eq!(notices.due_ms(), None);
    // It is let in, and nothing is known of the new instance.
    notices.offer(&change(1, Shown::New, true), 30_000);
    assert_eq!(notices.due_ms(), None);
    assert!(notices.endpoints.is_empty());
    // That a new instance does not work is told.
    notices.offer(&change(1, Shown::New, false), 60_000);
    assert_eq!(singles(&notices.take(61_000)), [(false, 0)]);
    // So is that it works in the end, however it was replaced.
    notices.take(300_000);
    notices.offer(&change(1, Shown::New, true), 300_000);
    assert_eq!(singles(&notices.take(301_000)), [(true, 0)]);
}

#[test]
fn of_very_many_that_stay_down_only_the_last_are_remembered() {
    let mut notices = Notices::default();
    for minute in 0..30 {
        for port in 0..1_000 {
            notices.offer(&down(minute * 1_000 + port), u64::from(minute) * MINUTE_MS);
        }
        notices.take(u64::from(minute) * MINUTE_MS + 50_000);
    }
    assert!(notices.endpoints.len() <= MOST_KNOWN + 2_000);
}
