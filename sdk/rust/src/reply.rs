//! A response made by a policy.

use crate::bindings::janua::policy::values;
use crate::{Value, verdict::header};

/// A response for phase `P`: a status, fields, and a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<P> {
    reply: values::Reply,
    kind: std::marker::PhantomData<P>,
}

impl<P> Reply<P> {
    /// A response without a body. `status` is 200 to 599.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            reply: values::Reply {
                status,
                headers: Vec::new(),
                body: values::Content::Empty,
            },
            kind: std::marker::PhantomData,
        }
    }

    /// Adds a field. `Content-Length` and `Date` are set by the gateway. `Set-Cookie` must
    /// be declared: see [`crate::Phase::may_edit_response`] and
    /// [`may_edit`](crate::Phase::may_edit).
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value<P>>) -> Self {
        self.reply.headers.push(header(name, value.into()));
        self
    }

    /// Sets a plain-text body.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.text_as("text/plain; charset=utf-8", text)
    }

    /// Sets a text body of this media type.
    #[must_use]
    pub fn text_as(mut self, media_type: &str, text: impl Into<String>) -> Self {
        self.reply.body = values::Content::Text(text.into());
        self.header("content-type", media_type)
    }

    /// Sets a problem document (RFC 9457) as the body. `title` is a short summary of the
    /// kind of problem, and `detail` describes this occurrence.
    #[must_use]
    pub fn problem(self, title: &str, detail: &str) -> Self {
        let mut json = String::from("{\"status\":");
        json.push_str(&self.reply.status.to_string());
        for (name, text) in [("title", title), ("detail", detail)] {
            json.push_str(",\"");
            json.push_str(name);
            json.push_str("\":\"");
            escape(&mut json, text);
            json.push('"');
        }
        json.push('}');
        self.text_as("application/problem+json", json)
    }

    /// Sets a binary body of this media type.
    #[must_use]
    pub fn bytes(mut self, media_type: &str, bytes: Vec<u8>) -> Self {
        self.reply.body = values::Content::Bytes(bytes);
        self.header("content-type", media_type)
    }

    pub(crate) fn into_contract(self) -> values::Reply {
        self.reply
    }
}

/// Appends text to a JSON string (RFC 8259 §7).
fn escape(json: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if u32::from(control) < 0x20 => {
                let code = u32::from(control);
                json.push_str("\\u00");
                for digit in [code >> 4, code & 15] {
                    json.extend(char::from_digit(digit, 16));
                }
            }
            other => json.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    #[test]
    fn a_problem_is_json() {
        let reply = Reply::<Request>::new(401).problem("Unauthorized", "a \"key\"\n\\");
        let values::Content::Text(body) = reply.into_contract().body else {
            panic!("not text");
        };
        assert_eq!(
            body,
            r#"{"status":401,"title":"Unauthorized","detail":"a \"key\"\u000a\\"}"#
        );
    }
}
