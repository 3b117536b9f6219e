use super::*;

const RULE: Outliers = Outliers {
    interval: Duration::from_secs(10),
    eject: Duration::from_secs(30),
    ..Outliers::DEFAULT
};
const RESET: EjectionReason = EjectionReason::Reset;

#[test]
fn an_ejection_ends_with_one_successful_probe() {
    let mut standing = Standing::default();
    assert_eq!(standing.admits(0).entry, Entry::Open);
    standing.eject(RESET, 1_000, &RULE);
    assert_eq!(standing.admits(30_999).entry, Entry::LastResort);
    assert!(!standing.claim(30_999, &RULE));
    assert!(!standing.probed(None, 30_999, &RULE), "an earlier request");

    assert_eq!(standing.admits(31_000).entry, Entry::Probe);
    assert!(standing.claim(31_000, &RULE));
    assert!(!standing.claim(31_001, &RULE), "there is one probe");
    assert_eq!(standing.admits(31_001).entry, Entry::LastResort);
    let ejection = standing.ejection().unwrap();
    assert_eq!((ejection.why, ejection.since_ms), (RESET, 1_000));

    assert!(standing.probed(None, 31_002, &RULE));
    assert_eq!(standing.admits(31_002).entry, Entry::Open);
    assert_eq!(standing.ejection(), None);
}

#[test]
fn a_probe_that_was_not_sent_is_given_back_and_one_without_a_result_is_repeated() {
    let mut standing = Standing::default();
    standing.eject(RESET, 0, &RULE);
    assert!(standing.claim(30_000, &RULE));
    standing.unclaim(30_001);
    assert!(standing.claim(30_001, &RULE));
    assert_eq!(standing.admits(60_000).entry, Entry::LastResort);
    assert!(standing.claim(60_001, &RULE));
}

/// All endpoints are tried, and the client goes away.
#[test]
fn a_request_without_a_result_does_not_shorten_an_ejection() {
    let mut standing = Standing::default();
    for _ in 0..3 {
        standing.eject(RESET, 0, &RULE);
    }
    standing.probe(1_000, &RULE);
    assert_eq!(standing.admits(89_999).entry, Entry::LastResort);
    assert_eq!(standing.admits(90_000).entry, Entry::Probe);
}

#[test]
fn each_ejection_is_longer_and_good_behaviour_makes_up_for_them() {
    let mut standing = Standing::default();
    let mut now_ms = 1_000_000;
    let mut lengths = Vec::new();
    for _ in 0..12 {
        standing.eject(RESET, now_ms, &RULE);
        let ejection = standing.ejection().unwrap();
        lengths.push((ejection.until_ms - now_ms) / 1000);
        now_ms = ejection.until_ms;
        assert!(standing.claim(now_ms, &RULE));
        assert!(standing.probed(None, now_ms, &RULE));
    }
    let expected = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300];
    assert_eq!(lengths, expected);
    // 12 ejections: 9 intervals leave 3 of them, to which the next is added.
    standing.eject(RESET, now_ms + 9 * 10_000, &RULE);
    assert_eq!(standing.ejection().unwrap().times, 4);
    standing.readmit(now_ms);
    standing.eject(RESET, now_ms + 3_600_000, &RULE);
    assert_eq!(standing.ejection().unwrap().times, 1);
}

#[test]
fn a_probe_that_fails_makes_the_ejection_longer_from_then_on() {
    let mut standing = Standing::default();
    standing.eject(RESET, 0, &RULE);
    assert!(standing.claim(30_000, &RULE));
    let timeout = Some(EjectionReason::Timeout);
    assert!(!standing.probed(timeout, 31_000, &RULE));
    let ejection = standing.ejection().unwrap();
    assert_eq!(ejection.until_ms, 31_000 + 60_000);
    assert_eq!(ejection.why, EjectionReason::Timeout);
    assert_eq!(ejection.since_ms, 0, "it has been out all the time");
}

#[test]
fn no_ejection_is_longer_than_five_minutes_or_than_the_first() {
    for (eject, longest) in [(30, 300), (200, 300), (900, 900)] {
        let rule = Outliers {
            eject: Duration::from_secs(eject),
            ..RULE
        };
        let mut standing = Standing::default();
        for _ in 0..1000 {
            standing.eject(RESET, 0, &rule);
        }
        let until_ms = standing.ejection().unwrap().until_ms;
        assert_eq!(until_ms, longest * 1000, "{eject}");
    }
}

#[test]
fn a_pause_counts_as_no_ejection_and_never_shortens_one() {
    let mut standing = Standing::default();
    standing.pause(Duration::from_secs(5), 0, &RULE);
    let ejection = standing.ejection().unwrap();
    assert_eq!(ejection.until_ms, 5_000);
    assert_eq!(
        (ejection.why, ejection.times),
        (EjectionReason::RetryAfter, 0)
    );
    standing.pause(Duration::from_secs(1), 1_000, &RULE);
    assert_eq!(standing.ejection().unwrap().until_ms, 5_000);
    standing.pause(Duration::from_secs(20), 1_000, &RULE);
    assert_eq!(standing.ejection().unwrap().until_ms, 21_000);
    // A probe that is answered with it again is a pause again.
    assert!(standing.claim(21_000, &RULE));
    standing.pause(Duration::from_secs(20), 21_000, &RULE);
    assert_eq!(standing.admits(40_999).entry, Entry::LastResort);
    assert_eq!(standing.ejection().unwrap().times, 0);
}
