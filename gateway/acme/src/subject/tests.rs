use super::*;

const HOUR: i64 = 60 * 60;
const NOW: i64 = 1_790_000_000;

fn now() -> Now {
    Now {
        wall: NOW,
        monotonic: Instant::now(),
    }
}

impl Now {
    fn later(self, seconds: i64) -> Self {
        let wait = Duration::from_secs(seconds.unsigned_abs());
        Self {
            wall: self.wall + seconds,
            monotonic: self.monotonic + wait,
        }
    }
}

/// With a certificate for a bit more than a year, to be renewed in ten days.
fn subject() -> Subject {
    let certificate = janua_tls::self_signed::in_memory(&["a.example".to_owned()], NOW);
    let mut subject = Subject::new("default", "a.example", None);
    subject.succeed(Held {
        certificate: Arc::new(certificate.unwrap()),
        issuer: "default".to_owned(),
        directory: String::new(),
        renewal: Renewal {
            at: NOW + 10 * DAY,
            ..Renewal::default()
        },
        ask_at: None,
        look_at: None,
        unsaved: None,
        is_revoked: false,
    });
    subject
}

#[test]
fn without_a_certificate_one_is_ordered_at_once() {
    let subject = Subject::new("default", "a.example", None);
    assert!(subject.is_due(now()));
    assert!(!subject.is_to_be_asked_about(now()));
    assert_eq!(subject.status(now(), Vec::new()).state, State::Pending);
}

#[test]
fn it_is_renewed_at_its_moment_or_when_it_is_revoked() {
    let mut subject = subject();
    let now = now();
    assert!(!subject.is_due(now.later(10 * DAY - 1)));
    assert!(subject.is_due(now.later(10 * DAY)));
    subject.held.as_mut().unwrap().is_revoked = true;
    assert!(subject.is_due(now));
    assert_eq!(subject.status(now, Vec::new()).state, State::Revoked);
}

#[test]
fn a_clock_that_jumps_orders_nothing_twice() {
    let mut subject = subject();
    let now = now();
    // It jumps ten years ahead: due, but failures wait by the clock that cannot jump.
    let ahead = Now {
        wall: now.wall + 3650 * DAY,
        ..now
    };
    assert!(subject.is_due(ahead));
    subject.fail(Failure::new("unreachable", "no"), ahead, 0.0);
    assert!(!subject.is_due(ahead));
    // And back again: nothing is due.
    let back = Now {
        wall: now.wall - 3650 * DAY,
        monotonic: now.monotonic + Duration::from_secs(3600),
    };
    assert!(!subject.is_due(back));
}

#[test]
fn failures_wait_longer_and_as_long_as_the_authority_wants() {
    let mut subject = Subject::new("default", "a.example", None);
    let now = now();
    subject.fail(Failure::new("dns", "no"), now, 0.0);
    assert!(!subject.is_due(now.later(59)) && subject.is_due(now.later(60)));
    subject.fail(Failure::new("dns", "no"), now, 0.0);
    assert!(!subject.is_due(now.later(119)) && subject.is_due(now.later(120)));
    let limited = Failure {
        retry_after: Some(Duration::from_secs(7200)),
        ..Failure::new("rateLimited", "no")
    };
    subject.fail(limited.clone(), now, 0.0);
    assert!(!subject.is_due(now.later(7199)) && subject.is_due(now.later(7200)));
    let for_ever = Failure {
        retry_after: Some(Duration::MAX),
        ..limited
    };
    subject.fail(for_ever, now, 0.0);
    assert!(subject.is_due(now.later(DAY)));
    let status = subject.status(now, Vec::new());
    assert_eq!((status.state, status.failures), (State::Failing, 4));
    assert_eq!(status.next_attempt, Some(NOW + DAY));
}

#[test]
fn with_little_life_left_it_is_tried_often() {
    let mut subject = subject();
    subject.failures = 20;
    let late = now().later(390 * DAY);
    subject.fail(Failure::new("dns", "no"), late, 0.0);
    assert!(subject.is_due(late.later(HOUR / 2)));
    assert!(!subject.is_to_be_asked_about(late));
}

#[test]
fn the_end_is_told_whatever_was_told_before() {
    let mut subject = subject();
    let now = now();
    // The last fifth of about 397 days.
    let near = now.later(330 * DAY);
    assert_eq!(
        subject.alarm(near.wall),
        None,
        "it was not tried to renew it"
    );
    subject.fail(Failure::new("dns", "no"), near, 0.0);
    subject.told = Some(near.wall);
    assert_eq!(subject.alarm(now.wall), None, "there is time");
    assert_eq!(subject.alarm(near.wall), Some(EventState::Expiring));
    subject.alarmed = Some((EventState::Expiring, near.wall));
    assert_eq!(subject.alarm(near.wall + DAY - 1), None);
    assert_eq!(subject.alarm(near.wall + DAY), Some(EventState::Expiring));
    let over = now.wall + 400 * DAY;
    subject.alarmed = Some((EventState::Expiring, over));
    assert_eq!(subject.alarm(over), Some(EventState::Expired));
}

#[test]
fn the_moment_stays_while_the_window_does() {
    let mut subject = subject();
    let held = subject.held.as_mut().unwrap();
    let window = Window {
        start: NOW,
        end: NOW + 1000,
    };
    assert!(held.set_window(window, None, 0.5));
    assert_eq!(held.renewal.at, NOW + 500);
    assert!(!held.set_window(window, None, 0.9));
    assert_eq!(held.renewal.at, NOW + 500);
}

#[test]
fn a_window_beyond_its_life_does_not_let_it_expire() {
    let mut subject = subject();
    let now = now();
    let until = subject.held.as_ref().unwrap().life().until;
    let never = Window {
        start: until + DAY,
        end: i64::from(u32::MAX) * 60,
    };
    subject.held.as_mut().unwrap().set_window(never, None, 0.5);
    assert!(!subject.is_due(now));
    assert!(subject.is_due(now.later(until - NOW - 10 * DAY)));
    // Nor does what the store says.
    subject.held.as_mut().unwrap().renewal.at = i64::MAX;
    assert!(subject.is_due(now.later(until - NOW - 10 * DAY)));
}

#[test]
fn certificates_that_are_due_as_soon_as_they_are_issued() {
    let mut subject = subject();
    let ahead = now().later(3650 * DAY);
    let mut clock = ahead;
    let mut orders = 0;
    while clock.monotonic < ahead.monotonic + Duration::from_secs(24 * 60 * 60) {
        if subject.is_due(clock) {
            orders += 1;
            subject.not_before = None;
            assert_eq!(subject.note_issue(clock, 0.0), orders);
        }
        clock = clock.later(1);
    }
    assert!(orders < 15, "{orders}");
    // A clock that jumps does not hasten them.
    subject.forgive();
    assert!(!subject.is_due(clock));
}

#[test]
fn renewals_in_good_time_are_not_hasty() {
    let mut subject = subject();
    let mut clock = now();
    for _ in 0..3 {
        assert_eq!(subject.note_issue(clock, 0.0), 0);
        clock.monotonic += Duration::from_secs(300 * 24 * 60 * 60);
    }
    assert_eq!(subject.note_issue(clock, 0.0), 0);
    // An authority that wants each to be renewed at once.
    assert_eq!(subject.note_issue(clock.later(1), 0.0), 1);
    assert_eq!(subject.note_issue(clock.later(60), 0.0), 2);
}

#[test]
fn a_clock_that_jumps_does_not_lift_the_limits_of_an_authority() {
    let mut subject = Subject::new("default", "a.example", None);
    let now = now();
    subject.fail(Failure::new("unreachable", "no"), now, 0.0);
    subject.forgive();
    assert!(subject.is_due(now));
    let limited = Failure {
        retry_after: Some(Duration::from_secs(7200)),
        ..Failure::new("rateLimited", "no")
    };
    subject.fail(limited, now, 0.0);
    subject.forgive();
    assert!(!subject.is_due(now));
}
