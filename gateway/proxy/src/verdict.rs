//! Carries out what a policy decided: edits of the heads, buckets, replies.

use janua_http::failure::Kind;
use janua_http::fields::Fields;
use janua_http::{Failure, RequestHead, ResponseHead, path};
use janua_wasm::{AbsentKey, Buckets, Edit, Plan, Reply, Take, TakeOutcome, Value, Verdict};

use crate::facts::{Original, View};
use crate::render::{Rendered, Unfit};

/// Name and value of a field.
pub(crate) type Line = (Box<[u8]>, Box<[u8]>);

/// A response that a policy made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Line>,
    pub(crate) body: Box<[u8]>,
}

/// What the buckets said: the values of the `RateLimit` fields of the response
/// (draft-ietf-httpapi-ratelimit-headers), a member for each bucket, in memory
/// that is used again.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    policy: Vec<u8>,
    limit: Vec<u8>,
}

/// Works out all values of a verdict, before anything of it is carried out: an
/// edit must not change what an effect or a reply of the same verdict points at.
pub(crate) fn render(verdict: &Verdict, plan: &Plan, view: &View<'_>, rendered: &mut Rendered) {
    rendered.clear();
    verdict.for_each_value(|value| rendered.push(value, plan, view));
}

/// Carries out the edits of the request phase.
///
/// # Errors
/// A value that cannot stand in a head.
pub(crate) fn edit_request(
    verdict: &Verdict,
    rendered: &Rendered,
    head: &mut RequestHead,
    original: &mut Option<Original>,
) -> Result<(), Failure> {
    let mut place = 0;
    for edit in &verdict.edits {
        match edit {
            Edit::SetPath(value) => {
                keep_original(head, original);
                let raw = rendered.get(place, value).ok_or(Unfit).map_err(unfit)?;
                head.path.clear();
                path::normalise(raw, &mut head.path)
                    .map_err(|error| Failure::with(Kind::PolicyInput, error.words()))?;
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

/// Carries out edits of a response.
///
/// # Errors
/// A value that cannot stand in a head.
pub(crate) fn edit_response(
    edits: &[Edit],
    rendered: &Rendered,
    head: &mut ResponseHead,
) -> Result<(), Failure> {
    let mut place = 0;
    for edit in edits {
        match edit {
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

/// Edits with their values worked out, to be carried out on a head that is
/// not there yet.
pub(crate) fn resolve(verdict: &Verdict, rendered: &Rendered, deferred: &mut Vec<Edit>) {
    let mut place = 0;
    for edit in &verdict.edits {
        let value = |value| {
            let bytes: Option<&[u8]> = rendered.get(place, value);
            bytes.map(|bytes| Value::Literal(bytes.into()))
        };
        let resolved = match edit {
            Edit::SetHeader { name, value: of } => Some(match value(of) {
                Some(value) => Edit::SetHeader {
                    name: name.clone(),
                    value,
                },
                None => Edit::RemoveHeader(name.clone()),
            }),
            Edit::AppendHeader { name, value: of } => value(of).map(|value| Edit::AppendHeader {
                name: name.clone(),
                value,
            }),
            Edit::DefaultHeader { name, value: of } => value(of).map(|value| Edit::DefaultHeader {
                name: name.clone(),
                value,
            }),
            Edit::RemoveHeader(_) | Edit::SetStatus(_) => Some(edit.clone()),
            Edit::SetPath(_) | Edit::SetQuery(_) => None,
        };
        deferred.extend(resolved);
        place += usize::from(has_value(edit));
    }
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
        Edit::SetPath(_) | Edit::SetQuery(_) | Edit::SetStatus(_) => {}
    }
    Ok(())
}

/// A policy's reply; the values of its fields begin at this place.
///
/// # Errors
/// A value that cannot stand in a head.
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

/// The buckets as a request finds them.
pub(crate) struct Taking<'a> {
    /// The name of the policy whose buckets they are.
    pub(crate) policy: &'a str,
    pub(crate) buckets: &'a Buckets,
    pub(crate) now_ms: u64,
    pub(crate) quotas: &'a mut Quotas,
}

impl Taking<'_> {
    /// Takes tokens from a bucket. `Some` is the refusal. Its values begin at
    /// this place: the key, then those of the refusal.
    ///
    /// # Errors
    /// A value of the refusal that cannot stand in a head.
    pub(crate) fn take(
        &mut self,
        take: &Take,
        place: usize,
        rendered: &Rendered,
    ) -> Result<Option<Made>, Failure> {
        let key = rendered.get(place, &take.key);
        let outcome = match (key, take.absent) {
            (None, AbsentKey::Skip) => return Ok(None),
            (None, AbsentKey::Refuse) => TakeOutcome::Refused {
                retry_after_ms: u64::from(take.period_ms),
            },
            (key, _) => self.buckets.take(self.policy, key, take, self.now_ms),
        };
        let (remaining, reset_ms) = match outcome {
            TakeOutcome::Taken {
                remaining,
                reset_ms,
            } => (remaining, reset_ms),
            TakeOutcome::Refused { retry_after_ms } => (0, retry_after_ms),
        };
        let limit = u64::from(take.burst) + 1;
        let window_ms = (limit * u64::from(take.period_ms)).div_ceil(u64::from(take.tokens.max(1)));
        let name = if take.bucket.is_empty() {
            self.policy
        } else {
            &take.bucket
        };
        let window = window_ms.div_ceil(1000).max(1);
        self.quotas
            .push(name, limit, window, remaining, reset_ms.div_ceil(1000));
        let TakeOutcome::Refused { retry_after_ms } = outcome else {
            return Ok(None);
        };
        let mut refusal = reply(&take.otherwise, place + 1, rendered)?;
        // Whole seconds, and never 0: that would invite the next try at once.
        let seconds = retry_after_ms.div_ceil(1000).max(1).to_string();
        refusal
            .headers
            .push(((*b"Retry-After").into(), seconds.into_bytes().into()));
        Ok(Some(refusal))
    }
}

impl Quotas {
    /// Forgets all members and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.policy.clear();
        self.limit.clear();
    }

    /// Adds a bucket: what it holds and in how many seconds it fills up, what
    /// is left of it and when it will be full again.
    fn push(&mut self, name: &str, limit: u64, window: u64, remaining: u64, reset: u64) {
        for (field, first, second) in [
            (&mut self.policy, (";q=", limit), (";w=", window)),
            (&mut self.limit, (";r=", remaining), (";t=", reset)),
        ] {
            if !field.is_empty() {
                field.extend_from_slice(b", ");
            }
            field.push(b'"');
            // A policy's name is free text in the file; here it is a quoted string.
            let fits = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            if name.as_bytes().iter().all(fits) {
                field.extend_from_slice(name.as_bytes());
            } else {
                field.extend(name.bytes().filter(fits));
            }
            field.push(b'"');
            for (parameter, value) in [first, second] {
                field.extend_from_slice(parameter.as_bytes());
                field.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            }
        }
    }

    /// Adds the fields, if any bucket was asked.
    pub(crate) fn write_to(&self, fields: &mut Fields) {
        if !self.policy.is_empty() {
            fields.append(b"RateLimit-Policy", &self.policy);
            fields.append(b"RateLimit", &self.limit);
        }
    }
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
        "a value of the request cannot stand in a head",
    )
}
