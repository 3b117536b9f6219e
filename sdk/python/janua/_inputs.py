"""The inputs of the contract."""

from wit_world.imports import subscriptions

from janua._values import named_constant

METHOD = subscriptions.Input_Method()
SCHEME = subscriptions.Input_Scheme()
HTTP_VERSION = subscriptions.Input_HttpVersion()
CLIENT_IP = subscriptions.Input_ClientIp()
PEER_IP = subscriptions.Input_PeerIp()
REQUEST_ID = subscriptions.Input_RequestId()
SITE = subscriptions.Input_Site()
ROUTE = subscriptions.Input_Route()
ORIGINAL_HOST = subscriptions.Input_OriginalHost()
ORIGINAL_PATH = subscriptions.Input_OriginalPath()
ORIGINAL_QUERY = subscriptions.Input_OriginalQuery()
HOST = subscriptions.Input_Host()
PATH = subscriptions.Input_Path()
RAW_PATH = subscriptions.Input_RawPath()
EXTENSION = subscriptions.Input_Extension()
QUERY = subscriptions.Input_Query()
TLS_VERSION = subscriptions.Input_TlsVersion()
TLS_CIPHER = subscriptions.Input_TlsCipher()
TLS_SERVER_NAME = subscriptions.Input_TlsServerName()
TLS_CLIENT_SUBJECT = subscriptions.Input_TlsClientSubject()
TLS_CLIENT_ISSUER = subscriptions.Input_TlsClientIssuer()
TLS_CLIENT_SERIAL = subscriptions.Input_TlsClientSerial()
TLS_CLIENT_FINGERPRINT = subscriptions.Input_TlsClientFingerprint()
TLS_CLIENT_NOT_BEFORE = subscriptions.Input_TlsClientNotBefore()
TLS_CLIENT_NOT_AFTER = subscriptions.Input_TlsClientNotAfter()
TLS_CLIENT_DNS_NAMES = subscriptions.Input_TlsClientDnsNames()
TLS_CLIENT_URIS = subscriptions.Input_TlsClientUris()
TLS_CLIENT_EMAILS = subscriptions.Input_TlsClientEmails()
TLS_CLIENT_CERTIFICATE = subscriptions.Input_TlsClientCertificate()
NOW = subscriptions.Input_Now()
STATUS = subscriptions.Input_Status()
ANSWERED_BY = subscriptions.Input_AnsweredBy()
REQUEST_BODY_SIZE = subscriptions.Input_RequestBodySize()
RESPONSE_BODY_SIZE = subscriptions.Input_ResponseBodySize()
DURATION_MS = subscriptions.Input_DurationMs()
FIRST_BYTE_MS = subscriptions.Input_FirstByteMs()
ATTEMPTS = subscriptions.Input_Attempts()
UPSTREAM = subscriptions.Input_Upstream()
FAILURE = subscriptions.Input_Failure()


def header(name):
    """A request field."""
    return subscriptions.Input_Header(name.lower())


def header_base64(name):
    """A request field in base64, for those that may hold any bytes."""
    return subscriptions.Input_HeaderBase64(name.lower())


def header_present(name):
    """Whether the request has this field."""
    return subscriptions.Input_HeaderPresent(name.lower())


def cookie(name):
    """The cookie of this name."""
    return subscriptions.Input_Cookie(name)


def cookie_present(name):
    """Whether the request has a cookie of this name."""
    return subscriptions.Input_CookiePresent(name)


def query_parameter(name):
    """The first query parameter of this name, percent-decoded."""
    return subscriptions.Input_QueryParameter(name)


def query_parameter_base64(name):
    """The same in base64."""
    return subscriptions.Input_QueryParameterBase64(name)


def raw_query_parameter(name):
    """The first query parameter of this name, as sent."""
    return subscriptions.Input_RawQueryParameter(name)


def query_parameter_present(name):
    """Whether the query has this parameter."""
    return subscriptions.Input_QueryParameterPresent(name)


def variable(name):
    """A variable that a policy has set, as ``policy.name``."""
    return subscriptions.Input_Variable(name)


def body_text(most):
    """The request body as text, if it has at most this many bytes."""
    return subscriptions.Input_BodyText(most)


def body_base64(most):
    """The request body in base64, if it has at most this many bytes."""
    return subscriptions.Input_BodyBase64(most)


def body_prefix(most):
    """The first bytes of the request body in base64, at most this many."""
    return subscriptions.Input_BodyPrefix(most)


def response_header(name):
    """A response field."""
    return subscriptions.Input_ResponseHeader(name.lower())


def response_header_base64(name):
    """A response field in base64."""
    return subscriptions.Input_ResponseHeaderBase64(name.lower())


def response_header_present(name):
    """Whether the response has this field."""
    return subscriptions.Input_ResponseHeaderPresent(name.lower())


def response_body_text(most):
    """The response body as text, if it has at most this many bytes. Phase ``fetched`` only."""
    return subscriptions.Input_ResponseBodyText(most)


def response_body_base64(most):
    """The response body in base64, if it has at most this many bytes. Phase ``fetched`` only."""
    return subscriptions.Input_ResponseBodyBase64(most)


def response_body_prefix(most):
    """The first bytes of the response body in base64, at most this many. Phase ``fetched`` only."""
    return subscriptions.Input_ResponseBodyPrefix(most)


def client_network(ipv4, ipv6):
    """The network of the client's address, with prefixes of these lengths."""
    return subscriptions.Input_ClientNetwork(subscriptions.PrefixLengths(ipv4, ipv6))


def lookup(dataset, key, member=""):
    """The value of a key, which is another input, in a dataset."""
    return subscriptions.Input_Lookup(subscriptions.Lookup(dataset, key, member))


def named_input(name, **arguments):
    """An input that is younger than this SDK."""
    return subscriptions.Input_Named(named_constant(name, **arguments))


def is_input(asked):
    """Whether this is an input of the contract."""
    return type(asked).__name__.startswith("Input_")


# Of the contract alone: what is here is exported by the package.
__all__ = [
    "METHOD",
    "SCHEME",
    "HTTP_VERSION",
    "CLIENT_IP",
    "PEER_IP",
    "REQUEST_ID",
    "SITE",
    "ROUTE",
    "ORIGINAL_HOST",
    "ORIGINAL_PATH",
    "ORIGINAL_QUERY",
    "HOST",
    "PATH",
    "RAW_PATH",
    "EXTENSION",
    "QUERY",
    "TLS_VERSION",
    "TLS_CIPHER",
    "TLS_SERVER_NAME",
    "TLS_CLIENT_SUBJECT",
    "TLS_CLIENT_ISSUER",
    "TLS_CLIENT_SERIAL",
    "TLS_CLIENT_FINGERPRINT",
    "TLS_CLIENT_NOT_BEFORE",
    "TLS_CLIENT_NOT_AFTER",
    "TLS_CLIENT_DNS_NAMES",
    "TLS_CLIENT_URIS",
    "TLS_CLIENT_EMAILS",
    "TLS_CLIENT_CERTIFICATE",
    "NOW",
    "STATUS",
    "ANSWERED_BY",
    "REQUEST_BODY_SIZE",
    "RESPONSE_BODY_SIZE",
    "DURATION_MS",
    "FIRST_BYTE_MS",
    "ATTEMPTS",
    "UPSTREAM",
    "FAILURE",
    "header",
    "header_base64",
    "header_present",
    "cookie",
    "cookie_present",
    "query_parameter",
    "query_parameter_base64",
    "raw_query_parameter",
    "query_parameter_present",
    "variable",
    "body_text",
    "body_base64",
    "body_prefix",
    "response_header",
    "response_header_base64",
    "response_header_present",
    "response_body_text",
    "response_body_base64",
    "response_body_prefix",
    "client_network",
    "lookup",
    "named_input",
]
