//! What the gateway reports about policies.

use janua_tests::Gateway;
use serde_json::Value;

/// The values of all lines of a field, in their order.
pub(crate) fn lines<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let named = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

/// The status of a policy.
pub(crate) async fn state_of(gateway: &Gateway, policy: &str) -> Value {
    let status = gateway.status().await;
    let all = status["policies"].as_array().unwrap();
    let mut named = all.iter().filter(|state| state["name"] == policy);
    let state = named
        .next()
        .unwrap_or_else(|| panic!("no policy {policy}: {all:?}"));
    assert_eq!(named.next(), None, "{policy} is there twice");
    state.clone()
}

/// The number of a policy's failures of one kind, from the metrics.
pub(crate) async fn failures(gateway: &Gateway, policy: &str, kind: &str) -> f64 {
    let labels = [("policy", policy), ("kind", kind)];
    gateway.metric("janua_policy_failures_total", &labels).await
}
