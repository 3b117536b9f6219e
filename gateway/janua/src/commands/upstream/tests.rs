use janua_admin::{
    AbsentEndpoint, CheckStatus, EndpointAnswer, EndpointStatus, Health, ShareStatus, SplitStatus,
    UpstreamStatus,
};

use super::{drained, said, splits, table, undrained, weighed};

fn endpoint(address: &str) -> EndpointStatus {
    EndpointStatus {
        address: address.to_owned(),
        name: None,
        addresses: Vec::new(),
        weight: 1,
        configured_weight: None,
        draining: false,
        backup: false,
        zone: None,
        health: Health::Up,
        in_flight: 0,
        idle: 2,
        requests: 1_000,
        fails: 0,
        down_since_unix_ms: None,
        last_error: None,
        failed: None,
        failed_count: 0,
        last_error_detail: None,
        is_tried: false,
        check: None,
    }
}

fn answer(endpoint: EndpointStatus, changed: bool) -> EndpointAnswer {
    EndpointAnswer {
        upstream: "app".to_owned(),
        address: endpoint.address.clone(),
        endpoint: Some(endpoint),
        changed,
        warnings: Vec::new(),
    }
}

#[test]
fn a_row_for_each_endpoint_and_for_those_taken_out_that_are_gone() {
    let upstream = UpstreamStatus {
        name: "app".to_owned(),
        balance: "round_robin".to_owned(),
        limits: Vec::new(),
        sources: Vec::new(),
        endpoints: vec![
            endpoint("a:80"),
            EndpointStatus {
                weight: 0,
                configured_weight: Some(5),
                ..endpoint("b:80")
            },
            EndpointStatus {
                draining: true,
                in_flight: 12,
                ..endpoint("c:80")
            },
            EndpointStatus {
                draining: true,
                backup: true,
                zone: Some("b".to_owned()),
                ..endpoint("d:80")
            },
            EndpointStatus {
                health: Health::Unresolved,
                last_error: Some("no such\nname".to_owned()),
                ..endpoint("e:80")
            },
        ],
    };
    let expected = "  \
  UPSTREAM  ENDPOINT  STATE       WEIGHT  IN FLIGHT  REQUESTS  FAILURES  BACKUP  ZONE  NOTES
  app       a:80      up               1          0     1,000         0  no      -
  app       b:80      up               0          0     1,000         0  no      -     weight 5 in the configuration
  app       c:80      draining         1         12     1,000         0  no      -
  app       d:80      drained          1          0     1,000         0  yes     b
  app       e:80      unresolved       1          0     1,000         0  no      -     no such name
  app       z:80      absent           -          -         -         -  -       -     \
         taken out; stays out if it comes back, until `janua upstream undrain`";
    let absent = AbsentEndpoint {
        upstream: "app".to_owned(),
        address: "z:80".to_owned(),
    };
    assert_eq!(table(&[upstream], &[absent]), expected);
    assert_eq!(table(&[], &[]), "there is no upstream");
}

#[test]
fn a_row_for_each_upstream_of_a_split() {
    let share = |upstream: &str, weight, configured_weight| ShareStatus {
        upstream: upstream.to_owned(),
        weight,
        configured_weight,
    };
    let split = |route: &str, shares| SplitStatus {
        route: route.to_owned(),
        shares,
    };
    let all = [
        split(
            "a.example/api",
            vec![share("v1", 2, None), share("v2", 1, Some(5))],
        ),
        split("b.example/", vec![share("v1", 0, None)]),
    ];
    let expected = "  \
  ROUTE          UPSTREAM  WEIGHT  SHARE  NOTES
  a.example/api  v1             2   66 %
  a.example/api  v2             1   33 %  weight 5 in the configuration
  b.example/     v1             0      -
";
    assert_eq!(splits(&all), expected);
}

#[test]
fn what_was_done_is_said_in_words() {
    let busy = EndpointStatus {
        in_flight: 1,
        ..endpoint("a:80")
    };
    let waiting = EndpointStatus {
        health: Health::Waiting,
        ..endpoint("a:80")
    };
    let failed = EndpointStatus {
        health: Health::Down,
        check: Some(CheckStatus {
            state: "waiting".to_owned(),
            contrary: 1,
            checked_unix_ms: Some(1),
        }),
        ..endpoint("a:80")
    };
    let table = [
        (
            drained(&answer(busy, true)),
            "app: a:80 is taken out; 1 request in flight there",
        ),
        (
            drained(&answer(endpoint("a:80"), false)),
            "app: a:80 was taken out before; no request is in flight there",
        ),
        (
            undrained(&answer(endpoint("a:80"), true)),
            "app: a:80 is let in again",
        ),
        (
            undrained(&answer(waiting, true)),
            "app: a:80 is let in again, and gets requests once a check has passed",
        ),
        (
            undrained(&answer(failed, true)),
            "app: a:80 is let in again, and gets requests once a check has passed",
        ),
        (
            undrained(&answer(endpoint("a:80"), false)),
            "app: a:80 was not taken out",
        ),
        (
            undrained(&EndpointAnswer {
                endpoint: None,
                ..answer(endpoint("a:80"), true)
            }),
            "app: a:80 is let in again, and gets requests if it comes back: it is not there now",
        ),
    ];
    for (said, expected) in table {
        assert_eq!(said, expected);
    }
    let heavy = EndpointStatus {
        weight: 7,
        configured_weight: Some(1),
        ..endpoint("a:80")
    };
    assert_eq!(
        weighed(&answer(heavy, true)),
        "app: a:80 has the weight 7 until the next reload; in the configuration it has 1"
    );
    let mut last = answer(endpoint("a:80"), true);
    last.warnings = vec!["no other\u{1b} endpoint is left".to_owned()];
    assert_eq!(
        said(drained(&last), &last).person,
        "app: a:80 is taken out; no request is in flight there\n\
         warning: no other\u{fffd} endpoint is left"
    );
}
