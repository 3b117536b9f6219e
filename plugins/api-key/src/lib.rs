//! The bundled policy `api-key`: refuses requests without a known key, and tells the
//! upstream which consumer the key belongs to.
//!
//! Keys are kept as SHA-256 only. An API key is random and long, so a slow password hash
//! would not make it safer, but would slow down each request with a new key.

mod config;
mod digest;
mod keys;
#[cfg(test)]
mod tests;

use janua_sdk::{Input, Inputs, Policy, Reply, Request, Slot, Subscription, Verdict, syntax};

use crate::config::Config;
use crate::digest::Digest;
use crate::keys::Keys;

/// A configured `api-key`.
pub struct ApiKey {
    key: Slot<Request>,
    keys: Keys,
    consumer_header: Option<String>,
    /// The field with the key, if it is removed.
    strip: Option<String>,
    /// The refusals are made once: a client that invents keys causes a call for each.
    missing: Verdict<Request>,
    unknown: Verdict<Request>,
}

impl Policy for ApiKey {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        let Config {
            header,
            keys,
            keys_file,
            keys_env,
            consumer_header,
            strip,
        } = config;
        let header = syntax::field_name(&header).map_err(|why| at("header", &why))?;
        let consumer_header = match consumer_header.as_str() {
            "" => None,
            name => Some(syntax::field_name(name).map_err(|why| at("consumer_header", &why))?),
        };
        if consumer_header.as_ref() == Some(&header) {
            return Err("`consumer_header`: the same field as `header`".to_owned());
        }

        let mut known = Keys::default();
        for (consumer, digests) in keys {
            for digest in digests.0 {
                known
                    .add(&consumer, digest)
                    .map_err(|why| at("keys", &why))?;
            }
        }
        for (field, lines) in [("keys_file", keys_file), ("keys_env", keys_env)] {
            known.add_lines(&lines).map_err(|why| at(field, &why))?;
        }
        if known.is_empty() {
            return Err("there is no key: give `keys`, `keys_file` or `keys_env`".to_owned());
        }
        if let Some(name) = &consumer_header {
            subscription.owns(name);
        }
        let request = subscription.request().may_respond();
        if strip {
            request.may_edit(&header);
        }
        let detail = ["The field ", &header, " is missing."].concat();
        Ok(Self {
            key: request.sensitive(Input::Header(header.clone())),
            keys: known,
            consumer_header,
            strip: strip.then_some(header),
            missing: refused("api-key:missing", &detail),
            unknown: refused("api-key:unknown", "The key is not known."),
        })
    }

    fn on_request(&self, inputs: &Inputs<Request>) -> Result<Verdict<Request>, String> {
        let Some(key) = inputs.get(self.key) else {
            return Ok(self.missing.clone());
        };
        let Some(consumer) = self.keys.consumer(Digest::of(key)) else {
            return Ok(self.unknown.clone());
        };
        let mut verdict = Verdict::proceed().until_reload();
        if let Some(header) = &self.strip {
            verdict = verdict.remove_header(header);
        }
        if let Some(name) = &self.consumer_header {
            verdict = verdict.set_header(name, consumer);
        }
        Ok(verdict)
    }
}

fn refused(note: &str, detail: &str) -> Verdict<Request> {
    let reply = Reply::new(401)
        .header("www-authenticate", "ApiKey")
        .problem("Unauthorized", detail);
    Verdict::respond(reply).note(note).until_reload()
}

fn at(field: &str, message: &str) -> String {
    ["`", field, "`: ", message].concat()
}

janua_sdk::export!(
    ApiKey,
    name = "api-key",
    schema = include_str!("../schema.json")
);
