use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::testing::{self, MIB, Tests};
use crate::{Found, Purge, Scope};

fn join(cache: &Tests, key: &mut Key, as_value: &'static str) -> Joined<&'static str> {
    loop {
        let _ = cache.find(key, &mut testing::value(as_value), 0);
        match cache.join(key) {
            Joined::Again => {}
            joined => return joined,
        }
    }
}

fn follow(cache: &Tests, key: &mut Key, as_value: &'static str) -> Follow<&'static str> {
    match join(cache, key, as_value) {
        Joined::Follower(follow) => follow,
        other => panic!("{other:?}"),
    }
}

/// The landing of a flight, if it has landed by now.
fn landed(
    follow: Follow<&'static str>,
    key: &mut Key,
    as_value: &'static str,
) -> Option<Landing<&'static str>> {
    let mut variant = testing::value(as_value);
    let mut future = Box::pin(follow.landing(key, &mut variant));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(landing) => Some(landing),
        Poll::Pending => None,
    }
}

fn store(lead: Lead<&'static str>, variance: &Variance, as_value: &'static str) -> Arc<Entry> {
    lead.store_whole(
        testing::new(&testing::fields(), &[]),
        variance,
        &mut testing::value(as_value),
        b"body",
    )
    .unwrap()
}

#[test]
fn each_outcome_reaches_the_waiters() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    let lead = |cache: &Tests| testing::lead(cache, &mut testing::key("/"), "");

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    let still = follow(&cache, key, "");
    assert!(landed(still, key, "").is_none());
    leader.fail("refused");
    assert!(matches!(
        landed(waits, key, ""),
        Some(Landing::Failed("refused"))
    ));

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    drop(leader);
    assert!(matches!(landed(waits, key, ""), Some(Landing::Retry)));

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    leader.pass(0, 0);
    assert!(matches!(landed(waits, key, ""), Some(Landing::Pass)));

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    leader.leader_only();
    assert!(matches!(landed(waits, key, ""), Some(Landing::LeaderOnly)));
    let found = cache.find(key, &mut testing::value(""), 0);
    assert!(matches!(found, Found::Miss { .. }), "later ones collapse");

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    let fill = leader
        .store(
            testing::new(&testing::fields(), &[]),
            &Variance::default(),
            &mut testing::value(""),
            None,
        )
        .unwrap();
    match landed(waits, key, "") {
        Some(Landing::Entry(entry)) => assert!(Arc::ptr_eq(&entry, fill.entry())),
        other => panic!("{other:?}"),
    }
    drop(fill);

    let leader = lead(&cache);
    let waits = follow(&cache, key, "");
    let refused = leader.store(
        testing::new(&testing::fields(), &[]),
        &Variance::default(),
        &mut testing::value(""),
        Some(100 * MIB),
    );
    assert_eq!(refused.unwrap_err(), Refused::TooLarge);
    assert!(matches!(landed(waits, key, ""), Some(Landing::Pass)));
    assert_eq!(cache.status().flights, 0);
}

#[test]
fn a_pass_is_remembered_for_its_time() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    testing::lead(&cache, key, "").pass(1000, 500);
    assert!(matches!(
        cache.find(key, &mut testing::value(""), 1499),
        Found::Pass
    ));
    assert!(matches!(
        cache.find(key, &mut testing::value(""), 1500),
        Found::Miss { vary: false }
    ));
    testing::store(&cache, "/", &[], b"stored");
    assert!(testing::find(&cache, "/").is_some());
}

#[test]
fn one_who_looked_before_a_landing_looks_again() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    assert!(matches!(
        cache.find(key, &mut testing::value(""), 0),
        Found::Miss { .. }
    ));
    testing::store(&cache, "/", &[], b"stored");
    assert!(matches!(cache.join(key), Joined::Again));
    assert!(matches!(
        cache.find(key, &mut testing::value(""), 0),
        Found::Entry(_)
    ));
}

#[test]
fn a_waiter_for_another_variant_looks_again() {
    let cache = testing::memory(16 * MIB);
    let variance = Variance::new([&b"Accept-Language"[..]], false);
    let leader = testing::lead(&cache, &mut testing::key("/"), "de");
    let (mut german, mut french) = (testing::key("/"), testing::key("/"));
    let waits = follow(&cache, &mut german, "de");
    let other = follow(&cache, &mut french, "fr");
    store(leader, &variance, "de");
    assert!(matches!(
        landed(waits, &mut german, "de"),
        Some(Landing::Entry(_))
    ));
    assert!(matches!(
        landed(other, &mut french, "fr"),
        Some(Landing::Retry)
    ));
    // The variance is known now, so that each variant has a flight of its own.
    let french_lead = testing::lead(&cache, &mut french, "fr");
    let italian_lead = testing::lead(&cache, &mut testing::key("/"), "it");
    drop((french_lead, italian_lead));
}

#[test]
fn a_purge_while_the_upstream_is_asked_reaches_the_answer() {
    let cache = testing::memory(16 * MIB);
    let leader = testing::lead(&cache, &mut testing::key("/"), "");
    cache.invalidate(b"https", b"shop.example", b"/", None);
    store(leader, &Variance::default(), "");
    assert!(testing::find(&cache, "/").is_none());

    let leader = testing::lead(&cache, &mut testing::key("/"), "");
    cache.purge(&Scope::Tag(b"elsewhere"), Purge::Hard).unwrap();
    store(leader, &Variance::default(), "");
    // A purge of another tag does not, unless a sweep has come between.
    if cache.status().purge_lines > 0 {
        assert!(testing::find(&cache, "/").is_some());
    }
}

/// One request from its lookup to its last byte.
async fn request(cache: Tests, asked: Arc<AtomicUsize>, die: usize, arrived: Arc<AtomicUsize>) {
    let mut key = testing::key("/");
    arrived.fetch_add(1, Ordering::SeqCst);
    let entry = loop {
        if let Found::Entry(entry) = cache.find(&mut key, &mut testing::value(""), 0) {
            break entry;
        }
        match cache.join(&key) {
            Joined::Again => {}
            Joined::Follower(follow) => {
                match follow.landing(&mut key, &mut testing::value("")).await {
                    Landing::Entry(entry) => break entry,
                    Landing::Retry => {}
                    other => panic!("{other:?}"),
                }
            }
            Joined::Leader(lead) => {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                // The upstream responds once all other requests wait.
                while arrived.load(Ordering::SeqCst) < 1000 {
                    tokio::task::yield_now().await;
                }
                if number < die {
                    continue;
                }
                let mut fill = lead
                    .store(
                        testing::new(&testing::fields(), &[]),
                        &Variance::default(),
                        &mut testing::value(""),
                        Some(100_000),
                    )
                    .unwrap();
                let entry = Arc::clone(fill.entry());
                tokio::task::spawn_local(async move {
                    for _ in 0..100 {
                        fill.write(&[7; 1000]);
                        tokio::task::yield_now().await;
                    }
                    fill.finish().unwrap();
                });
                break entry;
            }
        }
    };
    match entry.body() {
        Body::Bytes(bytes) => assert_eq!(bytes.len(), 100_000),
        Body::Growing(growing) => {
            let mut reader = growing.reader().unwrap();
            let mut length = 0;
            while let Some(piece) = reader.next().await {
                length += piece.unwrap().len();
            }
            assert_eq!(length, 100_000);
        }
        Body::File { .. } => panic!("no disk"),
    }
}

#[test]
fn a_thousand_misses_on_four_threads_are_one_request() {
    for leaders_that_die in [0, 3] {
        let cache = testing::memory(64 * MIB);
        let asked = Arc::new(AtomicUsize::new(0));
        let arrived = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (cache, asked, arrived) = (cache.clone(), asked.clone(), arrived.clone());
                std::thread::spawn(move || {
                    let requests = (0..250).map(|_| {
                        let (asked, arrived) = (asked.clone(), arrived.clone());
                        request(cache.clone(), asked, leaders_that_die, arrived)
                    });
                    all(requests);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1 + leaders_that_die);
        let figures = cache.status();
        assert_eq!((figures.flights, figures.fills), (0, 0));
    }
}

/// Runs the requests concurrently on this thread.
fn all(requests: impl Iterator<Item = impl Future<Output = ()> + 'static>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = requests.map(tokio::task::spawn_local).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn who_joins_after_a_purge_is_not_shown_what_was_asked_for_before() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    for purge in [Purge::Hard, Purge::Soft { now_ms: 1 }] {
        let leader = testing::lead(&cache, &mut testing::key("/"), "");
        cache.purge(&Scope::All, purge).unwrap();
        let waits = follow(&cache, key, "");
        store(leader, &Variance::default(), "");
        assert!(
            matches!(landed(waits, key, ""), Some(Landing::Retry)),
            "{purge:?}"
        );
        cache.purge(&Scope::All, Purge::Hard).unwrap();
    }
}

fn renew(
    lead: Lead<&'static str>,
    entry: &Entry,
    names: &[&[u8]],
    as_value: &'static str,
) -> Arc<Entry> {
    lead.revalidated(
        entry,
        testing::new(&testing::fields(), &[]),
        &Variance::new(names.iter().copied(), false),
        &mut testing::value(as_value),
    )
}

#[test]
fn a_304_that_varies_on_more_belongs_to_the_request_that_it_answers() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    let found = |value| testing::find_key(&cache, &mut testing::key("/"), value);
    let plain = store(testing::lead(&cache, key, "en"), &Variance::default(), "en");
    assert!(found("de").is_some());

    let lead = testing::lead(&cache, key, "en");
    let waits = [follow(&cache, key, "de"), follow(&cache, key, "en")];
    let own = renew(lead, &plain, &[b"accept-language"], "en");
    let [german, english] = waits;
    assert!(matches!(landed(german, key, "de"), Some(Landing::Retry)));
    assert!(matches!(
        landed(english, key, "en"),
        Some(Landing::Entry(_))
    ));
    assert_eq!(testing::body(&own), b"body");
    assert!(found("en").is_some());
    assert!(found("de").is_none(), "another's language");

    // A 304 that names the same fields or fewer does not change the variant.
    for names in [&[][..], &[&b"Accept-Language"[..]]] {
        let again = renew(testing::lead(&cache, key, "en"), &own, names, "de");
        assert!(Arc::ptr_eq(&found("en").unwrap(), &again));
        assert!(found("de").is_none());
    }
}

#[test]
fn a_304_that_varies_on_more_while_the_body_comes_is_kept_for_nobody() {
    let cache = testing::memory(16 * MIB);
    let key = &mut testing::key("/");
    let head = testing::fields();
    let mut fill = testing::lead(&cache, key, "")
        .store(
            testing::new(&head, &[]),
            &Variance::default(),
            &mut testing::value(""),
            None,
        )
        .unwrap();
    let entry = Arc::clone(fill.entry());
    let lead = testing::lead(&cache, key, "en");
    let waits = follow(&cache, key, "en");
    let own = renew(lead, &entry, &[b"accept-language"], "en");
    assert!(matches!(landed(waits, key, "en"), Some(Landing::Pass)));
    assert!(matches!(own.body(), Body::Growing(_)));
    fill.write(b"body");
    fill.finish().unwrap();
    assert!(testing::find_key(&cache, key, "en").is_none());
    assert_eq!(cache.status().fill_bytes, 0);
}
