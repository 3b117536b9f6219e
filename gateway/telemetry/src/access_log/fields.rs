//! The fields of a log line. Each is declared only here: both formats and the
//! reference are generated from this table.

use std::net::IpAddr;

use super::json;
use super::record::{Note, Record, Word};
use super::text;

/// The description of a field, for the reference.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in both formats.
    pub name: &'static str,
    /// Its JSON type: `string`, `number` or `array of strings`.
    pub kind: &'static str,
    /// Its content and unit, and when it is absent.
    pub help: &'static str,
}

/// A record and its formatted time.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) record: &'a Record<'a>,
    pub(super) time: &'a str,
}

/// `combined`: the field is in the combined part of a text line. `own`: it
/// follows that part as `name=value`.
macro_rules! fields {
    ($($place:ident $name:literal $kind:literal = |$line:ident| $value:expr, $help:literal;)*) => {
        /// Every field, in the order of a line.
        pub const FIELDS: &[Field] = &[$(Field { name: $name, kind: $kind, help: $help }),*];

        /// The record as a JSON object, without newline.
        pub(super) fn write_json(line: &Line<'_>, out: &mut Vec<u8>) {
            out.push(b'{');
            $({
                let $line = line;
                $value.json_member(concat!("\"", $name, "\":"), out);
            })*
            // Each member ends in a comma; the time is always present.
            out.pop();
            out.push(b'}');
        }

        /// Writes the fields that the combined format does not have.
        pub(super) fn write_text(line: &Line<'_>, out: &mut Vec<u8>) {
            $(fields!(@$place $name, line, |$line| $value, out);)*
        }
    };
    (@combined $name:literal, $from:ident, |$line:ident| $value:expr, $out:ident) => {};
    (@own $name:literal, $from:ident, |$line:ident| $value:expr, $out:ident) => {{
        let $line = $from;
        $value.text_member(concat!(" ", $name, "="), $out);
    }};
}

fields! {
    combined "time" "string" = |line| line.time.as_bytes(),
        "When the request head was parsed, in RFC 3339 format, UTC, with milliseconds.";
    own "request_id" "string" = |line| line.record.request_id,
        "The request's id, also sent to the upstream.";
    combined "client_ip" "string" = |line| line.record.client_ip,
        "The client's address, after trusted proxies were taken into account.";
    combined "method" "string" = |line| line.record.method.as_bytes(),
        "The request method.";
    own "scheme" "string" = |line| line.record.scheme.as_bytes(),
        "`http` or `https`.";
    own "host" "string" = |line| line.record.host,
        "The requested host, without its port.";
    combined "path" "string" = |line| line.record.path,
        "The requested path, normalised, before policies changed it.";
    combined "query" "string" = |line| line.record.query,
        "The query without its question mark, with `***` in place of what policies of the route declare to be secret; absent if there is none.";
    combined "http_version" "string" = |line| line.record.http_version.as_bytes(),
        "`1.0`, `1.1` or `2`.";
    own "tls_version" "string" = |line| line.record.tls_version.map(str::as_bytes),
        "`1.2` or `1.3`; absent without TLS.";
    own "tls_cipher" "string" = |line| line.record.tls_cipher.map(str::as_bytes),
        "The cipher suite by its IANA name, such as `TLS_AES_256_GCM_SHA384`; absent without TLS.";
    own "tls_server_name" "string" = |line| line.record.tls_server_name.map(str::as_bytes),
        "The host that the client asked for in the TLS handshake (SNI); absent if it named none.";
    combined "status" "number" = |line| line.record.status.map(u64::from),
        "The status code sent; absent if the client closed the connection before one was sent.";
    own "bytes_in" "number" = |line| line.record.bytes_in,
        "Body bytes received from the client.";
    combined "bytes_out" "number" = |line| line.record.bytes_out,
        "Body bytes sent to the client.";
    own "duration_us" "number" = |line| line.record.duration_us,
        "Microseconds from the parsed request head to the last byte sent.";
    own "site" "string" = |line| line.record.site.map(str::as_bytes),
        "The site that matched; absent if none did.";
    own "route" "string" = |line| line.record.route.map(str::as_bytes),
        "The route that matched; absent if none did.";
    own "answered_by" "string" = |line| line.record.answered_by.map(str::as_bytes),
        "The source of the response: `upstream`, `files`, `cache`, `policy` or `gateway`.";
    own "cache" "string" = |line| line.record.cache.map(str::as_bytes),
        "How the cache handled the request: `hit`, `miss`, `expired`, `revalidated`, `updating`, `stale`, `collapsed` or `bypass`; absent if the route has no cache.";
    own "cache_detail" "string" = |line| line.record.cache_detail.map(str::as_bytes),
        "The reason, as in the `detail` of `Cache-Status`; absent if there is none.";
    own "upstream" "string" = |line| line.record.upstream.map(str::as_bytes),
        "The upstream's name; absent if the request was not sent to one.";
    own "endpoint" "string" = |line| line.record.endpoint.map(str::as_bytes),
        "The address of the endpoint of the last attempt.";
    own "upstream_connect_us" "number" = |line| line.record.upstream_connect_us,
        "Microseconds to open the connection, including TLS; absent if a connection was reused.";
    own "upstream_head_us" "number" = |line| line.record.upstream_head_us,
        "Microseconds from sending the request to the endpoint's response head.";
    own "upstream_total_us" "number" = |line| line.record.upstream_total_us,
        "Microseconds from sending the request to the end of the endpoint's response.";
    own "failure" "string" = |line| line.record.failure.map(str::as_bytes),
        "The failure, by the same word as in `Proxy-Status` and the metrics; absent if there was none.";
    own "notes" "array of strings" = |line| line.record.notes,
        "Details of failures, each as `policy: word` or `failure: detail`; absent if there are none.";
    own "annotations" "object of strings" = |line| line.record.annotations,
        "The words that policies left on the request, each named as `policy.name`; absent if there are none. In the text format each is a field `annotations` with `policy.name=value`.";
    own "variables" "object of strings" = |line| line.record.variables,
        "The variables that policies have set, without those that contain secrets, each named as `policy.name`; absent if there are none.";
    combined "user_agent" "string" = |line| line.record.user_agent,
        "`User-Agent` as sent.";
    combined "referer" "string" = |line| line.record.referer,
        "`Referer` as sent.";
}

/// A value that writes itself into a line with its name before it; an absent
/// value writes nothing.
trait Member {
    /// `"name":value,`
    fn json_member(self, key: &str, out: &mut Vec<u8>);
    /// ` name=value`
    fn text_member(self, key: &str, out: &mut Vec<u8>);
}

impl Member for u64 {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
        out.push(b',');
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
    }
}

impl Member for &[u8] {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        json::string(self, out);
        out.push(b',');
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        text::quoted(self, out);
    }
}

impl Member for IpAddr {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        out.push(b'"');
        text::address(self, out);
        out.extend_from_slice(b"\",");
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        text::address(self, out);
    }
}

impl Member for &[Note<'_>] {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b'[');
        for note in self {
            out.push(b'"');
            json::escape(note.of.as_bytes(), out);
            out.extend_from_slice(b": ");
            json::escape(note.text.as_bytes(), out);
            out.extend_from_slice(b"\",");
        }
        out.pop();
        out.extend_from_slice(b"],");
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        for note in self {
            out.extend_from_slice(key.as_bytes());
            out.push(b'"');
            text::escape(note.of.as_bytes(), out);
            out.extend_from_slice(b": ");
            text::escape(note.text.as_bytes(), out);
            out.push(b'"');
        }
    }
}

impl Member for &[Word<'_>] {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b'{');
        for word in self {
            json::string(word.name.as_bytes(), out);
            out.push(b':');
            json::string(word.value, out);
            out.push(b',');
        }
        out.pop();
        out.extend_from_slice(b"},");
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        for word in self {
            out.extend_from_slice(key.as_bytes());
            out.push(b'"');
            text::escape(word.name.as_bytes(), out);
            out.push(b'=');
            text::escape(word.value, out);
            out.push(b'"');
        }
    }
}

impl<T: Member> Member for Option<T> {
    fn json_member(self, key: &str, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.json_member(key, out);
        }
    }

    fn text_member(self, key: &str, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.text_member(key, out);
        }
    }
}
