//! Whether a response may be stored, and under which terms (RFC 9111 §3).

use janua_http::conditional::Validators;
use janua_http::{Fields, status};

use super::control::{CacheControl, MOST_SECONDS};
use super::freshness::{apparent_age, heuristic, initial_age, lifetime};
use super::stored::names_in_control;
use super::targeted::targeted;
use super::{Detail, RequestControl, Rule, Source, Storage, Terms, Times, Vary};

/// Decides whether the response to a request is stored. `fields` are the response's
/// fields after the policies of the phase `fetched`, before
/// [`retain_storable`](super::stored::retain_storable) removes some. A 304 is first
/// merged into the stored response (see [`update`](super::update)); then this decides
/// about the result, with the stored status code.
///
/// Differences from RFC 9111 §3:
/// - A response without a lifetime is not stored, whatever its status; heuristic
///   freshness needs a rule. A response that is stale on arrival is stored only if it
///   has a validator or may be served stale, one with `no-cache` only if it has a
///   validator.
/// - A response with `Set-Cookie` is stored only with `public` or `s-maxage`, or if the
///   rule says `shared`. Otherwise one user would get another user's session.
/// - 206 and 416 are not stored, because the proxy requests complete representations.
/// - [`Storage::Seconds`] overrides all freshness, and also `no-store` and `private`.
///   Then only the rule's `shared`, or a response without these two directives that
///   has `public`, `s-maxage` or `must-revalidate`, allows storing the response to a
///   request with `Authorization`.
///
/// # Errors
/// The reason why the response is not stored.
pub fn admit(
    request: &RequestControl,
    status: u16,
    fields: &Fields,
    rule: Option<&Rule<'_>>,
    times: Times,
) -> Result<Terms, Detail> {
    let rule = rule.copied().unwrap_or_default();
    if rule.store == Storage::Never {
        return Err(Detail::RuleNever);
    }
    if let Some(detail) = request.bypass {
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

/// Checks the directives that forbid storing (RFC 9111 §3, §5.2.2.3).
///
/// # Errors
/// The directive or status that forbids it.
fn is_storable(control: &CacheControl, status: u16) -> Result<(), Detail> {
    // With `must-understand`, a `no-store` is meant for caches that do not know it.
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

/// True if the response to a request with `Authorization` may be shared (RFC 9111 §3.5).
fn says_shared(control: &CacheControl) -> bool {
    let says = control.public || control.must_revalidate || control.s_maxage.is_some();
    says && !control.private && !control.no_store
}

/// True if the response has a `Set-Cookie`, and `no-cache` or `private` does not name it.
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
        // With an invalid `Age` the response is stale from the start.
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

/// The rule's seconds count from the receipt of the response, whatever its age then.
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

/// Checks that a later request may be served the response, or that the response can be
/// validated.
///
/// # Errors
/// The reason why storing it would be useless.
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
