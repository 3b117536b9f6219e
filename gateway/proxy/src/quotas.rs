//! Tells the client how much of its quotas is left: the fields `RateLimit-Policy` and
//! `RateLimit` (draft-ietf-httpapi-ratelimit-headers), with a member for each bucket that
//! was asked.

use janua_http::fields::Fields;
use janua_wasm::{BucketName, Buckets, TokenBucket};

/// What of a take is the same for every request.
pub(crate) struct Quota {
    pub(crate) bucket: BucketName,
    /// The member of `RateLimit-Policy`.
    policy: Box<[u8]>,
    /// The beginning of the member of `RateLimit`: the name.
    name: Box<[u8]>,
}

impl Quota {
    /// The quota of a take of this policy.
    pub(crate) fn new(policy: &str, bucket: &TokenBucket, buckets: &Buckets) -> Self {
        let name = if bucket.name.is_empty() {
            policy
        } else {
            &bucket.name
        };
        let mut member = vec![b'"'];
        // A policy's name is free text in the file; here it is a quoted string.
        let fits = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        member.extend(name.bytes().filter(fits));
        member.push(b'"');
        let name = Box::from(&*member);
        let limit = u64::from(bucket.burst) + 1;
        let window_ms =
            (limit * u64::from(bucket.period_ms)).div_ceil(u64::from(bucket.tokens.max(1)));
        write_parameter(&mut member, b";q=", limit);
        write_parameter(&mut member, b";w=", window_ms.div_ceil(1000).max(1));
        Self {
            bucket: buckets.named(policy, &bucket.name),
            policy: member.into(),
            name,
        }
    }
}

/// The members of the two fields, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    policy: Vec<u8>,
    limit: Vec<u8>,
}

impl Quotas {
    /// Removes all members, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.policy.clear();
        self.limit.clear();
    }

    /// The memory, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.policy.capacity() + self.limit.capacity()
    }

    /// Adds a bucket in which so many tokens are left, and which will be full again in
    /// `reset_ms`.
    pub(crate) fn push(&mut self, quota: &Quota, remaining: u64, reset_ms: u64) {
        if !self.policy.is_empty() {
            self.policy.extend_from_slice(b", ");
            self.limit.extend_from_slice(b", ");
        }
        self.policy.extend_from_slice(&quota.policy);
        self.limit.extend_from_slice(&quota.name);
        write_parameter(&mut self.limit, b";r=", remaining);
        write_parameter(&mut self.limit, b";t=", reset_ms.div_ceil(1000));
    }

    /// Adds the fields, if any bucket was asked.
    pub(crate) fn write_to(&self, fields: &mut Fields) {
        if !self.policy.is_empty() {
            fields.append(b"RateLimit-Policy", &self.policy);
            fields.append(b"RateLimit", &self.limit);
        }
    }
}

fn write_parameter(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use janua_wasm::{AbsentKey, BucketOptions, Value};

    use super::*;

    fn quota(policy: &str, bucket: &str, tokens: u32, period_ms: u32, burst: u32) -> Quota {
        let bucket = TokenBucket {
            name: bucket.into(),
            key: Value::Literal(Box::default()),
            absent: AbsentKey::Share,
            tokens,
            period_ms,
            burst,
        };
        let buckets = Buckets::new(&BucketOptions { capacity: 64 });
        Quota::new(policy, &bucket, &buckets)
    }

    #[test]
    fn a_member_for_each_bucket() {
        let mut quotas = Quotas::default();
        let mut fields = Fields::default();
        quotas.write_to(&mut fields);
        assert!(fields.is_empty());

        quotas.push(&quota("limit", "", 10, 1_000, 5), 4, 1);
        // What a quoted string cannot hold is left out. A bucket with a name of its own has
        // that one.
        quotas.push(&quota("a \"b\\\u{e9}", "", 1, 60_000, 9), 0, 59_001);
        quotas.push(&quota("limit", "daily", 1_000, 1, 0), 1, 0);
        quotas.write_to(&mut fields);
        let value = |name: &[u8]| String::from_utf8(fields.get(name).unwrap().to_vec()).unwrap();
        assert_eq!(
            value(b"ratelimit-policy"),
            r#""limit";q=6;w=1, "a b";q=10;w=600, "daily";q=1;w=1"#
        );
        assert_eq!(
            value(b"ratelimit"),
            r#""limit";r=4;t=1, "a b";r=0;t=60, "daily";r=1;t=0"#
        );
        quotas.clear();
        fields.clear();
        quotas.write_to(&mut fields);
        assert!(fields.is_empty());
    }
}
