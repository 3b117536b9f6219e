//! Waits until a value is there.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::ask::Question;
use super::{Check, Lookup};
use crate::error::Error;

/// The wait after the first round, doubled after each further one, and its limit.
const PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(10);

/// What is left for the last round. With less, none is started.
const LAST: Duration = Duration::from_secs(1);

/// Who has to have the value.
struct Holder {
    /// As in a sentence: `ns2.example.net.`, `the resolver`.
    title: String,
    /// Where it is asked. All that answer must have the value, and at least one.
    addresses: Vec<SocketAddr>,
}

/// What was heard at an address.
enum Heard {
    Value,
    /// Something else, as the end of a sentence.
    Other(String),
    Nothing(String),
}

impl Lookup {
    pub(super) async fn wait(
        &self,
        name: &Name,
        value: &str,
        deadline: Instant,
    ) -> Result<(), Error> {
        if self.settings.check == Check::Off {
            return Ok(());
        }
        // Those that do not have it yet, once they are known.
        let mut holders = None;
        let mut complaint = Error::new(format!(
            "The name servers of `{name}` did not answer in time."
        ));
        let mut pause = *PAUSE.start();
        loop {
            match timeout_at(deadline, self.round(name, value, &mut holders)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => complaint = error,
                Err(_) => return Err(complaint),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(left) = left.checked_sub(LAST) else {
                return Err(complaint);
            };
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(*PAUSE.end());
        }
    }

    /// Asks everybody who did not have the value in the last round.
    async fn round(
        &self,
        name: &Name,
        value: &str,
        holders: &mut Option<Vec<Holder>>,
    ) -> Result<(), Error> {
        let pending = match holders {
            Some(pending) => pending,
            None => holders.insert(self.holders(name).await?),
        };
        let question = Question {
            name: name.clone(),
            kind: RecordType::TXT,
            recursive: self.settings.check == Check::Resolvers,
        };
        let heard = self.hear(&question, value, pending).await;
        let mut complaints = Vec::new();
        let mut heard = heard.iter();
        pending.retain(|holder| {
            let heard = heard.next().map(Vec::as_slice).unwrap_or_default();
            let missing = complaints_about(holder, heard);
            complaints.extend_from_slice(&missing);
            !missing.is_empty()
        });
        match complaints.is_empty() {
            true => Ok(()),
            false => {
                let all = complaints.join("; ");
                Err(Error::new(format!("`{name}`: {all}.")))
            }
        }
    }

    async fn holders(&self, name: &Name) -> Result<Vec<Holder>, Error> {
        if self.settings.check == Check::Resolvers {
            return Ok(vec![Holder {
                title: "the resolver".to_owned(),
                addresses: self.resolvers()?,
            }]);
        }
        let servers = self.name_servers(name).await?.into_iter();
        let holders = servers.map(|server| Holder {
            title: server.name.to_ascii(),
            addresses: server.addresses,
        });
        Ok(holders.collect())
    }

    /// Asks all at all addresses at once. What was heard, by holder.
    async fn hear(
        &self,
        question: &Question,
        value: &str,
        holders: &[Holder],
    ) -> Vec<Vec<(SocketAddr, Heard)>> {
        let mut asked = JoinSet::new();
        for (n, holder) in holders.iter().enumerate() {
            for &address in &holder.addresses {
                let (question, value) = (question.clone(), value.to_owned());
                let limit = self.settings.timeout;
                asked.spawn(async move {
                    let heard = hear(&question, &value, address, limit).await;
                    (n, address, heard)
                });
            }
        }
        let mut all: Vec<_> = holders.iter().map(|_| Vec::new()).collect();
        while let Some(joined) = asked.join_next().await {
            if let Ok((n, address, heard)) = joined
                && let Some(of_holder) = all.get_mut(n)
            {
                of_holder.push((address, heard));
            }
        }
        for heard in &mut all {
            heard.sort_by_key(|(address, _)| *address);
        }
        all
    }
}

async fn hear(question: &Question, value: &str, server: SocketAddr, limit: Duration) -> Heard {
    let response = match question.ask(server, limit).await {
        Ok(response) => response,
        Err(silence) => return Heard::Nothing(silence.to_string()),
    };
    if response.texts().any(|text| text == value.as_bytes()) {
        return Heard::Value;
    }
    if !response.is_definite() {
        return Heard::Other(format!("answered {}", response.code_text()));
    }
    let others = match response.texts().count() {
        0 if response.code == ResponseCode::NXDomain => "the name does not exist there".to_owned(),
        0 => "it has none".to_owned(),
        1 => "it has 1 other value".to_owned(),
        n => format!("it has {n} other values"),
    };
    Heard::Other(format!("does not have the value yet; {others}"))
}

/// None if the holder has the value.
fn complaints_about(holder: &Holder, heard: &[(SocketAddr, Heard)]) -> Vec<String> {
    let title = &holder.title;
    if heard.is_empty() {
        return vec![format!("{title} has no address that could be looked up")];
    }
    let has_value = heard.iter().any(|(_, heard)| matches!(heard, Heard::Value));
    let complaints = heard.iter().filter_map(|(address, heard)| match heard {
        Heard::Value => None,
        Heard::Nothing(_) if has_value => None,
        Heard::Other(what) | Heard::Nothing(what) => {
            Some(format!("{title} ({}) {what}", address.ip()))
        }
    });
    complaints.collect()
}
