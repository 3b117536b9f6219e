//! What authorities say about certificates that they have issued: when to renew them
//! (RFC 9773), and which they have revoked.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::Error;
use janua_tls::Certificate;

use super::{Done, Keeper, Key};
use crate::attempt;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::http::{last_wait, noticing_waits};
use crate::order::certificate_identifier;
use crate::schedule::{Window, ask_again};
use crate::settings::Authority;
use crate::subject::Now;

/// What an authority has said about a certificate.
pub(super) struct Advice {
    window: Option<(Window, Option<String>)>,
    ask_again: Duration,
    is_revoked: bool,
}

/// How often it is looked whether a certificate is revoked.
const LOOK_AGAIN: Duration = Duration::from_secs(6 * 60 * 60);

/// How many lists of one certificate are fetched: it has one, and names the same again by
/// another protocol.
const MOST_LISTS: usize = 2;

impl Keeper {
    /// Asks the authority about a certificate.
    pub(super) fn seek_advice(&mut self, key: &Key, now: Now) {
        let Some(held) = self.subjects.get_mut(key).and_then(|one| one.held.as_mut()) else {
            return;
        };
        // Until the answer is there.
        held.ask_at = now.monotonic.checked_add(ask_again(None));
        let looks = held.look_at.is_none_or(|moment| now.monotonic >= moment);
        if looks {
            held.look_at = now.monotonic.checked_add(LOOK_AGAIN);
        }
        let Some(authority) = self.plan.authority(&held.issuer).cloned() else {
            return;
        };
        // What a certificate was issued by may be gone from the configuration.
        if authority.directory != held.directory {
            return;
        }
        self.asked_about += 1;
        let certificate = Arc::clone(&held.certificate);
        let (desk, key) = (Rc::clone(&self.desk), key.clone());
        self.tasks.spawn_local(async move {
            let asked = ask(&desk, &authority, &key.1, &certificate);
            let mut advice = noticing_waits(asked).await;
            if looks && is_in_list(&desk, &key.1, &certificate).await {
                advice.is_revoked = true;
            }
            Done::Advised(key, certificate.facts().fingerprint.clone(), advice)
        });
    }

    pub(super) fn take_advice(&mut self, key: &Key, fingerprint: &str, advice: Advice) {
        let now = self.look();
        let held = self.subjects.get_mut(key).and_then(|one| one.held.as_mut());
        // It may have been replaced since, and what was said is not about its successor.
        let Some(held) = held.filter(|held| held.certificate.facts().fingerprint == fingerprint)
        else {
            return;
        };
        held.ask_at = now.monotonic.checked_add(advice.ask_again);
        if advice.is_revoked {
            tracing::error!(
                name = key.1,
                fingerprint,
                "the authority has revoked the certificate; another is ordered"
            );
            self.note_revoked(key, fingerprint);
            return;
        }
        let Some((window, explanation)) = advice.window else {
            return;
        };
        let had_one = held.renewal.window.is_some();
        if !held.set_window(window, explanation, fastrand::f64()) {
            return;
        }
        // The moment was chosen for the life, and the first window only confirms it.
        if had_one || window.end < now.wall {
            tracing::info!(
                name = key.1,
                renew_at = janua_tls::utc(held.renewal.at),
                explanation = held.renewal.explanation,
                "the authority wants the certificate to be renewed at another time"
            );
        }
        if held.unsaved.is_none() {
            attempt::keep_renewal(&self.desk, &key.1, held);
        }
    }
}

/// Asks when to renew.
async fn ask(desk: &Desk, authority: &Authority, name: &str, certificate: &Certificate) -> Advice {
    let nothing = |wait| Advice {
        window: None,
        ask_again: ask_again(wait),
        is_revoked: false,
    };
    let id = certificate.renewal_id();
    let Some(id) = id.as_deref().and_then(certificate_identifier) else {
        return nothing(None);
    };
    let opened = desk
        .accounts
        .open(&*desk.store, authority, &authority.directory);
    let Ok(opened) = opened.await else {
        return nothing(None);
    };
    match opened.account.renewal_info(&id).await {
        Ok((info, wait)) => {
            let window = Window {
                start: info.suggested_window.start.unix_timestamp(),
                end: info.suggested_window.end.unix_timestamp(),
            };
            Advice {
                window: Some((window, info.explanation_url)),
                ask_again: ask_again(Some(wait)),
                is_revoked: false,
            }
        }
        Err(Error::Unsupported(_)) => nothing(None),
        Err(error) => {
            let failure = Failure::of(&error);
            tracing::warn!(
                name,
                authority = authority.name,
                "the authority did not say when to renew: {failure}"
            );
            nothing(last_wait())
        }
    }
}

/// Whether the certificate is in one of the revocation lists that it names.
async fn is_in_list(desk: &Desk, name: &str, certificate: &Certificate) -> bool {
    let Ok(http) = desk.asker() else {
        return false;
    };
    for url in certificate.revocation_lists().into_iter().take(MOST_LISTS) {
        let is_revoked = match http.list(&url).await {
            Ok(list) => certificate
                .is_revoked(&list, desk.now())
                .map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        match is_revoked {
            Ok(true) => return true,
            Ok(false) => {}
            Err(why) => tracing::warn!(name, url, "a revocation list cannot be used: {why}"),
        }
    }
    false
}
