//! The example policy `tenant`: accepts known tenants and tells the upstream their tier.
//! It also exists in JavaScript and Python.

use std::collections::BTreeMap;

use janua_sdk::{Inputs, Policy, Reply, Request, Slot, Subscription, Verdict};

/// The configuration.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    tiers: BTreeMap<String, String>,
}

/// A configured `tenant`.
#[derive(Debug)]
pub struct Tenant {
    tiers: BTreeMap<String, String>,
    tenant: Slot<Request>,
}

impl Policy for Tenant {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        if config.tiers.is_empty() {
            return Err("`tiers`: name at least one tenant".to_owned());
        }
        let request = subscription.request();
        request.may_edit("x-tenant-tier").may_respond();
        Ok(Self {
            tiers: config.tiers,
            tenant: request.header("x-tenant"),
        })
    }

    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let refused = || Verdict::respond(Reply::new(403).text("Unknown tenant\n"));
        let verdict = match inputs.get(self.tenant) {
            None => refused().note("tenant:missing"),
            Some(tenant) => match self.tiers.get(tenant) {
                None => refused().note("tenant:unknown"),
                Some(tier) => Verdict::proceed().set_header("x-tenant-tier", tier),
            },
        };
        Ok(verdict.until_reload())
    }
}

janua_sdk::export!(
    Tenant,
    name = "tenant",
    schema = include_str!("../schema.json")
);

#[cfg(test)]
mod tests {
    use janua_sdk::testing::{Exchange, configure};

    use super::Tenant;

    const CONFIG: &str = r#"{"tiers": {"acme": "gold", "initech": "free"}}"#;

    #[test]
    fn known_tenants_pass_with_their_tier() {
        let policy = configure::<Tenant>(CONFIG).unwrap();
        for (tenant, tier) in [("acme", "gold"), ("initech", "free")] {
            let exchange = Exchange::get("https://shop.example/")
                .header("x-tenant", tenant)
                .header("x-tenant-tier", "spoofed");
            let got = policy.request(&exchange);
            assert_eq!(got.exchange.request_header("x-tenant-tier"), Some(tier));
        }
    }

    #[test]
    fn others_are_refused() {
        let policy = configure::<Tenant>(CONFIG).unwrap();
        let exchange = Exchange::get("https://shop.example/");
        let unknown = policy.request(&exchange.clone().header("x-tenant", "umbrella"));
        assert_eq!(
            (unknown.status(), unknown.note()),
            (403, Some("tenant:unknown"))
        );
        let missing = policy.request(&exchange);
        assert_eq!(
            (missing.status(), missing.note()),
            (403, Some("tenant:missing"))
        );
    }

    #[test]
    fn a_configuration_without_tenants_is_refused() {
        let error = configure::<Tenant>(r#"{"tiers": {}}"#).unwrap_err();
        assert_eq!(error, "`tiers`: name at least one tenant");
    }
}
