//! The schedule, with a paused clock and endpoints that answer as a script says.

use std::time::Duration;

use janua_upstream::{
    Address, CheckFailure, CheckRule, EndpointSpec, Registry as Endpoints, Shown, Transition,
    UpstreamSpec,
};
use tokio::time::sleep;

use super::*;
use crate::check::{Probe, Protocol, Reach};
use crate::failure::{Unsuccessful, fault};
use crate::timing::Timing;

/// Answers as a script says, and remembers when it was asked.
#[derive(Clone)]
struct Script {
    /// By address: `+` for a pass, `-` for a failure, `?` for a shortage; the last one counts for
    /// all that follow. Nothing stands for passes.
    answers: Arc<Mutex<HashMap<String, &'static str>>>,
    asked: Arc<Mutex<Vec<(String, Duration)>>>,
    /// How many are asked now, and the most at once.
    open: Arc<Mutex<(usize, usize)>>,
    takes: Duration,
    origin: Instant,
}

impl Ask for Script {
    async fn ask(&self, job: &Job) -> Result<(), Unsuccessful> {
        let address = job.address().to_owned();
        let turn = {
            let mut asked = self.asked.lock().unwrap();
            let turn = asked.iter().filter(|(known, _)| *known == address).count();
            asked.push((address.clone(), self.origin.elapsed()));
            turn
        };
        {
            let mut open = self.open.lock().unwrap();
            open.0 += 1;
            open.1 = open.1.max(open.0);
        }
        sleep(self.takes).await;
        self.open.lock().unwrap().0 -= 1;
        let answers = self.answers.lock().unwrap();
        let script = answers.get(&address).copied().unwrap_or("+");
        match script.chars().nth(turn).or_else(|| script.chars().last()) {
            Some('-') => Err(fault("refused", "").into()),
            Some('?') => Err(Unsuccessful::Local("no descriptors".to_owned())),
            _ => Ok(()),
        }
    }
}

/// A checker whose endpoints answer as a script says.
struct Scene {
    script: Script,
    orders: mpsc::UnboundedSender<Order>,
    endpoints: Endpoints,
}

impl Scene {
    fn new(answers: &[(&str, &'static str)], takes: Duration) -> Self {
        let origin = Instant::now();
        let answers = answers
            .iter()
            .map(|(at, script)| ((*at).to_owned(), *script));
        let script = Script {
            answers: Arc::new(Mutex::new(answers.collect())),
            asked: Arc::default(),
            open: Arc::default(),
            takes,
            origin,
        };
        let (orders, receiver) = mpsc::unbounded_channel();
        let context = Context {
            origin,
            metrics: Arc::new(Registry::new(1)),
        };
        tokio::spawn(serve(receiver, context, script.clone()));
        Self {
            script,
            orders,
            endpoints: Endpoints::start("/nonexistent".into()).unwrap(),
        }
    }

    /// An upstream with these endpoints and checks.
    fn assignment(&self, addresses: &[&str], check: Option<&Check>) -> Assignment {
        self.named("app", addresses, check)
    }

    fn named(&self, name: &str, addresses: &[&str], check: Option<&Check>) -> Assignment {
        let endpoint = |text: &&str| EndpointSpec::new(Address::parse(text).unwrap());
        let spec = UpstreamSpec {
            is_checked: check.is_some(),
            ..UpstreamSpec::new(name, addresses.iter().map(endpoint).collect())
        };
        let upstream = self.endpoints.reconcile(&[spec]).remove(0);
        (upstream, check.cloned().map(Arc::new))
    }

    fn apply(&self, assignment: &Assignment) {
        self.orders
            .send(Order::Apply(vec![assignment.clone()]))
            .unwrap();
    }

    fn begin(&self, assignment: &Assignment) {
        self.orders
            .send(Order::Begin(vec![assignment.clone()]))
            .unwrap();
    }

    /// When an endpoint was asked.
    fn asked(&self, address: &str) -> Vec<Duration> {
        let asked = self.script.asked.lock().unwrap();
        let asked = asked.iter().filter(|(known, _)| known == address);
        asked.map(|(_, at)| *at).collect()
    }
}

fn check() -> Check {
    Check {
        probe: Probe::Tcp,
        reach: Reach {
            port: None,
            tls: None,
            protocol: Protocol::Http11,
            proxy_header: None,
        },
        timing: Timing {
            interval: Duration::from_secs(10),
            edge_interval: Duration::from_secs(1),
            idle_interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            rule: CheckRule {
                rise: 2,
                fall: 3,
                silence_ms: 10_000,
            },
        },
    }
}

const ONE: &str = "127.0.0.1:1";
const TWO: &str = "127.0.0.1:2";

/// Whether the times between these moments are about as many seconds.
fn assert_between(moments: &[Duration], seconds: &[u64]) {
    let pairs = moments.iter().zip(moments.iter().skip(1));
    let between: Vec<f64> = pairs.map(|(a, b)| (*b - *a).as_secs_f64()).collect();
    assert!(between.len() >= seconds.len(), "{between:?}");
    for (found, expected) in between.iter().zip(seconds) {
        let expected = *expected as f64;
        let is_near = (expected * 0.89..expected * 1.11).contains(found);
        assert!(is_near, "{between:?} and not {seconds:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_check_is_made_at_once_and_others_in_intervals() {
    let scene = Scene::new(&[], Duration::ZERO);
    scene.apply(&scene.assignment(&[ONE, TWO], Some(&check())));
    sleep(Duration::from_secs(101)).await;
    for address in [ONE, TWO] {
        let asked = scene.asked(address);
        assert_eq!(asked[0], Duration::ZERO);
        assert_between(&asked, &[10; 8]);
        assert!(asked.len() <= 13, "{asked:?}");
    }
    assert_ne!(
        scene.asked(ONE)[1..],
        scene.asked(TWO)[1..],
        "they drift apart"
    );
}

#[tokio::test(start_paused = true)]
async fn checks_are_faster_while_a_change_is_decided() {
    // Passes, fails three times and is down, fails, passes twice and is up, passes.
    let scene = Scene::new(&[(ONE, "+----++++")], Duration::ZERO);
    let assignment = scene.assignment(&[ONE], Some(&check()));
    scene.apply(&assignment);
    sleep(Duration::from_secs(60)).await;
    assert_between(&scene.asked(ONE), &[10, 1, 1, 10, 10, 1, 10]);
    let endpoint = &assignment.0.members()[0].endpoint;
    assert_eq!(endpoint.checks().state, CheckState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_schedule_of_what_stays() {
    let scene = Scene::new(&[(TWO, "---+")], Duration::ZERO);
    scene.apply(&scene.assignment(&[ONE], Some(&check())));
    sleep(Duration::from_secs(5)).await;
    // A snapshot is about to be published: the new endpoint is checked already.
    let next = scene.assignment(&[TWO, ONE], Some(&check()));
    scene.begin(&next);
    assert!(awaits_first_result(&next));
    sleep(Duration::from_millis(1)).await;
    assert!(!awaits_first_result(&next), "a failure is a result");
    scene.apply(&next);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        scene.asked(ONE),
        [Duration::ZERO],
        "it is not asked for the reload"
    );
    sleep(Duration::from_secs(6)).await;
    assert_between(&scene.asked(ONE), &[10]);
    assert_between(&scene.asked(TWO), &[1, 1]);
    let members = next.0.members();
    assert_eq!(members[1].endpoint.checks().state, CheckState::Up);
    assert_eq!(members[0].endpoint.checks().state, CheckState::Waiting);
}

#[tokio::test(start_paused = true)]
async fn another_question_is_asked_at_once_and_another_interval_counts_from_the_last() {
    let scene = Scene::new(&[(ONE, "----+")], Duration::ZERO);
    scene.apply(&scene.assignment(&[ONE], Some(&check())));
    sleep(Duration::from_secs(4)).await;
    let mut faster = check();
    faster.timing.interval = Duration::from_secs(5);
    let before = scene.asked(ONE).len();
    let last = *scene.asked(ONE).last().unwrap();
    scene.apply(&scene.assignment(&[ONE], Some(&faster)));
    sleep(Duration::from_secs(6)).await;
    let asked = scene.asked(ONE);
    assert_eq!(asked.len(), before + 1, "{asked:?}");
    let took = (*asked.last().unwrap() - last).as_secs_f64();
    assert!((4.4..5.6).contains(&took), "{took}");

    let mut other = faster.clone();
    other.reach.port = Some(9);
    let now = scene.script.origin.elapsed();
    scene.apply(&scene.assignment(&[ONE], Some(&other)));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.asked(ONE).last(), Some(&now));
}

/// A check may take as long as its time limit, which may be long.
#[tokio::test(start_paused = true)]
async fn another_question_ends_a_check_that_is_in_progress() {
    let scene = Scene::new(&[(ONE, "-+")], Duration::from_secs(60));
    let first = scene.assignment(&[ONE], Some(&check()));
    scene.apply(&first);
    sleep(Duration::from_secs(5)).await;
    let mut slower = check();
    slower.timing.interval = Duration::from_secs(20);
    scene.apply(&scene.assignment(&[ONE], Some(&slower)));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(scene.asked(ONE).len(), 1, "the question is the same");
    let mut other = check();
    other.reach.port = Some(9);
    scene.apply(&scene.assignment(&[ONE], Some(&other)));
    sleep(Duration::from_secs(51)).await;
    assert_eq!(scene.asked(ONE).len(), 2);
    let checks = || first.0.members()[0].endpoint.checks();
    assert_eq!(checks().checked_ms, None, "the first has no result");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(checks().state, CheckState::Up);
}

/// Otherwise the answer to the new question would count as one more to the old one.
#[tokio::test(start_paused = true)]
async fn another_question_that_comes_when_a_check_is_due_is_another_one() {
    for turn in 0..32 {
        let scene = Scene::new(&[(ONE, "+---+")], Duration::ZERO);
        let mut strict = check();
        strict.timing.rule.rise = 1_000;
        let first = scene.assignment(&[ONE], Some(&strict));
        scene.apply(&first);
        sleep(Duration::from_secs(14)).await;
        let checks = || first.0.members()[0].endpoint.checks();
        assert_eq!(checks().state, CheckState::Down);
        let mut other = strict.clone();
        other.reach.port = Some(9);
        scene.apply(&scene.assignment(&[ONE], Some(&other)));
        // Both are noticed at the same moment.
        tokio::time::advance(Duration::from_secs(15)).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(checks().state, CheckState::Up, "{turn}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_asked_no_more() {
    let scene = Scene::new(&[(ONE, "-")], Duration::ZERO);
    let both = scene.assignment(&[ONE, TWO], Some(&check()));
    scene.apply(&both);
    sleep(Duration::from_secs(1)).await;
    scene.apply(&scene.assignment(&[TWO], Some(&check())));
    sleep(Duration::from_secs(30)).await;
    assert!(scene.asked(ONE).iter().all(|at| at.as_secs() <= 1));
    assert!(scene.asked(TWO).len() > 2);
    // Something still uses it, so that it is found again: it must pass first.
    let removed = &both.0.members()[0].endpoint;
    assert_eq!(removed.checks().state, CheckState::Waiting);
    // Without checks everything is used.
    let unchecked = scene.assignment(&[ONE, TWO], None);
    scene.apply(&unchecked);
    let asked = scene.script.asked.lock().unwrap().len();
    sleep(Duration::from_secs(60)).await;
    for member in unchecked.0.members() {
        assert_eq!(member.endpoint.checks().state, CheckState::Unchecked);
    }
    assert_eq!(scene.script.asked.lock().unwrap().len(), asked);
}

/// An upstream that loses its checks gets its requests without a break: it is not as new for a
/// moment.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_down_is_back_without_checks() {
    let scene = Scene::new(&[(ONE, "+-")], Duration::ZERO);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&seen);
    let observer = move |it: &Transition| observed.lock().unwrap().push((it.from, it.to()));
    scene.endpoints.observe(Box::new(observer));
    scene.apply(&scene.assignment(&[ONE], Some(&check())));
    sleep(Duration::from_secs(60)).await;
    scene.apply(&scene.assignment(&[ONE], None));
    sleep(Duration::from_millis(1)).await;
    let expected = [
        (Shown::New, Shown::Up),
        (Shown::Up, Shown::Down),
        (Shown::Down, Shown::Up),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// Requests between two checks keep an endpoint from being idle.
#[tokio::test(start_paused = true)]
async fn without_requests_checks_are_rarer() {
    let scene = Scene::new(&[], Duration::ZERO);
    let mut check = check();
    check.timing.idle_interval = Duration::from_secs(60);
    let assignment = scene.assignment(&[ONE], Some(&check));
    scene.apply(&assignment);
    let request = || {
        let mut cursor = janua_upstream::Cursor::new();
        let picked = assignment
            .0
            .pick(&mut cursor, &janua_upstream::Tried::new(), 0);
        drop(picked.unwrap());
    };
    sleep(Duration::from_secs(50)).await;
    assert_eq!(scene.asked(ONE).len(), 1);
    request();
    // The check after a minute finds that there was a request, the one after it that there was
    // none.
    sleep(Duration::from_secs(100)).await;
    assert_between(&scene.asked(ONE), &[60, 10, 60]);
}

/// An endpoint is asked once at a time, however long it takes.
#[tokio::test(start_paused = true)]
async fn a_thousand_that_hang_take_turns() {
    let scene = Scene::new(&[], Duration::from_secs(2));
    let addresses: Vec<String> = (1..=1000).map(|port| format!("127.0.0.1:{port}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    scene.apply(&scene.assignment(&addresses, Some(&check())));
    sleep(Duration::from_secs(17)).await;
    assert_eq!(scene.script.open.lock().unwrap().1, MOST_OF_ONE);
    for address in addresses {
        assert!(!scene.asked(address).is_empty(), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_hangs_does_not_keep_others_from_being_checked() {
    let hour = Duration::from_secs(3600);
    let scene = Scene::new(&[], hour);
    let addresses: Vec<String> = (1..=1000).map(|port| format!("127.0.0.1:{port}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let upstreams = |name: &str, addresses: &[&str]| scene.named(name, addresses, Some(&check()));
    let all = vec![
        upstreams("hung", &addresses),
        upstreams("other", &["127.0.0.2:1"]),
    ];
    scene.orders.send(Order::Apply(all)).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.asked("127.0.0.2:1").len(), 1);
    assert_eq!(scene.script.open.lock().unwrap().0, MOST_OF_ONE + 1);
    // Not so many hang that nothing is left of the limit of all.
    let all = ["a", "b", "c"].map(|name| upstreams(name, &addresses));
    scene.orders.send(Order::Apply(all.into())).unwrap();
    sleep(Duration::from_secs(1)).await;
    let asked: usize = addresses.iter().map(|it| scene.asked(it).len()).sum();
    assert_eq!(asked, MOST_OF_ONE + MOST_AT_ONCE);
}

/// What the gateway is short of says nothing about the endpoint.
#[tokio::test(start_paused = true)]
async fn a_shortage_decides_nothing() {
    let scene = Scene::new(&[(ONE, "+?")], Duration::ZERO);
    let assignment = scene.assignment(&[ONE], Some(&check()));
    scene.apply(&assignment);
    sleep(Duration::from_secs(100)).await;
    assert!(scene.asked(ONE).len() > 5);
    let checks = assignment.0.members()[0].endpoint.checks();
    assert_eq!((checks.state, checks.failing), (CheckState::Up, None));
}

#[test]
fn without_checks_there_is_no_thread() {
    let endpoints = Endpoints::start("/nonexistent".into()).unwrap();
    let checker = Checker::new(Instant::now(), Arc::new(Registry::new(1)));
    let spec = UpstreamSpec::new("app", vec![EndpointSpec::new(Address::parse(ONE).unwrap())]);
    let upstream = endpoints.reconcile(&[spec]).remove(0);
    checker.apply([(upstream, None)].into_iter());
    assert!(checker.orders.lock().unwrap().is_none());
}

/// The words that are no failure of a check are not taken by one.
#[test]
fn failures_have_words_of_their_own() {
    let CheckFailure { word, detail, .. } = fault("refused", "a\nb".repeat(200));
    assert_eq!(word, "refused");
    assert!(detail.len() <= 200 && !detail.contains('\n'));
}

/// What a check that began before says is not what somebody wants to know who has replaced the
/// endpoint.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_checked_anew_waits_for_a_check_that_begins_then() {
    let scene = Scene::new(&[], Duration::from_millis(1500));
    let assignment = scene.assignment(&["127.0.0.1:1", "127.0.0.1:2"], Some(&check()));
    scene.apply(&assignment);
    sleep(Duration::from_millis(500)).await;
    let endpoint = |index: usize| &assignment.0.members()[index].endpoint;
    let state = |index: usize| endpoint(index).checks().state;
    let (told, is_told) = sync_channel(1);
    let order = Order::Restart(endpoint(0).id(), told);
    scene.orders.send(order).unwrap();
    sleep(Duration::from_millis(1)).await;
    is_told.try_recv().unwrap();
    sleep(Duration::from_millis(1400)).await;
    assert_eq!((state(0), state(1)), (CheckState::Waiting, CheckState::Up));
    sleep(Duration::from_millis(200)).await;
    assert_eq!((state(0), state(1)), (CheckState::Up, CheckState::Up));
    let asked = scene.asked("127.0.0.1:1");
    assert_eq!(asked.len(), 2, "{asked:?}");

    // It was up, and is asked again although its next check is not due.
    let (told, _is_told) = sync_channel(1);
    scene
        .orders
        .send(Order::Restart(endpoint(0).id(), told))
        .unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(state(0), CheckState::Waiting);
    assert_eq!(scene.asked("127.0.0.1:1").len(), 3);
}
