//! The bundled policy `rate-limit`: a token bucket for each client, or for each value of
//! another key.
//!
//! The gateway holds the buckets. The key is a reference, so the verdict is the same for
//! all requests and one call suffices.

mod config;
mod rate;
#[cfg(test)]
mod tests;

use janua_sdk::{
    Bucket, Inputs, Policy, Reply, Request, Subscription, Take, Value, Verdict, input_named, syntax,
};

use crate::config::Config;

/// A configured `rate-limit`.
#[derive(Debug)]
pub struct RateLimit {
    take: Take,
}

impl Policy for RateLimit {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        let Config {
            rate, burst, cost, ..
        } = config;
        if cost == 0 {
            return Err("`cost`: at least 1".to_owned());
        }
        if cost > burst.saturating_add(1) {
            return Err(format!(
                "`cost`: the bucket holds {} (`burst` + 1), so {cost} could never be taken",
                burst.saturating_add(1)
            ));
        }
        let status = syntax::status(config.status).map_err(|message| at("status", &message))?;
        let request = subscription.request().may_take();
        let key = match config.key.as_str() {
            "" | "constant" => Value::new(),
            name => {
                let input = input_named(name).map_err(|message| at("key", &message))?;
                request
                    .refer(input)
                    .map_err(|message| at("key", &message))?
                    .into()
            }
        };
        let bucket = Bucket::new(rate.tokens, rate.period_ms)
            .key(key, config.absent.into())
            .burst(burst);
        let take = Take::new(bucket)
            .cost(cost)
            .otherwise(Reply::new(status).text(config.body));
        Ok(Self { take })
    }

    fn on_request(&self, _: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        Ok(Verdict::proceed().take(self.take.clone()).until_reload())
    }
}

fn at(field: &str, message: &str) -> String {
    ["`", field, "`: ", message].concat()
}

janua_sdk::export!(
    RateLimit,
    name = "rate-limit",
    schema = include_str!("../schema.json")
);
