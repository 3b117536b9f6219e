//! Clients beside each other on one worker, in simulated time.

use std::net::IpAddr;

use super::*;

const SECOND: u64 = 1_000;

fn client(address: &str) -> ClientKey {
    address.parse::<IpAddr>().unwrap().into()
}

/// The client of a number in an IPv6 network of 48 bits.
fn of_network(number: u64) -> ClientKey {
    let address = format!("2001:db8:1:{:x}::1", number % 65_536);
    client(&address)
}

/// A source of calls at even distances.
struct Source {
    per_second: u64,
    cost: Duration,
    client: Box<dyn FnMut(u64) -> ClientKey>,
    trap: bool,
    /// Calls that are due, in thousandths.
    due: u64,
    sent: u64,
    outcome: Outcome,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Outcome {
    made: u64,
    throttled: u64,
    overloaded: u64,
    /// Seconds of CPU time.
    used: f64,
}

impl Source {
    fn new(per_second: u64, micros: u64, client: impl FnMut(u64) -> ClientKey + 'static) -> Self {
        Self {
            per_second,
            cost: Duration::from_micros(micros),
            client: Box::new(client),
            trap: false,
            due: 0,
            sent: 0,
            outcome: Outcome::default(),
        }
    }

    fn of(address: &str, per_second: u64, micros: u64) -> Self {
        let client = client(address);
        Self::new(per_second, micros, move |_| client)
    }

    fn refused(&self) -> u64 {
        self.outcome.throttled + self.outcome.overloaded
    }
}

/// Lets the sources call for so many seconds. Only what comes after a second is counted.
fn simulate(options: &ThrottleOptions, seconds: u64, sources: &mut [Source]) {
    let mut throttle = Throttle::new(options);
    let count = sources.len();
    for now_ms in 0..seconds * SECOND {
        if now_ms == SECOND {
            for source in &mut *sources {
                source.outcome = Outcome::default();
            }
        }
        // Not always in the same order: at the limit, the first to come is served.
        let first = (now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize;
        for place in 0..count {
            let source = &mut sources[(first + place) % count];
            source.due += source.per_second;
            while source.due >= 1_000 {
                source.due -= 1_000;
                let client = (source.client)(source.sent);
                source.sent += 1;
                let outcome = &mut source.outcome;
                match throttle.admit(client, now_ms) {
                    Ok(()) => {
                        outcome.made += 1;
                        outcome.used += source.cost.as_secs_f64();
                        throttle.pay_call(client, source.cost, now_ms);
                        if source.trap {
                            throttle.forfeit(client, now_ms);
                        }
                    }
                    Err(Shed::Client) => outcome.throttled += 1,
                    Err(Shed::All) => outcome.overloaded += 1,
                }
            }
        }
    }
}

/// Light clients: twenty that use 0.2 % of the worker each.
fn light() -> Source {
    Source::new(100, 400, |n| client(&format!("198.51.100.{}", n % 20)))
}

#[test]
fn below_the_share_nobody_is_refused() {
    let mut sources = [Source::of("192.0.2.1", 900, 500), light()];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    assert!(sources.iter().all(|source| source.refused() == 0));
}

#[test]
fn a_flood_of_one_client_takes_nothing_from_light_ones() {
    // As much as the worker has, and four times as much as it has.
    for per_second in [2_000, 8_000] {
        let mut sources = [Source::of("192.0.2.1", per_second, 500), light()];
        simulate(&ThrottleOptions::default(), 20, &mut sources);
        let [flood, light] = &sources;
        assert_eq!(light.refused(), 0, "{:?}", light.outcome);
        assert!(flood.outcome.throttled > 0);
        assert_eq!(flood.outcome.overloaded, 0, "{:?}", flood.outcome);
        let used = (flood.outcome.used + light.outcome.used) / 19.0;
        assert!((0.45..0.51).contains(&used), "{used}");
    }
}

/// A client gets what the others leave, but not more than its share where they need it.
#[test]
fn a_flood_is_held_to_its_share_while_others_need_the_rest() {
    // Twenty clients that use 2.3 % each, together 46 %.
    let busy = Source::new(460, 1_000, |n| client(&format!("198.51.100.{}", n % 20)));
    let mut sources = [Source::of("192.0.2.1", 8_000, 500), busy];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let [flood, busy] = &sources;
    assert_eq!(busy.refused(), 0, "{:?}", busy.outcome);
    assert!(flood.outcome.used / 19.0 < 0.125, "{:?}", flood.outcome);
}

#[test]
fn of_many_heavy_clients_each_gets_the_same() {
    let heavy = |n: u8| Source::of(&format!("192.0.2.{n}"), 100 + 100 * u64::from(n), 500);
    let mut sources: Vec<Source> = (1..=20).map(heavy).collect();
    sources.push(light());
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let light = sources.pop().unwrap();
    assert_eq!(light.refused(), 0, "{:?}", light.outcome);
    for source in &sources {
        let used = source.outcome.used / 19.0;
        assert!((0.01..0.04).contains(&used), "{used}");
        assert_eq!(source.outcome.overloaded, 0);
    }
}

/// Each call is for another client, of the same IPv6 network of 48 bits.
#[test]
fn a_flood_of_one_network_takes_nothing_from_light_clients() {
    let mut sources = [Source::new(8_000, 500, of_network), light()];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let [flood, light] = &sources;
    assert_eq!(light.refused(), 0, "{:?}", light.outcome);
    assert!(flood.outcome.throttled > 0);
}

/// Each call is for another client, and none of them is heavy. What is left is that the
/// policy keeps to its share, and that others lose no more than in proportion.
#[test]
fn a_flood_of_addresses_costs_all_about_the_same_proportion() {
    let anyone = |n: u64| {
        client(&format!(
            "10.{}.{}.{}",
            n >> 16 & 255,
            n >> 8 & 255,
            n & 255
        ))
    };
    let mut sources = [Source::new(2_000, 500, anyone), light()];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let [flood, light] = &sources;
    let used = (flood.outcome.used + light.outcome.used) / 19.0;
    // The allowance was full at first.
    assert!((0.45..0.55).contains(&used), "{used}");
    let made = light.outcome.made * 100 / (light.outcome.made + light.refused());
    assert!((25..75).contains(&made), "{made} %: {:?}", light.outcome);
}

#[test]
fn a_trapping_client_harms_nobody_else() {
    let mut trapping = Source::of("192.0.2.1", 2, 1_000);
    trapping.trap = true;
    let mut sources = [trapping, light()];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    assert_eq!(sources[1].refused(), 0);
    // And if the policy's time is short, it goes before clients who use as much.
    let heavy = Source::new(3_200, 200, |n| client(&format!("203.0.113.{}", n % 40)));
    let mut trapping = Source::of("192.0.2.1", 10, 1_000);
    trapping.trap = true;
    let honest = Source::of("192.0.2.2", 10, 1_000);
    let mut sources = [trapping, honest, heavy];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let [trapping, honest, _] = &sources;
    assert!(trapping.outcome.throttled * 2 > trapping.outcome.made);
    assert!(
        honest.outcome.throttled * 20 < honest.outcome.made,
        "{:?}",
        honest.outcome
    );
}

/// Its calls are cheap here, because spare instances are made elsewhere.
#[test]
fn a_client_whose_calls_all_trap_is_held_off() {
    let mut trapping = Source::of("192.0.2.1", 5_000, 10);
    trapping.trap = true;
    let mut sources = [trapping, light()];
    simulate(&ThrottleOptions::default(), 20, &mut sources);
    let [trapping, light] = &sources;
    assert!(trapping.outcome.made < 20 * 60, "{:?}", trapping.outcome);
    assert_eq!(light.refused(), 0, "{:?}", light.outcome);
}

/// The cost of instances alone refuses nobody but the client that causes it.
#[test]
fn instances_are_paid_by_the_client_that_ends_them() {
    let mut throttle = Throttle::new(&ThrottleOptions::default());
    let (trapping, other) = (client("192.0.2.1"), client("192.0.2.2"));
    for now_ms in [1_000, 1_001, 1_002] {
        throttle.pay_instance(Some(trapping), Duration::from_millis(800), now_ms);
    }
    assert_eq!(throttle.admit(other, 1_002), Ok(()));
    assert_eq!(throttle.admit(trapping, 1_002), Err(Shed::Client));
}

#[test]
fn a_long_call_delays_the_others_by_a_second_at_most() {
    let mut throttle = Throttle::new(&ThrottleOptions::default());
    let (long, other) = (client("192.0.2.1"), client("192.0.2.2"));
    throttle.pay_call(long, Duration::from_secs(30), 1_000);
    assert_eq!(throttle.admit(other, 1_000), Err(Shed::All));
    assert_eq!(throttle.admit(other, 2_001), Ok(()));
    assert_eq!(throttle.admit(long, 2_001), Err(Shed::Client));
}

#[test]
fn the_whole_time_is_no_limit() {
    let options = ThrottleOptions {
        share_percent: 100,
        client_share_percent: 1,
    };
    let mut sources = [Source::of("192.0.2.1", 8_000, 500)];
    simulate(&options, 5, &mut sources);
    assert_eq!(sources[0].refused(), 0);
}

/// The moment of an exchange that has waited lies before those of later ones.
#[test]
fn time_does_not_run_backwards() {
    let mut throttle = Throttle::new(&ThrottleOptions::default());
    let one = client("192.0.2.1");
    throttle.pay_call(one, Duration::from_secs(1), 5_000);
    assert_eq!(throttle.admit(one, 10), Err(Shed::All));
    throttle.pay_call(one, Duration::from_secs(1), 10);
    assert_eq!(throttle.admit(client("192.0.2.2"), 7_001), Ok(()));
}
