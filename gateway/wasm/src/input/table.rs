//! The table of inputs, with all their properties apart from the value, which the proxy
//! looks up.

/// Passes the rows to the macro `$then`, in the order of `wit/subscriptions.wit`.
///
/// Each row has the name of the case in the contract's variant, followed in parentheses
/// by its argument: the name of a `field`, another `name`, or a `limit` in bytes.
macro_rules! for_each_input {
    ($then:ident) => {
        $then! {
            /// The request method.
            Method: Row::new("method").fixed_by_cache_key();
            /// `http` or `https`.
            Scheme: Row::new("scheme").fixed_by_cache_key();
            /// `1.0`, `1.1` or `2`.
            HttpVersion: Row::new("http-version");
            /// The client's address behind trusted proxies.
            ClientIp: Row::new("client-ip");
            /// The network of the client's address.
            ClientNetwork(network): Row::new("client-network");
            /// The address of the connection's peer.
            PeerIp: Row::new("peer-ip");
            /// The identifier of the request.
            RequestId: Row::new("request-id");
            /// The first name of the matched site.
            Site: Row::new("site");
            /// The path or name of the matched route.
            Route: Row::new("route");
            /// The host as the client asked for it.
            OriginalHost: Row::new("original-host").fixed_by_cache_key();
            /// The normalised path as the client asked for it.
            OriginalPath: Row::new("original-path").fixed_by_cache_key();
            /// The query as the client sent it.
            OriginalQuery: Row::new("original-query");
            /// The host as edited so far.
            Host: Row::new("host");
            /// The path as edited so far.
            Path: Row::new("path").fixed_by_cache_key();
            /// The path exactly as sent.
            RawPath: Row::new("raw-path");
            /// The extension of the last path segment.
            Extension: Row::new("extension").fixed_by_cache_key();
            /// The query as edited so far.
            Query: Row::new("query");
            /// A request field.
            Header(field): Row::new("header")
                .credential_if(&["authorization", "proxy-authorization", "cookie"]);
            /// A request field, in base64.
            HeaderBase64(field): Row::new("header-base64")
                .credential_if(&["authorization", "proxy-authorization", "cookie"]);
            /// Whether the request has a field.
            HeaderPresent(field): Row::new("header-present");
            /// The cookie of this name, unless there are several that differ.
            Cookie(name): Row::new("cookie").credential();
            /// Whether there is a cookie of this name.
            CookiePresent(name): Row::new("cookie-present");
            /// A query parameter, decoded.
            QueryParameter(name): Row::new("query-parameter");
            /// A query parameter, decoded, in base64.
            QueryParameterBase64(name): Row::new("query-parameter-base64");
            /// A query parameter, as sent.
            RawQueryParameter(name): Row::new("raw-query-parameter");
            /// Whether the query has a parameter.
            QueryParameterPresent(name): Row::new("query-parameter-present");
            /// The TLS version.
            TlsVersion: Row::new("tls-version");
            /// The cipher suite.
            TlsCipher: Row::new("tls-cipher");
            /// The server name that the client indicated.
            TlsServerName: Row::new("tls-server-name");
            /// The subject of the client's certificate.
            TlsClientSubject: Row::new("tls-client-subject");
            /// The issuer of the client's certificate.
            TlsClientIssuer: Row::new("tls-client-issuer");
            /// The serial number of the client's certificate.
            TlsClientSerial: Row::new("tls-client-serial");
            /// The fingerprint of the client's certificate.
            TlsClientFingerprint: Row::new("tls-client-fingerprint");
            /// The beginning of the validity of the client's certificate.
            TlsClientNotBefore: Row::new("tls-client-not-before");
            /// The end of the validity of the client's certificate.
            TlsClientNotAfter: Row::new("tls-client-not-after");
            /// The DNS names of the client's certificate.
            TlsClientDnsNames: Row::new("tls-client-dns-names");
            /// The URIs of the client's certificate.
            TlsClientUris: Row::new("tls-client-uris");
            /// The email addresses of the client's certificate.
            TlsClientEmails: Row::new("tls-client-emails");
            /// The client's certificate, in base64.
            TlsClientCertificate: Row::new("tls-client-certificate");
            /// A value in a dataset.
            Lookup(lookup): Row::new("lookup");
            /// A variable, named as `policy.name`.
            Variable(name): Row::new("variable");
            /// The time in Unix seconds. It is not part of the memo key.
            Now: Row::new("now");
            /// The body as text, up to this many bytes.
            BodyText(limit): Row::new("body-text").not_provided_yet();
            /// The body in base64, up to this many bytes.
            BodyBase64(limit): Row::new("body-base64").not_provided_yet();
            /// The first bytes of the body in base64, at most this many.
            BodyPrefix(limit): Row::new("body-prefix").not_provided_yet();
            /// The status of the response.
            Status: Row::new("status").of_response().fixed_by_cache_key();
            /// A response field.
            ResponseHeader(field): Row::new("response-header")
                .of_response()
                .fixed_by_cache_key()
                .credential_if(&["set-cookie"]);
            /// A response field, in base64.
            ResponseHeaderBase64(field): Row::new("response-header-base64")
                .of_response()
                .fixed_by_cache_key()
                .credential_if(&["set-cookie"]);
            /// Whether the response has a field.
            ResponseHeaderPresent(field): Row::new("response-header-present").of_response().fixed_by_cache_key();
            /// The source of the response.
            AnsweredBy: Row::new("answered-by").on_delivery();
            /// The response body as text, up to this many bytes.
            ResponseBodyText(limit): Row::new("response-body-text").before_storing().not_provided_yet();
            /// The response body in base64, up to this many bytes.
            ResponseBodyBase64(limit): Row::new("response-body-base64").before_storing().not_provided_yet();
            /// The first bytes of the response body in base64, at most this many.
            ResponseBodyPrefix(limit): Row::new("response-body-prefix").before_storing().not_provided_yet();
            /// The size of the request body.
            RequestBodySize: Row::new("request-body-size").of_the_end();
            /// The size of the response body.
            ResponseBodySize: Row::new("response-body-size").of_the_end();
            /// The milliseconds until the last byte of the response.
            DurationMs: Row::new("duration-ms").of_the_end();
            /// The milliseconds until the first byte of the response.
            FirstByteMs: Row::new("first-byte-ms").of_the_end();
            /// How many endpoints were tried.
            Attempts: Row::new("attempts").of_the_end();
            /// The upstream that was asked.
            Upstream: Row::new("upstream").of_the_end();
            /// The word of the failure.
            Failure: Row::new("failure").of_the_end();
        }
    };
}

pub(crate) use for_each_input;
