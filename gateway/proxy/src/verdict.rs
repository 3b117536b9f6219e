//! Carries out the parts of a verdict: edits of a head, takes from buckets, responses.

use janua_http::failure::Kind;
use janua_http::fields::Fields;
use janua_http::{Failure, RequestHead, ResponseHead, path};
use janua_wasm::{
    AbsentKey, BadInput, Buckets, Charge, Edit, Plan, Reply, Take, TakeOutcome, Value, Verdict,
};

use crate::facts::{Original, View};
use crate::path_rules::PathRules;
use crate::quotas::{Quota, Quotas};
use crate::render::{Rendered, Unfit, Unrendered};

/// Name and value of a field.
pub(crate) type Line = (Box<[u8]>, Box<[u8]>);

/// A response that a policy or the gateway generated.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Line>,
    pub(crate) body: Box<[u8]>,
}

/// Renders all values of a verdict, before anything of it is carried out: an edit must not
/// change what an effect or a reply of the same verdict refers to.
///
/// # Errors
/// The values are too large, or one has an input that the request does not have in a usable
/// form.
pub(crate) fn render(
    verdict: &Verdict,
    plan: &Plan,
    view: &View<'_>,
    rendered: &mut Rendered,
) -> Result<(), Unrendered> {
    rendered.clear();
    let mut result = Ok(());
    verdict.for_each_value(|destination, value| {
        if result.is_ok() {
            result = rendered.push(value, destination, plan, view);
        }
    });
    result
}

/// Renders all values of a verdict on an exchange that has ended. Nothing can be refused any
/// more, so that a value that cannot be rendered is absent, and the others are not.
///
/// # Errors
/// Why the first of those is absent. The verdict can be carried out all the same.
pub(crate) fn render_at_end(
    verdict: &Verdict,
    plan: &Plan,
    view: &View<'_>,
    rendered: &mut Rendered,
) -> Result<(), Unrendered> {
    rendered.clear();
    let mut result = Ok(());
    verdict.for_each_value(|destination, value| {
        let pushed = rendered.push_or_absent(value, destination, plan, view);
        if result.is_ok() {
            result = pushed;
        }
    });
    result
}

/// The failure of a request for which a verdict of this policy cannot be rendered.
pub(crate) fn unrendered(unrendered: &Unrendered, policy: &str) -> Failure {
    match unrendered {
        Unrendered::BadInput(bad) => bad_input(bad),
        Unrendered::TooLarge(too_large) => Failure::with(
            Kind::PolicyInput,
            format!("the policy `{policy}` makes {too_large} of it"),
        ),
    }
}

/// The failure of a request that a policy cannot be asked about.
pub(crate) fn bad_input(bad: &BadInput) -> Failure {
    Failure::with(Kind::PolicyInput, bad.to_string())
}

/// The normalised path that a policy asks for. What it makes of inputs has no dot segments,
/// so that it stays below the text in front of the first input.
///
/// # Errors
/// It is no path, has dot segments although it is made of inputs, or is refused by the site.
pub(crate) fn new_path(value: &Value, raw: &[u8], rules: PathRules) -> Result<Vec<u8>, Failure> {
    if matches!(value, Value::Parts(_)) && path::has_dot_segment(raw) {
        return Err(Failure::with(
            Kind::PolicyInput,
            "path that a policy makes of inputs has a dot segment",
        ));
    }
    let mut normalised = Vec::with_capacity(raw.len());
    let spelling = path::normalise(raw, &mut normalised)
        .map_err(|error| Failure::with(Kind::PolicyInput, error.words()))?;
    rules.check(spelling, Kind::PolicyInput)?;
    Ok(normalised)
}

/// Makes the edits of the request phase, on a site with these rules.
///
/// # Errors
/// A value is not valid in a head.
pub(crate) fn edit_request(
    verdict: &Verdict,
    rendered: &Rendered,
    rules: PathRules,
    head: &mut RequestHead,
    original: &mut Option<Original>,
) -> Result<(), Failure> {
    let mut place = 0;
    for edit in &verdict.edits {
        match edit {
            Edit::SetPath(value) => {
                keep_original(head, original);
                let raw = rendered.get(place, value).ok_or(Unfit).map_err(unfit)?;
                head.path = new_path(value, raw, rules)?;
            }
            Edit::SetQuery(value) => {
                keep_original(head, original);
                let query = rendered.get(place, value);
                if query.is_some_and(|query| !is_query(query)) {
                    return Err(unfit(Unfit));
                }
                head.query = query.map(<[u8]>::to_vec);
            }
            _ => edit_fields(edit, place, rendered, &mut head.fields).map_err(unfit)?,
        }
        place += usize::from(has_value(edit));
    }
    Ok(())
}

/// Makes edits of a response. The status of a 206 and of a 304 stays.
///
/// # Errors
/// A value is not valid in a head.
pub(crate) fn edit_response(
    edits: &[Edit],
    rendered: &Rendered,
    head: &mut ResponseHead,
) -> Result<(), Failure> {
    let mut place = 0;
    for edit in edits {
        match edit {
            // What follows is no body, or a part of one: only these statuses say so.
            Edit::SetStatus(_) if matches!(head.status, 206 | 304) => {}
            Edit::SetStatus(status) => {
                head.status = *status;
                head.reason.clear();
            }
            _ => edit_fields(edit, place, rendered, &mut head.fields).map_err(unfit)?,
        }
        place += usize::from(has_value(edit));
    }
    Ok(())
}

/// Edits that a policy makes to the response that is delivered. Their values are literals:
/// they were computed when the policy was asked.
#[derive(Clone, Debug)]
pub(crate) struct ResponseEdits {
    /// The index of the policy in the snapshot.
    pub(crate) policy: usize,
    pub(crate) edits: Vec<Edit>,
}

/// The edits of a verdict to the response that is delivered, with their values as literals.
///
/// # Errors
/// A value is not valid in a head.
pub(crate) fn response_edits(verdict: &Verdict, rendered: &Rendered) -> Result<Vec<Edit>, Failure> {
    let mut place = verdict.response_edits_value_index();
    let mut edits = Vec::with_capacity(verdict.response_edits.len());
    for edit in &verdict.response_edits {
        let value = |value| {
            let bytes = rendered.field(place, value).map_err(unfit)?;
            Ok::<_, Failure>(bytes.map(|bytes| Value::Literal(bytes.into())))
        };
        match edit {
            Edit::SetHeader { name, value: of } => edits.push(match value(of)? {
                Some(value) => Edit::SetHeader {
                    name: name.clone(),
                    value,
                },
                None => Edit::RemoveHeader(name.clone()),
            }),
            Edit::AppendHeader { name, value: of } => {
                edits.extend(value(of)?.map(|value| Edit::AppendHeader {
                    name: name.clone(),
                    value,
                }));
            }
            Edit::DefaultHeader { name, value: of } => {
                edits.extend(value(of)?.map(|value| Edit::DefaultHeader {
                    name: name.clone(),
                    value,
                }));
            }
            Edit::RemoveHeader(_) | Edit::SetStatus(_) => edits.push(edit.clone()),
            Edit::SetPath(_) | Edit::SetQuery(_) | Edit::SetVariable { .. } => {}
        }
        place += usize::from(has_value(edit));
    }
    Ok(edits)
}

fn edit_fields(
    edit: &Edit,
    place: usize,
    rendered: &Rendered,
    fields: &mut Fields,
) -> Result<(), Unfit> {
    match edit {
        Edit::SetHeader { name, value } => match rendered.field(place, value)? {
            Some(value) => fields.set(name.as_bytes(), value),
            None => {
                fields.remove(name.as_bytes());
            }
        },
        Edit::AppendHeader { name, value } => {
            if let Some(value) = rendered.field(place, value)? {
                fields.append(name.as_bytes(), value);
            }
        }
        Edit::DefaultHeader { name, value } => {
            if let Some(value) = rendered.field(place, value)?
                && fields.get(name.as_bytes()).is_none()
            {
                fields.append(name.as_bytes(), value);
            }
        }
        Edit::RemoveHeader(name) => {
            fields.remove(name.as_bytes());
        }
        Edit::SetPath(_)
        | Edit::SetQuery(_)
        | Edit::SetStatus(_)
        // Variables are set apart from the head.
        | Edit::SetVariable { .. } => {}
    }
    Ok(())
}

/// The response that a reply describes. The values of its fields begin at this place.
///
/// # Errors
/// A value is not valid in a head.
pub(crate) fn reply(reply: &Reply, place: usize, rendered: &Rendered) -> Result<Made, Failure> {
    let mut made = Made {
        status: reply.status,
        headers: Vec::new(),
        body: reply.body.clone(),
    };
    for (place, (name, value)) in (place..).zip(&reply.headers) {
        if let Some(value) = rendered.field(place, value).map_err(unfit)? {
            made.headers.push((name.as_bytes().into(), value.into()));
        }
    }
    Ok(made)
}

/// What is needed to take tokens for a request.
pub(crate) struct Taking<'a> {
    pub(crate) buckets: &'a Buckets,
    pub(crate) now_ms: u64,
    /// What is left is recorded here, for the response.
    pub(crate) quotas: &'a mut Quotas,
}

impl Taking<'_> {
    /// Takes tokens from a bucket. `Some` is the response if there are not enough. The values
    /// of the take begin at this place: the key, the amount if the cost is measured, then those
    /// of that response.
    ///
    /// # Errors
    /// A value of the response is not valid in a head.
    pub(crate) fn take(
        &mut self,
        take: &Take,
        quota: &Quota,
        place: usize,
        rendered: &Rendered,
    ) -> Result<Option<Made>, Failure> {
        let bucket = &take.bucket;
        let key = rendered.get(place, &bucket.key);
        let amount = take.cost.amount();
        let cost = take
            .cost
            .tokens(amount.and_then(|amount| rendered.get(place + 1, amount)));
        let outcome = match (key, bucket.absent) {
            (None, AbsentKey::Skip) => return Ok(None),
            (None, AbsentKey::Refuse) => TakeOutcome::Refused {
                retry_after_ms: u64::from(bucket.period_ms),
            },
            (key, _) => {
                let buckets = self.buckets;
                buckets.take(&quota.bucket, key, bucket, cost, self.now_ms)
            }
        };
        let retry_after_ms = match outcome {
            TakeOutcome::Taken {
                remaining,
                reset_ms,
            } => {
                self.quotas.push(quota, remaining, reset_ms);
                return Ok(None);
            }
            TakeOutcome::Refused { retry_after_ms } => retry_after_ms,
        };
        self.quotas.push(quota, 0, retry_after_ms);
        let place = place + 1 + usize::from(amount.is_some());
        let mut refusal = reply(&take.otherwise, place, rendered)?;
        // Whole seconds, and never 0: that would invite the next try at once.
        let seconds = retry_after_ms.div_ceil(1000).max(1).to_string();
        let of_reply = |(name, _): &Line| !name.eq_ignore_ascii_case(b"retry-after");
        refusal.headers.retain(of_reply);
        refusal
            .headers
            .push(((*b"Retry-After").into(), seconds.into_bytes().into()));
        Ok(Some(refusal))
    }
}

/// Takes what a request has used from a bucket. The values of the charge begin at this place.
/// Without a key, nothing is charged unless all such requests share a bucket.
pub(crate) fn charge(
    charge: &Charge,
    policy: &str,
    place: usize,
    rendered: &Rendered,
    (buckets, now_ms): (&Buckets, u64),
) {
    let bucket = &charge.bucket;
    let key = rendered.get(place, &bucket.key);
    if key.is_none() && bucket.absent != AbsentKey::Share {
        return;
    }
    let amount = charge.cost.amount();
    let amount = amount.and_then(|amount| rendered.get(place + 1, amount));
    let cost = (charge.cost.tokens(amount), charge.debt);
    let name = buckets.named(policy, &bucket.name);
    buckets.charge(&name, key, bucket, cost, now_ms);
}

fn has_value(edit: &Edit) -> bool {
    edit.value().is_some()
}

fn keep_original(head: &RequestHead, original: &mut Option<Original>) {
    original.get_or_insert_with(|| Original {
        path: head.path.clone(),
        query: head.query.clone(),
    });
}

fn is_query(query: &[u8]) -> bool {
    query
        .iter()
        .all(|&byte| byte > b' ' && byte != 0x7f && byte != b'#')
}

fn unfit(_: Unfit) -> Failure {
    Failure::with(
        Kind::PolicyInput,
        "a value of the request is not valid in a head",
    )
}
