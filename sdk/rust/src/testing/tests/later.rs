//! Inputs of any bytes, datasets, variables, response edits, the end of an exchange, and
//! cases that are younger than the contract.

use serde::Deserialize;

use crate::testing::{Exchange, configure};
use crate::{
    AbsentKey, Bucket, Bytes, Charge, Cost, Dataset, Finished, Input, Inputs, Lookup, Missing,
    Named, NamedConstant, Number, Policy, Reference, Reply, Request, Slot, Subscription, Text,
    Value, Verdict, value,
};

#[derive(Deserialize)]
struct Config {
    places: Dataset,
}

/// Counts the tokens of answers, for each user of a token, and sends bots away.
struct Budget {
    body: Slot<Request, Bytes>,
    network: Slot<Request, Text>,
    place: Slot<Request>,
    bot: Slot<Request>,
    user: Reference<Finished>,
    used: Reference<Finished>,
    duration: Slot<Finished, Number>,
}

impl Policy for Budget {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        subscription.variable("place");
        let request = subscription.request().may_respond();
        request.may_edit_response("set-cookie").may_set_path();
        let client = request.reference(Input::ClientIp);
        let place = Lookup::new(&config.places, client).member("country.iso_code");
        let place = request.input(place);
        let bots: Dataset = crate::read_config("\"bots\"")?;
        let bot = request.lookup(&bots, client);
        let body = request.body_prefix(4);
        let network = request.client_network(24, 48);
        subscription.missing().may_edit_response("x-missing");
        let finished = subscription.finished().may_charge();
        Ok(Self {
            body,
            network,
            place,
            bot,
            user: finished.reference(Input::Variable("auth.user".to_owned())),
            used: finished.reference(Input::ResponseHeader("x-tokens".to_owned())),
            duration: finished.duration_ms(),
        })
    }

    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        if inputs.get(self.bot).is_some() {
            return Ok(Verdict::respond(Reply::new(403))
                .set_response_header("set-cookie", "bot=1")
                .until(1_800_000_000));
        }
        let bytes = inputs.get(self.body).unwrap_or_default();
        Ok(Verdict::proceed()
            .set_variable("place", self.place)
            .set_path(value!["/of/", self.network])
            .annotate("bytes", format!("{bytes:?}"))
            .annotate("place", self.place))
    }

    fn on_missing(&self, _: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        Ok(Verdict::proceed().append_response_header("x-missing", "1"))
    }

    fn on_finished(&self, inputs: &Inputs<Finished>) -> Result<Verdict<Finished>, String> {
        let bucket = Bucket::new(1_000, 60_000).key(self.user, AbsentKey::Skip);
        let cost = Cost::measured(self.used, 7, 500);
        let slow = inputs.get(self.duration) > 1_000;
        Ok(Verdict::proceed()
            .charge(Charge::new(bucket, cost).debt(10))
            .note(if slow { "slow" } else { "quick" }))
    }
}

#[test]
fn a_budget() {
    let policy = configure::<Budget>(r#"{"places": "places"}"#).unwrap();
    let exchange = Exchange::get("https://a.example/a")
        .client_ip("203.0.113.77")
        .body(b"\xff\x00abc")
        .record("places", "203.0.113.77", "country.iso_code", "DE")
        .record("places", "203.0.113.77", "country.name", "Deutschland")
        .record("bots", "198.51.100.1", "", "1");
    let got = policy.request(&exchange);
    assert_eq!(got.variable("place"), Some("DE"));
    assert_eq!(got.annotation("place"), Some("DE"));
    assert_eq!(got.annotation("bytes"), Some("[255, 0, 97, 98]"));
    assert_eq!(got.exchange.target(), "/of/203.0.113.0%2F24");

    let got = policy.request(&exchange.client_ip("198.51.100.1"));
    let answer = got.answer.clone().unwrap();
    assert_eq!(answer.header("set-cookie"), Some("bot=1"));
    assert!(got.exchange.response_lines("set-cookie").is_empty());

    let missing = policy.missing(&Exchange::get("https://a.example/"));
    assert_eq!(missing.exchange.response_lines("x-missing"), ["1"]);
}

#[test]
fn what_was_used_is_charged() {
    let policy = configure::<Budget>(r#"{"places": "places"}"#).unwrap();
    let exchange = || Exchange::get("https://a.example/").with(Input::DurationMs, "1001");
    for (used, user, expected) in [
        ("12", Some("ann"), 12),
        ("501", Some("ann"), 500),
        ("many", Some("ann"), 7),
        ("", None, 7),
    ] {
        let mut exchange = exchange().response_header("x-tokens", used);
        if let Some(user) = user {
            exchange = exchange.variable("auth.user", user);
        }
        let got = policy.finished(&exchange);
        let charges = got.charges();
        let (charge, key, tokens) = &charges[0];
        assert_eq!((key.as_deref(), *tokens), (user, expected), "{used}");
        assert_eq!((charge.debt, charge.bucket.tokens), (10, 1_000));
        assert_eq!(got.note(), Some("slow"));
    }
}

#[test]
fn a_dataset_has_a_name() {
    let error = configure::<Budget>(r#"{"places": ""}"#).map(|_| ());
    assert_eq!(
        error,
        Err("`places`: write the name of a dataset".to_owned())
    );
}

/// Only a later gateway knows them.
#[test]
fn younger_cases_are_written_by_name() {
    let mirror = Named::<Request>::new("mirror")
        .text("upstream", "shadow")
        .number("percent", 5)
        .flag("bodies", false)
        .texts("methods", &["GET"])
        .value("key", "a")
        .values("keys", vec!["a".into(), value!["b", "c"]])
        .reply("otherwise", Reply::new(503));
    let zone = NamedConstant::new("zone").text("of", "client");
    let weekday = NamedConstant::new("weekday").number("of", 1);
    let verdict = Verdict::<Request>::named(Named::new("hold"))
        .edit_named(Named::new("rename"))
        .effect_named(mirror)
        .reuse_named(weekday.flag("utc", true).texts("days", &["mo"]))
        .note(Value::from(zone))
        .into_contract();
    let shown = format!("{verdict:?}");
    for name in ["hold", "rename", "mirror", "weekday", "zone", "methods"] {
        assert!(
            shown.contains(&format!("name: {name:?}")),
            "{name}: {shown}"
        );
    }
}
