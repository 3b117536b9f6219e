//! gRPC-Web: calls of gRPC from browsers, which can neither require HTTP/2 nor read trailers (the
//! specification is `PROTOCOL-WEB.md` of gRPC).
//!
//! Its messages are those of gRPC. What differs is the content type, that the trailers are the last
//! frame of the response's body, and that a body may be text: base64 of the same bytes.

mod encoder;
mod text;

pub use encoder::Encoder;
pub use text::{BadText, Decoder};

use crate::fields::list;
use crate::{Fields, RequestHead, grpc};

/// How the bytes of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Binary,
    /// In base64.
    Text,
}

/// A call of gRPC-Web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The form of the request's body.
    pub request: Form,
    /// The form that the client expects of the response's body.
    pub response: Form,
}

impl Form {
    /// The content type of this form, without the format of the messages.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Binary => "application/grpc-web",
            Self::Text => "application/grpc-web-text",
        }
    }
}

impl Call {
    /// The call that the request is, if it is one. The response has the form of the request, unless
    /// `Accept` names a form.
    #[must_use]
    pub fn of(head: &RequestHead) -> Option<Self> {
        if head.method != b"POST" {
            return None;
        }
        let (request, _) = kind(head.fields.get(b"content-type")?)?;
        let mut accepted = head.fields.get_all(b"accept").flat_map(list);
        let accepted = accepted.find_map(kind).map(|(form, _)| form);
        Some(Self {
            request,
            response: accepted.unwrap_or(request),
        })
    }

    /// Makes the fields of the request those of a call of gRPC. Its server is not asked for a
    /// content coding, because the trailers are appended to the body as it is.
    pub fn translate_request(self, fields: &mut Fields) {
        let format = fields.get(b"content-type").and_then(kind);
        let format = format.map_or(&b""[..], |(_, format)| format);
        let content_type = [b"application/grpc", format].concat();
        fields.set(b"Content-Type", &content_type);
        fields.remove(b"accept-encoding");
        if self.request == Form::Text {
            fields.remove(b"content-length");
        }
    }

    /// Makes the fields of the response to that call those of gRPC-Web. False if it is not a
    /// response of gRPC: then it is left as it is.
    pub fn translate_response(self, fields: &mut Fields) -> bool {
        let Some(format) = fields.get(b"content-type").and_then(grpc::format) else {
            return false;
        };
        let content_type = [self.response.content_type().as_bytes(), format].concat();
        fields.set(b"Content-Type", &content_type);
        fields.remove(b"content-length");
        fields.remove(b"trailer");
        true
    }
}

/// The form that a content type of gRPC-Web names, and what follows it: the format of the messages
/// and parameters.
fn kind(content_type: &[u8]) -> Option<(Form, &[u8])> {
    [Form::Text, Form::Binary].into_iter().find_map(|form| {
        let format = grpc::format_of(form.content_type().as_bytes(), content_type)?;
        Some((form, format))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::default();
        head.method.extend_from_slice(b"POST");
        head.fields = fields(lines);
        head
    }

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.append(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn content_type(fields: &Fields) -> &str {
        std::str::from_utf8(fields.get(b"content-type").unwrap()).unwrap()
    }

    #[test]
    fn calls() {
        use Form::{Binary, Text};
        for (value, expected) in [
            ("application/grpc-web", Some(Binary)),
            ("application/grpc-web+proto", Some(Binary)),
            ("Application/GRPC-Web;x=y", Some(Binary)),
            ("application/grpc-web-text", Some(Text)),
            ("application/grpc-web-text+json", Some(Text)),
            ("application/grpc-web-texts", None),
            ("application/grpc-website", None),
            ("application/grpc", None),
            ("text/plain", None),
            ("", None),
        ] {
            let mut head = request(&[("Content-Type", value)]);
            let call = Call::of(&head);
            assert_eq!(call.map(|call| call.request), expected, "{value}");
            assert_eq!(call.map(|call| call.response), expected, "{value}");
            head.method = b"GET".to_vec();
            assert_eq!(Call::of(&head), None);
        }
        assert_eq!(Call::of(&request(&[])), None);
    }

    #[test]
    fn the_client_says_which_form_it_expects() {
        for (sent, accepted, expected) in [
            ("application/grpc-web", "*/*", Form::Binary),
            ("application/grpc-web-text", "*/*", Form::Text),
            (
                "application/grpc-web",
                "application/grpc-web-text",
                Form::Text,
            ),
            (
                "application/grpc-web-text",
                "text/html, application/grpc-web+proto",
                Form::Binary,
            ),
        ] {
            let head = request(&[("Content-Type", sent), ("Accept", accepted)]);
            let call = Call::of(&head).unwrap();
            assert_eq!(call.response, expected, "{sent} {accepted}");
        }
    }

    #[test]
    fn heads_are_translated() {
        for (sent, asked, answered, received) in [
            (
                "application/grpc-web",
                "application/grpc",
                "application/grpc",
                "application/grpc-web",
            ),
            (
                "application/grpc-web+json;a=b",
                "application/grpc+json;a=b",
                "application/grpc+json",
                "application/grpc-web+json",
            ),
            (
                "application/grpc-web-text+proto",
                "application/grpc+proto",
                "Application/grpc+proto",
                "application/grpc-web-text+proto",
            ),
        ] {
            let mut head = request(&[
                ("Content-Type", sent),
                ("Content-Length", "8"),
                ("Accept-Encoding", "gzip"),
            ]);
            let call = Call::of(&head).unwrap();
            call.translate_request(&mut head.fields);
            assert_eq!(content_type(&head.fields), asked);
            let is_known = head.fields.get(b"content-length").is_some();
            assert_eq!(is_known, call.request == Form::Binary);
            assert_eq!(head.fields.get(b"accept-encoding"), None);
            let mut response = fields(&[
                ("Content-Type", answered),
                ("Content-Length", "8"),
                ("Trailer", "grpc-status"),
            ]);
            assert!(call.translate_response(&mut response));
            assert_eq!(content_type(&response), received);
            assert_eq!(response.len(), 1);
        }
    }

    #[test]
    fn what_is_not_grpc_is_not_translated() {
        let call = Call::of(&request(&[("Content-Type", "application/grpc-web")])).unwrap();
        for answered in ["text/html", "application/grpc-web"] {
            let lines = [("Content-Type", answered), ("Content-Length", "8")];
            let mut response = fields(&lines);
            assert!(!call.translate_response(&mut response));
            assert_eq!(content_type(&response), answered);
            assert_eq!(response.len(), 2);
        }
        assert!(!call.translate_response(&mut Fields::default()));
    }
}
