//! Whether a response may be stored, and under which terms (RFC 9111 §3).

use janua_http::conditional::Validators;
use janua_http::{Fields, status};

use super::control::{CacheControl, MOST_SECONDS};
use super::freshness::{apparent_age, heuristic, initial_age, lifetime};
use super::stored::names_in_control;
use super::targeted::targeted;
use super::{Asked, Detail, Rule, Source, Storage, Terms, Times, Vary};

/// Decides about the answer to a request; `fields` are the response's as the
/// phase `fetched` left them, before
/// [`retain_storable`](super::stored::retain_storable) takes some out. A 304 is
/// put onto what is stored first (see [`update`](super::update)), and decided
/// about with the stored status.
///
/// Beyond RFC 9111 §3:
/// - Without a lifetime nothing is stored, whatever its status; the heuristic
///   needs a rule. An ended lifetime, or `no-cache`, is stored with a validator,
///   to be asked about, or if it may be served stale.
/// - `Set-Cookie` is stored only with `public` or `s-maxage`, or if the rule
///   says `shared`: else one user's session would be handed to the next.
/// - 206 and 416 are not stored: the proxy asks for the whole.
/// - `Storage::Seconds` replaces all freshness and lets `no-store` and `private`
///   go, but these two, which then say nothing of users, take away what `public`,
///   `s-maxage` and `must-revalidate` say of requests with `Authorization`.
///
/// # Errors
/// The reason why it is not stored.
pub fn admit(
    request: &Asked,
    status: u16,
    fields: &Fields,
    rule: Option<&Rule<'_>>,
    times: Times,
) -> Result<Terms, Detail> {
    let rule = rule.copied().unwrap_or_default();
    if rule.store == Storage::Never {
        return Err(Detail::RuleNever);
    }
    if let Some(detail) = request.barred {
        return Err(detail);
    }
    if request.is_head {
        return Err(Detail::Method);
    }
    match status {
        0..=199 | 304 => return Err(Detail::Status),
        206 | 416 => return Err(Detail::Range),
        _ => {}
    }
    if Vary::of(fields) == Vary::Star {
        return Err(Detail::VaryStar);
    }
    let (control, by) = match targeted(fields) {
        Some((control, by)) => (control, Some(by)),
        None => (CacheControl::of(fields), None),
    };
    let may_share = rule.shared || says_shared(&control);
    let is_by_rule = matches!(rule.store, Storage::Seconds(_));
    if !is_by_rule {
        is_storable(&control, status)?;
    }
    if request.is_authorized && !may_share {
        return Err(Detail::Authorization);
    }
    let shares_cookies =
        rule.shared || (!is_by_rule && (control.public || control.s_maxage.is_some()));
    if !shares_cookies && sets_cookie(fields) {
        return Err(Detail::SetCookie);
    }
    let terms = Terms {
        shares_authorized: may_share,
        shares_cookies,
        ..match rule.store {
            Storage::Seconds(seconds) => by_rule(seconds, fields, times),
            _ => by_fields(&control, by, status, fields, &rule, times),
        }
    };
    let terms = Terms {
        stale_while_revalidate: rule
            .stale_while_revalidate
            .unwrap_or(terms.stale_while_revalidate),
        stale_if_error: rule.stale_if_error.unwrap_or(terms.stale_if_error),
        ..terms
    };
    is_of_use(&terms, fields)?;
    Ok(terms)
}

/// What the directives forbid (§3, §5.2.2.3).
fn is_storable(control: &CacheControl, status: u16) -> Result<(), Detail> {
    // `no-store` beside it is for caches that do not know `must-understand`.
    if control.must_understand {
        if status::reason(status) == "Unknown" {
            return Err(Detail::Status);
        }
    } else if control.no_store {
        return Err(Detail::NoStore);
    }
    if control.private {
        return Err(Detail::Private);
    }
    Ok(())
}

/// §3.5: what lets a response to one user's request answer another's.
fn says_shared(control: &CacheControl) -> bool {
    let says = control.public || control.must_revalidate || control.s_maxage.is_some();
    says && !control.private && !control.no_store
}

/// True for a `Set-Cookie` that would be stored.
fn sets_cookie(fields: &Fields) -> bool {
    fields.get(b"set-cookie").is_some()
        && !names_in_control(fields).any(|name| name.eq_ignore_ascii_case(b"set-cookie"))
}

fn by_fields(
    control: &CacheControl,
    targeted: Option<Source>,
    status: u16,
    fields: &Fields,
    rule: &Rule<'_>,
    times: Times,
) -> Terms {
    let (mut span, mut source) = lifetime(control, targeted, fields, times.received_ms);
    if source == Source::None
        && rule.store == Storage::ByFieldsOrHeuristic
        && let Some(guess) = heuristic(control, status, fields, times.received_ms)
    {
        (span, source) = (guess, Source::Heuristic);
    }
    let age = initial_age(fields, times);
    Terms {
        received_ms: times.received_ms,
        // An age that cannot be understood: stale from the start.
        initial_age: age.unwrap_or(0),
        lifetime: if age.is_some() { span } else { 0 },
        stale_while_revalidate: control.stale_while_revalidate.unwrap_or(0),
        stale_if_error: control.stale_if_error.unwrap_or(0),
        source,
        no_cache: control.no_cache,
        must_revalidate: control.must_revalidate || control.proxy_revalidate,
        ignores_max_stale: control.s_maxage.is_some(),
        ..Terms::default()
    }
}

/// The seconds count from when it was received, however old it was then.
fn by_rule(seconds: u32, fields: &Fields, times: Times) -> Terms {
    let age = initial_age(fields, times).unwrap_or_else(|| {
        let apparent = apparent_age(fields, times).min(u64::from(MOST_SECONDS));
        u32::try_from(apparent).unwrap_or(MOST_SECONDS)
    });
    Terms {
        received_ms: times.received_ms,
        initial_age: age,
        lifetime: age.saturating_add(seconds.min(MOST_SECONDS)),
        source: Source::Rule,
        ..Terms::default()
    }
}

/// True if some later request could be answered with it, or could be spared its
/// body.
fn is_of_use(terms: &Terms, fields: &Fields) -> Result<(), Detail> {
    let validators = Validators::of(fields);
    let has_validator = validators.tag().is_some() || validators.modified.is_some();
    let spans = terms.stale_while_revalidate.max(terms.stale_if_error);
    let is_served_stale = spans > 0 && !terms.must_revalidate;
    match () {
        () if terms.no_cache && has_validator => Ok(()),
        () if terms.no_cache => Err(Detail::NoCache),
        () if terms.source == Source::None => Err(Detail::NoFreshness),
        () if terms.is_fresh(terms.received_ms) || has_validator || is_served_stale => Ok(()),
        () => Err(Detail::Stale),
    }
}

#[cfg(test)]
mod tests;
