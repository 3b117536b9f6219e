//! A provider of DNS behind a webhook.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Challtestsrv;
use super::challtestsrv::{clear_txt, set_txt};
use crate::message::{Received, Reply};
use crate::upstream::Upstream;

/// A service that sets and removes TXT records when the gateway asks for it. The records are
/// those of a [`Challtestsrv`].
#[derive(Debug)]
pub struct DnsWebhook {
    server: Upstream,
    state: Arc<State>,
}

/// A request that had the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookCall {
    /// `present` or `cleanup`.
    pub action: String,
    /// The domain that is to be validated.
    pub domain: String,
    /// The name of the record.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What `present` answered, which `cleanup` repeats.
    pub record: Option<Value>,
}

/// A record that is there: its identifier, name and value.
type Present = (u64, String, String);

#[derive(Debug)]
struct State {
    dns: SocketAddr,
    token: String,
    calls: Mutex<Vec<WebhookCall>>,
    refused: Mutex<Vec<String>>,
    failures: Mutex<Vec<(u16, String)>>,
    present: tokio::sync::Mutex<(u64, Vec<Present>)>,
}

impl DnsWebhook {
    /// Before this server, for those that have this token.
    pub async fn of(dns: &Challtestsrv, token: &str) -> Self {
        let state = Arc::new(State {
            dns: dns.management(),
            token: token.to_owned(),
            calls: Mutex::default(),
            refused: Mutex::default(),
            failures: Mutex::default(),
            present: tokio::sync::Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let server = Upstream::http(move |request| {
            let state = Arc::clone(&shared);
            async move { state.answer(&request).await }
        });
        Self {
            server: server.await,
            state,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/dns", self.server.endpoint())
    }

    /// The next request is answered with this status and this body.
    pub fn fail(&self, status: u16, body: &str) {
        let mut failures = self.state.failures.lock().unwrap();
        failures.push((status, body.to_owned()));
    }

    /// The requests that were understood, in order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<WebhookCall> {
        self.state.calls.lock().unwrap().clone()
    }

    /// Those with one action.
    #[must_use]
    pub fn calls_of(&self, action: &str) -> Vec<WebhookCall> {
        let mut calls = self.calls();
        calls.retain(|call| call.action == action);
        calls
    }

    /// Why requests were refused.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.state.refused.lock().unwrap().clone()
    }

    /// The records that are there: names and values.
    pub async fn present(&self) -> Vec<(String, String)> {
        let present = self.state.present.lock().await;
        let records = present.1.iter();
        records
            .map(|(_, name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl State {
    async fn answer(&self, request: &Received) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {}", self.token)) {
            return self.refuse(401, "not the token");
        }
        let failure = self.failures.lock().unwrap().pop();
        if let Some((status, body)) = failure {
            return self.refuse(status, &body);
        }
        let call = match read(request) {
            Ok(call) => call,
            Err(why) => return self.refuse(400, &why),
        };
        self.calls.lock().unwrap().push(call.clone());
        match call.action.as_str() {
            "present" => self.set(&call).await,
            _ => self.clean_up(&call).await,
        }
    }

    async fn set(&self, call: &WebhookCall) -> Reply {
        let mut present = self.present.lock().await;
        let (last, records) = &mut *present;
        *last += 1;
        let record = (*last, call.name.clone(), call.value.clone());
        set_txt(self.dns, &call.name, &call.value).await;
        records.push(record);
        let answer = json!({ "record": { "id": *last } });
        Reply::ok(answer.to_string()).header("Content-Type", "application/json")
    }

    /// Removes the record with the identifier and no other, as one for a wildcard has the same
    /// name as that for the domain.
    async fn clean_up(&self, call: &WebhookCall) -> Reply {
        let mut present = self.present.lock().await;
        let records = &mut present.1;
        let id = call
            .record
            .as_ref()
            .and_then(|record| record["id"].as_u64());
        let found = records.iter().position(|record| Some(record.0) == id);
        let Some(at) = found else {
            return self.refuse(404, &format!("no such record: {call:?}"));
        };
        let (_, name, value) = records.remove(at);
        if (&name, &value) != (&call.name, &call.value) {
            return self.refuse(
                409,
                &format!("another record has this identifier: {call:?}"),
            );
        }
        clear_txt(self.dns, &name).await;
        for (_, other, value) in records.iter() {
            if *other == name {
                set_txt(self.dns, &name, value).await;
            }
        }
        Reply::ok("{}").header("Content-Type", "application/json")
    }

    fn refuse(&self, status: u16, why: &str) -> Reply {
        self.refused.lock().unwrap().push(why.to_owned());
        Reply::new(status).body(why)
    }
}

fn read(request: &Received) -> Result<WebhookCall, String> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    if request.method != "POST" || request.target != "/dns" {
        return Err(format!("{} {}", request.method, request.target));
    }
    let text = |field: &str| {
        let value = body[field].as_str().map(ToOwned::to_owned);
        value.ok_or_else(|| format!("no `{field}` in {body}"))
    };
    let action = text("action")?;
    if !["present", "cleanup"].contains(&action.as_str()) {
        return Err(format!("no action: {action}"));
    }
    Ok(WebhookCall {
        action,
        domain: text("domain")?,
        name: text("name")?,
        value: text("value")?,
        record: body.get("record").cloned(),
    })
}
