//! The common inputs, with the types of their values.

use super::Phase;
use crate::input::{Bytes, Number, Optional, Presence, Slot, Text};
use crate::phase::WithResponse;
use crate::{Dataset, Fetched, Finished, Input, Kind, Lookup, Reference, Request, Response};

impl<P: Kind> Phase<P> {
    /// The request method, for example `GET`.
    pub fn method(&mut self) -> Slot<P, Text> {
        self.slot(Input::Method)
    }

    /// `http` or `https`.
    pub fn scheme(&mut self) -> Slot<P, Text> {
        self.slot(Input::Scheme)
    }

    /// The host as edited so far, lower-case, without a port.
    pub fn host(&mut self) -> Slot<P, Text> {
        self.slot(Input::Host)
    }

    /// The normalised path as edited so far.
    pub fn path(&mut self) -> Slot<P, Text> {
        self.slot(Input::Path)
    }

    /// The extension of the last path segment, lower-case, without the dot. It has fewer
    /// different values than the path, so more verdicts are reused.
    pub fn extension(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Extension)
    }

    /// The query as edited so far, without `?`.
    pub fn query(&mut self) -> Slot<P, Optional> {
        self.slot(Input::Query)
    }

    /// The client's address without a port. As an input it leads to one call for each
    /// client: use a reference, or the [network](Self::client_network), where that
    /// suffices.
    pub fn client_ip(&mut self) -> Slot<P, Text> {
        self.slot(Input::ClientIp)
    }

    /// The client's network with prefixes of these lengths, for example `203.0.113.0/24`.
    pub fn client_network(&mut self, ipv4: u8, ipv6: u8) -> Slot<P, Text> {
        self.slot(crate::client_network(ipv4, ipv6))
    }

    /// A request field; letter case of the name is ignored. Several lines are joined with
    /// `, `.
    pub fn header(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::Header(name.to_ascii_lowercase()))
    }

    /// A request field that may hold any bytes.
    pub fn header_bytes(&mut self, name: &str) -> Slot<P, Bytes> {
        self.slot(Input::HeaderBase64(name.to_ascii_lowercase()))
    }

    /// Whether the request has this field.
    pub fn header_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::HeaderPresent(name.to_ascii_lowercase()))
    }

    /// The cookie of this name. Absent if there are several with different values.
    pub fn cookie(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::Cookie(name.to_owned()))
    }

    /// Whether the request has a cookie of this name.
    pub fn cookie_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::CookiePresent(name.to_owned()))
    }

    /// The first query parameter of this name, percent-decoded.
    pub fn query_parameter(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::QueryParameter(name.to_owned()))
    }

    /// A query parameter that may hold any bytes.
    pub fn query_parameter_bytes(&mut self, name: &str) -> Slot<P, Bytes> {
        self.slot(Input::QueryParameterBase64(name.to_owned()))
    }

    /// Whether the query has this parameter.
    pub fn query_parameter_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::QueryParameterPresent(name.to_owned()))
    }

    /// The value of a key in a dataset: `1` in one without values. For a dataset of
    /// records, and for references, use [`Lookup`].
    pub fn lookup(&mut self, dataset: &Dataset, key: Reference<P>) -> Slot<P, Optional> {
        self.slot(Lookup::new(dataset, key).into())
    }

    /// A variable that a policy has set, as `policy.name`.
    pub fn variable(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::Variable(name.to_owned()))
    }

    /// The time in Unix seconds. It is not part of the key of cached verdicts: use
    /// [`crate::Verdict::until`] to limit their reuse.
    pub fn now(&mut self) -> Slot<P, Number> {
        self.slot(Input::Now)
    }
}

impl Phase<Request> {
    /// The request body as text of at most this many bytes. A larger one is answered with
    /// 413.
    pub fn body_text(&mut self, most: u32) -> Slot<Request, Optional> {
        self.slot(Input::BodyText(most))
    }

    /// The request body of at most this many bytes. A larger one is answered with 413.
    pub fn body(&mut self, most: u32) -> Slot<Request, Bytes> {
        self.slot(Input::BodyBase64(most))
    }

    /// The first bytes of the request body, at most this many.
    pub fn body_prefix(&mut self, most: u32) -> Slot<Request, Bytes> {
        self.slot(Input::BodyPrefix(most))
    }
}

impl<P: WithResponse> Phase<P> {
    /// The status of the response.
    pub fn status(&mut self) -> Slot<P, Number> {
        self.slot(Input::Status)
    }

    /// A response field; letter case of the name is ignored.
    pub fn response_header(&mut self, name: &str) -> Slot<P, Optional> {
        self.slot(Input::ResponseHeader(name.to_ascii_lowercase()))
    }

    /// A response field that may hold any bytes.
    pub fn response_header_bytes(&mut self, name: &str) -> Slot<P, Bytes> {
        self.slot(Input::ResponseHeaderBase64(name.to_ascii_lowercase()))
    }

    /// Whether the response has this field.
    pub fn response_header_present(&mut self, name: &str) -> Slot<P, Presence> {
        self.slot(Input::ResponseHeaderPresent(name.to_ascii_lowercase()))
    }
}

impl Phase<Fetched> {
    /// The response body as text. Absent if it is larger than this many bytes, or if the
    /// response is an event stream.
    pub fn response_body_text(&mut self, most: u32) -> Slot<Fetched, Optional> {
        self.slot(Input::ResponseBodyText(most))
    }

    /// The response body. Absent as [its text](Self::response_body_text) is.
    pub fn response_body(&mut self, most: u32) -> Slot<Fetched, Bytes> {
        self.slot(Input::ResponseBodyBase64(most))
    }

    /// The first bytes of the response body, at most this many. Absent if the response is
    /// an event stream.
    pub fn response_body_prefix(&mut self, most: u32) -> Slot<Fetched, Bytes> {
        self.slot(Input::ResponseBodyPrefix(most))
    }
}

impl Phase<Response> {
    /// The source of the response: `upstream`, `files`, `cache`, `policy` or `gateway`.
    pub fn answered_by(&mut self) -> Slot<Response, Text> {
        self.slot(Input::AnsweredBy)
    }
}

impl Phase<Finished> {
    /// The source of the response: `upstream`, `files`, `cache`, `policy` or `gateway`.
    pub fn answered_by(&mut self) -> Slot<Finished, Text> {
        self.slot(Input::AnsweredBy)
    }

    /// The size of the request body in bytes, as received.
    pub fn request_body_size(&mut self) -> Slot<Finished, Number> {
        self.slot(Input::RequestBodySize)
    }

    /// The size of the response body in bytes, as sent.
    pub fn response_body_size(&mut self) -> Slot<Finished, Number> {
        self.slot(Input::ResponseBodySize)
    }

    /// Milliseconds from the first byte of the request to the last of the response.
    pub fn duration_ms(&mut self) -> Slot<Finished, Number> {
        self.slot(Input::DurationMs)
    }

    /// Milliseconds from the first byte of the request to the first of the response.
    pub fn first_byte_ms(&mut self) -> Slot<Finished, Number> {
        self.slot(Input::FirstByteMs)
    }

    /// The number of endpoints that were tried.
    pub fn attempts(&mut self) -> Slot<Finished, Number> {
        self.slot(Input::Attempts)
    }

    /// The upstream that was asked.
    pub fn upstream(&mut self) -> Slot<Finished, Optional> {
        self.slot(Input::Upstream)
    }

    /// The word of the failure, as in the access log.
    pub fn failure(&mut self) -> Slot<Finished, Optional> {
        self.slot(Input::Failure)
    }
}
