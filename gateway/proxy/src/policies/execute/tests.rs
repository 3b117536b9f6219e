use janua_wasm::{
    AbsentKey, CacheLookup, CacheRule, Charge, Concurrency, Cost, Edit, Input, Part, Plan, Purge,
    PurgeScope, QueryKey, Reply, Storage, Take, TokenBucket, Value,
};

use janua_http::failure::Kind;

use super::*;
use crate::decide::{Decision, decide};
use crate::downstream::Downstream;
use crate::exchange::{Counted, Matched};
use crate::facts::AnsweredBy;
use crate::local_policy::Prepared;
use crate::receive;
use crate::responder::Responder;
use crate::testing::{Kit, Listening, Peer, listen, run, settle};

const GET: &str = "GET /a HTTP/1.1\r\nHost: site.example\r\nX-User: ann\r\n\r\n";
const STORED: &str =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\nbody";

fn kit() -> (Kit, Listening) {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "cache = true");
    (kit, listen("10.0.0.1:1"))
}

/// An exchange whose request was received and routed, and no policy asked.
async fn exchange(kit: &Kit) -> (Counted, Matched) {
    let (mut session, mut client) = kit.session();
    client.send(GET).await;
    let mut counted = Counted::new(&session, &kit.worker);
    let exchange = &mut counted.exchange;
    receive::receive(exchange, &mut session).await.unwrap();
    let mut downstream = Downstream {
        incoming: &mut session.incoming,
        responder: Responder::new(&mut session.outgoing, &exchange.heads.request),
        deadline: &mut session.deadline,
    };
    let decided = decide(exchange, &mut downstream, Carry::Out).unwrap();
    let Decision::Target(matched) = decided else {
        panic!("answered before");
    };
    (counted, matched)
}

/// A plan whose only input is the field `X-User`.
fn plan() -> Plan {
    Plan::new(vec![Input::Header("x-user".into())], Vec::new(), &[]).unwrap()
}

fn literal(text: &str) -> Value {
    Value::Literal(text.as_bytes().into())
}

/// `X-User`, behind this.
fn user(before: &str) -> Value {
    Value::Parts([Part::Literal(before.as_bytes().into()), Part::Input(0)].into())
}

fn set(name: &str, value: Value) -> Edit {
    let name = name.into();
    Edit::SetHeader { name, value }
}

fn append(name: &str, value: Value) -> Edit {
    let name = name.into();
    Edit::AppendHeader { name, value }
}

fn reply(status: u16, name: &str, value: Value) -> Reply {
    Reply {
        status,
        headers: [(name.into(), value)].into(),
        body: b"made".as_slice().into(),
    }
}

/// Takes one of two tokens that come back once an hour.
fn take(bucket: &str, cost: u32) -> Effect {
    Effect::Take(Box::new(Take {
        bucket: TokenBucket {
            name: bucket.into(),
            key: user(""),
            absent: AbsentKey::Share,
            tokens: 1,
            period_ms: 3_600_000,
            burst: 1,
        },
        cost: Cost::Tokens(cost),
        otherwise: reply(429, "x-why", user("too many of ")),
    }))
}

/// Charges the bucket of [`take`] as many tokens as the user's name says.
fn charge(bucket: &str) -> Effect {
    let Effect::Take(take) = take(bucket, 1) else {
        panic!("another effect");
    };
    Effect::Charge(Box::new(Charge {
        bucket: take.bucket,
        cost: Cost::Measured {
            amount: user(""),
            otherwise: 2,
            most: 10,
        },
        debt: 10,
    }))
}

fn place_of(most: u32) -> Effect {
    Effect::Concurrency(Box::new(Concurrency {
        name: "".into(),
        key: user(""),
        absent: AbsentKey::Share,
        most,
        otherwise: reply(503, "x-why", user("too many of ")),
    }))
}

fn purge() -> Effect {
    Effect::Purge(Box::new(Purge {
        scope: PurgeScope::Site,
        soft: false,
    }))
}

fn verdict(edits: Vec<Edit>, effects: Vec<Effect>, outcome: Outcome) -> Rc<Verdict> {
    Rc::new(Verdict {
        outcome,
        edits: edits.into(),
        effects: effects.into(),
        ..Verdict::proceed()
    })
}

/// Carries a verdict of the policy `test` out.
fn carry(
    (counted, matched): &mut (Counted, Matched),
    phase: Phase,
    carry: Carry,
    verdict: &Rc<Verdict>,
) -> Result<Option<Instead>, Failure> {
    let question = Question {
        matched,
        phase,
        by: (phase != Phase::Request).then_some(AnsweredBy::Upstream),
        carry,
    };
    let buckets = &counted.exchange.worker.estate.buckets;
    let prepared = Prepared::new(verdict, "test", buckets);
    let decided = Decided {
        policy: "test",
        place: 0,
        plan: &plan(),
        verdict,
        decides_for_one: false,
        prepared: Some(&prepared),
    };
    carry_out(&mut counted.exchange, question, decided)
}

fn made(instead: Option<Instead>) -> Made {
    match instead {
        Some(Instead::Made(made)) => made,
        Some(Instead::Path(_)) => panic!("a path"),
        None => panic!("nothing instead"),
    }
}

/// Has a response stored; the upstream's end of the connection.
async fn store(kit: &Kit, endpoint: &Listening) -> Peer {
    let (mut client, _served) = kit.client();
    client.send(GET).await;
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(STORED).await;
    client.head().await;
    client.expect("body").await;
    settle().await;
    upstream
}

/// Whether the cache answers the request.
async fn is_stored(kit: &Kit) -> bool {
    let (mut client, _served) = kit.client();
    client.send(GET).await;
    client.so_far().await.contains("Cache-Status: janua; hit")
}

/// Tokens that are left of a bucket of two, which are then taken.
fn left(exchange: &mut (Counted, Matched), bucket: &str) -> usize {
    let one = verdict(Vec::new(), vec![take(bucket, 1)], Outcome::Proceed);
    let taken = (0..2).map(|_| carry(exchange, Phase::Request, Carry::Out, &one));
    taken.filter(|taken| matches!(taken, Ok(None))).count()
}

/// The wait that the gateway computes takes the place of one in the reply.
#[tokio::test(start_paused = true)]
async fn a_refusal_says_once_when_to_try_again() {
    run(async {
        let (kit, _endpoint) = kit();
        let mut exchange = exchange(&kit).await;
        let Effect::Take(mut refused) = take("b", 3) else {
            panic!("another effect");
        };
        refused.otherwise = reply(429, "retry-after", user("soon, "));
        let some = verdict(Vec::new(), vec![Effect::Take(refused)], Outcome::Proceed);
        let refusal = carry(&mut exchange, Phase::Request, Carry::Out, &some);
        let headers = made(refusal.unwrap()).headers;
        assert_eq!(headers.len(), 1, "{headers:?}");
        assert!(headers[0].1.iter().all(u8::is_ascii_digit), "{headers:?}");
    })
    .await;
}

/// "ann" is no number, so the charge is the two tokens that it is otherwise.
#[tokio::test(start_paused = true)]
async fn a_charge_is_made_although_there_are_too_few_tokens() {
    run(async {
        let (kit, _endpoint) = kit();
        let mut exchange = exchange(&kit).await;
        let some = verdict(
            Vec::new(),
            vec![take("b", 1), charge("b")],
            Outcome::Proceed,
        );
        let instead = carry(&mut exchange, Phase::Request, Carry::Out, &some);
        assert!(instead.unwrap().is_none());
        let nothing = verdict(Vec::new(), vec![take("b", 0)], Outcome::Proceed);
        let refused = carry(&mut exchange, Phase::Request, Carry::Out, &nothing);
        let made = made(refused.unwrap());
        let wait = made
            .headers
            .iter()
            .find(|(name, _)| **name == *b"Retry-After");
        assert_eq!(*wait.unwrap().1, *b"3600", "one token is missing");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_until_the_exchange_has_ended() {
    run(async {
        let (kit, _endpoint) = kit();
        let one = verdict(Vec::new(), vec![place_of(1)], Outcome::Proceed);
        let mut first = exchange(&kit).await;
        let taken = carry(&mut first, Phase::Request, Carry::Nothing, &one);
        assert!(taken.unwrap().is_none());
        assert!(
            kit.worker.estate.places.is_empty(),
            "nothing is carried out"
        );
        let taken = carry(&mut first, Phase::Request, Carry::Out, &one);
        assert!(taken.unwrap().is_none());
        let mut second = exchange(&kit).await;
        let refused = carry(&mut second, Phase::Request, Carry::Out, &one);
        let refused = made(refused.unwrap());
        let why = refused.headers.iter().find(|(name, _)| **name == *b"x-why");
        assert_eq!(
            (refused.status, &*why.unwrap().1),
            (503, &b"too many of ann"[..])
        );
        drop(first);
        let taken = carry(&mut second, Phase::Request, Carry::Out, &one);
        assert!(taken.unwrap().is_none());
        drop(second);
        assert!(kit.worker.estate.places.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn carried_out_a_verdict_takes_and_purges() {
    run(Box::pin(async {
        let (kit, endpoint) = kit();
        let _upstream = store(&kit, &endpoint).await;
        assert!(is_stored(&kit).await);
        let mut exchange = exchange(&kit).await;
        let both = verdict(Vec::new(), vec![take("b", 1), purge()], Outcome::Proceed);
        let instead = carry(&mut exchange, Phase::Request, Carry::Out, &both);
        assert!(instead.unwrap().is_none());
        // The response says what is left.
        let heads = &mut exchange.0.exchange.heads;
        heads.write_quotas();
        let said = heads.response.fields.get(b"ratelimit").unwrap();
        assert!(said.starts_with(b"\"b\";r=1;"), "{said:?}");
        assert_eq!(left(&mut exchange, "b"), 1);
        assert!(!is_stored(&kit).await);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn not_carried_out_it_touches_nothing_beyond_the_exchange() {
    run(Box::pin(async {
        let (kit, endpoint) = kit();
        let _upstream = store(&kit, &endpoint).await;
        let mut exchange = exchange(&kit).await;
        let both = verdict(
            vec![set("x-seen", user("by "))],
            vec![take("b", 3), purge()],
            Outcome::Proceed,
        );
        // More than the bucket holds: it counts as full all the same.
        let instead = carry(&mut exchange, Phase::Request, Carry::Nothing, &both);
        assert!(instead.unwrap().is_none());
        // No bucket was even made.
        assert!(kit.worker.estate.buckets.is_empty());
        assert!(is_stored(&kit).await);
        let heads = &mut exchange.0.exchange.heads;
        assert_eq!(heads.request.fields.get(b"x-seen"), Some(&b"by ann"[..]));
        heads.write_quotas();
        assert_eq!(heads.response.fields.get(b"ratelimit"), None);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_concerns_the_exchange_alone_is_kept_either_way() {
    run(async {
        let (kit, _endpoint) = kit();
        for how in [Carry::Out, Carry::Nothing] {
            let mut exchange = exchange(&kit).await;
            let lookup = Effect::CacheLookup(Box::new(CacheLookup {
                query: QueryKey::Ignored,
                vary_on: [literal("v")].into(),
                bypass: Some("because".into()),
            }));
            let asked = verdict(Vec::new(), vec![lookup], Outcome::Proceed);
            carry(&mut exchange, Phase::Request, how, &asked).unwrap();
            let rule = Effect::CacheRule(Box::new(CacheRule {
                name: "rule".into(),
                store: Storage::Never,
                browser: None,
                cdn: None,
                stale_while_revalidate: None,
                stale_if_error: None,
                shared: false,
            }));
            let tags = Effect::CacheTag(user("a, b "));
            let said = verdict(Vec::new(), vec![rule, tags], Outcome::Proceed);
            carry(&mut exchange, Phase::Fetched, how, &said).unwrap();
            let caching = &exchange.0.exchange.caching;
            assert_eq!(caching.bypass.as_deref(), Some("because"));
            assert_eq!(caching.vary_on, b"\0\0\0\0\0\0\0\x02v");
            assert_eq!(caching.rule().map(|rule| &*rule.name), Some("rule"));
            let tags: Vec<&str> = caching.tags.iter().map(|tag| &**tag).collect();
            assert_eq!(tags, ["a", "b", "ann"]);
        }
    })
    .await;
}

/// Values are those of the head that the policy was asked about, whatever its
/// edits make of it.
#[tokio::test(start_paused = true)]
async fn values_are_worked_out_before_the_first_edit() {
    run(async {
        let (kit, _endpoint) = kit();
        let mut exchange = exchange(&kit).await;
        let edits = vec![set("x-user", literal("bob")), set("x-was", user(""))];
        let outcome = Outcome::Respond(reply(403, "x-who", user("not ")));
        let all = verdict(edits, vec![take("b", 1)], outcome);
        let instead = carry(&mut exchange, Phase::Request, Carry::Out, &all);
        let made = made(instead.unwrap());
        assert_eq!(made.status, 403);
        let field = (Box::from(&b"x-who"[..]), Box::from(&b"not ann"[..]));
        assert_eq!(made.headers, [field]);
        let fields = &exchange.0.exchange.heads.request.fields;
        assert_eq!(fields.get(b"x-user"), Some(&b"bob"[..]));
        assert_eq!(fields.get(b"x-was"), Some(&b"ann"[..]));
        // The bucket was ann's, and she has one token left. (`left` takes for who
        // the head names now.)
        exchange
            .0
            .exchange
            .heads
            .request
            .fields
            .set(b"x-user", b"ann");
        assert_eq!(left(&mut exchange, "b"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_effects_and_takes_the_place_of_the_outcome() {
    run(Box::pin(async {
        let (kit, endpoint) = kit();
        let _upstream = store(&kit, &endpoint).await;
        let mut exchange = exchange(&kit).await;
        let all = verdict(
            vec![set("x-seen", literal("yes"))],
            vec![take("a", 1), take("b", 3), take("c", 1), purge()],
            Outcome::Respond(reply(200, "x-who", literal("me"))),
        );
        let instead = carry(&mut exchange, Phase::Request, Carry::Out, &all);
        let made = made(instead.unwrap());
        assert_eq!(made.status, 429);
        let value = |name: &str| {
            let line = made.headers.iter().find(|(is, _)| **is == *name.as_bytes());
            line.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!(value("x-why").as_deref(), Some("too many of ann"));
        assert!(value("Retry-After").is_some());
        // What came before it stands, and what comes after it was not done.
        let fields = &exchange.0.exchange.heads.request.fields;
        assert_eq!(fields.get(b"x-seen"), Some(&b"yes"[..]));
        let buckets = ["a", "b", "c"].map(|bucket| left(&mut exchange, bucket));
        assert_eq!(buckets, [1, 2, 2]);
        assert!(is_stored(&kit).await);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_cannot_stand_ends_it_before_the_effects() {
    run(async {
        let (kit, _endpoint) = kit();
        let mut exchange = exchange(&kit).await;
        let path = Edit::SetPath(literal("no path"));
        let all = verdict(vec![path], vec![take("b", 1)], Outcome::Proceed);
        let failed = carry(&mut exchange, Phase::Request, Carry::Out, &all);
        assert_eq!(failed.err().unwrap().kind, Kind::PolicyInput);
        assert!(kit.worker.estate.buckets.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_phase_edits_what_is_its_own() {
    run(async {
        let (kit, _endpoint) = kit();
        let edits = Rc::new(Verdict {
            edits: [set("x-a", user(""))].into(),
            response_edits: [set("x-b", user("later ")), append("x-b", literal("two"))].into(),
            ..Verdict::proceed()
        });
        let ann = Some(&b"ann"[..]);
        for (phase, request, response) in [
            (Phase::Request, ann, None),
            (Phase::Fetched, None, ann),
            (Phase::Missing, None, None),
            (Phase::Response, None, ann),
        ] {
            let mut exchange = exchange(&kit).await;
            carry(&mut exchange, phase, Carry::Out, &edits).unwrap();
            let exchange = &exchange.0.exchange;
            let heads = &exchange.heads;
            assert_eq!(heads.request.fields.get(b"x-a"), request, "{phase:?}");
            assert_eq!(heads.response.fields.get(b"x-a"), response, "{phase:?}");
            // Of the phases in which there are such edits, none is left to the proxy to check.
            let [pending] = &exchange.response_edits[..] else {
                panic!("{phase:?}");
            };
            let expected = [
                set("x-b", literal("later ann")),
                append("x-b", literal("two")),
            ];
            assert_eq!(pending.edits, expected, "{phase:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_path_is_normalised() {
    run(async {
        let (kit, _endpoint) = kit();
        for (path, expected) in [
            ("/b/../c/", Ok(&b"/c/"[..])),
            ("/../x", Err(Kind::PolicyInput)),
            ("no path", Err(Kind::PolicyInput)),
        ] {
            let mut exchange = exchange(&kit).await;
            let serve = Outcome::Serve(literal(path));
            let serve = verdict(Vec::new(), Vec::new(), serve);
            let served = carry(&mut exchange, Phase::Missing, Carry::Out, &serve);
            match (served, expected) {
                (Ok(Some(Instead::Path(path))), Ok(expected)) => assert_eq!(path, expected),
                (Err(failure), Err(kind)) => assert_eq!(failure.kind, kind),
                (Ok(_) | Err(_), _) => panic!("{path}"),
            }
        }
    })
    .await;
}

/// Sixty-four times `X-User` in each of 256 fields: 491 MB of a field of 30 KB.
#[tokio::test(start_paused = true)]
async fn a_verdict_that_makes_too_much_of_a_request_is_refused() {
    run(async {
        let (kit, _endpoint) = kit();
        let mut at = exchange(&kit).await;
        let large = "a".repeat(30_000);
        let request = &mut at.0.exchange.heads.request;
        request.fields.set(b"X-User", large.as_bytes());
        let before = request.fields.len();
        let repeated = || Value::Parts(vec![Part::Input(0); 64].into());
        let edits = (0..256).map(|n| set(&format!("x-{n}"), repeated()));
        let verdict = verdict(edits.collect(), vec![], Outcome::Proceed);
        for phase in [Phase::Request, Phase::Response] {
            let failure = carry(&mut at, phase, Carry::Out, &verdict).err().unwrap();
            assert_eq!(failure.kind, Kind::PolicyInput);
            let words = "the policy `test` makes a value of more than 64 KiB of it";
            assert_eq!(failure.detail, words);
        }
        assert_eq!(at.0.exchange.heads.request.fields.len(), before);
    })
    .await;
}
