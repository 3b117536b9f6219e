use std::time::Duration;

use super::Samples;
use crate::metrics::Registry;
use crate::metrics::definitions::{
    BUILD, ENDPOINT_HEALTHY, POLICY_CALLS, REQUESTS, REQUESTS_IN_FLIGHT, UPSTREAM_HEAD,
};

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("# HELP"))
        .collect()
}

#[test]
fn counters_of_a_family_stand_together_under_one_type_line() {
    let registry = Registry::new(2);
    registry
        .counter(&REQUESTS, ["shop", "/api/", "5xx"])
        .add(1, 2);
    registry
        .counter(&REQUESTS, ["shop", "/api/", "2xx"])
        .add(0, 40);
    let text = registry.render(&Samples::default());
    assert_eq!(
        lines(&text),
        [
            "# TYPE janua_requests_total counter",
            r#"janua_requests_total{site="shop",route="/api/",status="2xx"} 40"#,
            r#"janua_requests_total{site="shop",route="/api/",status="5xx"} 2"#,
        ]
    );
    assert!(text.starts_with("# HELP janua_requests_total Requests, by status class"));
    assert!(text.ends_with('\n'));
}

#[test]
fn a_histogram_has_cumulative_buckets_sum_and_count() {
    let registry = Registry::new(1);
    let histogram = registry.histogram(&UPSTREAM_HEAD, ["sales"]);
    histogram.observe(0, Duration::from_millis(7));
    histogram.observe(0, Duration::from_millis(1500));
    let text = registry.render(&Samples::default());
    let lines = lines(&text);
    assert_eq!(lines.len(), 1 + 12 + 2);
    for line in [
        "# TYPE janua_upstream_head_seconds histogram",
        r#"janua_upstream_head_seconds_bucket{upstream="sales",le="0.005"} 0"#,
        r#"janua_upstream_head_seconds_bucket{upstream="sales",le="0.01"} 1"#,
        r#"janua_upstream_head_seconds_bucket{upstream="sales",le="2.5"} 2"#,
        r#"janua_upstream_head_seconds_bucket{upstream="sales",le="+Inf"} 2"#,
        r#"janua_upstream_head_seconds_sum{upstream="sales"} 1.507000000"#,
        r#"janua_upstream_head_seconds_count{upstream="sales"} 2"#,
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn label_values_are_escaped() {
    let table = [
        ("plain", "plain"),
        (r#"a"b"#, r#"a\"b"#),
        (r"a\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        ("größe", "größe"),
    ];
    for (value, written) in table {
        let registry = Registry::new(1);
        let _ = registry.gauge(&BUILD, [value]);
        let text = registry.render(&Samples::default());
        let expected = format!("janua_build_info{{version=\"{written}\"}} 0");
        assert_eq!(lines(&text)[1], expected);
    }
}

#[test]
fn samples_join_their_family_and_replace_series_with_the_same_labels() {
    let registry = Registry::new(1);
    let _ = registry.gauge(&ENDPOINT_HEALTHY, ["sales", "10.0.0.1:80"]);
    registry.gauge(&REQUESTS_IN_FLIGHT, []).add(0, 3);
    let mut samples = Samples::default();
    samples.gauge(&ENDPOINT_HEALTHY, ["sales", "10.0.0.1:80"], 1.0);
    samples.gauge(&ENDPOINT_HEALTHY, ["sales", "10.0.0.2:80"], 0.0);
    samples.counter(&POLICY_CALLS, ["jwt"], 0.25);
    let text = registry.render(&samples);
    assert_eq!(
        lines(&text),
        [
            "# TYPE janua_requests_in_flight gauge",
            "janua_requests_in_flight 3",
            "# TYPE janua_endpoint_healthy gauge",
            r#"janua_endpoint_healthy{upstream="sales",endpoint="10.0.0.1:80"} 1"#,
            r#"janua_endpoint_healthy{upstream="sales",endpoint="10.0.0.2:80"} 0"#,
            "# TYPE janua_policy_calls_total counter",
            r#"janua_policy_calls_total{policy="jwt"} 0.25"#,
        ]
    );
}

#[test]
fn an_empty_registry_has_an_empty_exposition() {
    assert_eq!(Registry::new(1).render(&Samples::default()), "");
}
