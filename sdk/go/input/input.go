// Package input has the inputs of the contract. Names of fields are written in lower case.
package input

import "janua/sdk/bindings/janua_policy_subscriptions"

// Input is a property of an exchange that a policy asks for.
type Input = janua_policy_subscriptions.Input

// The inputs without an argument.
var (
	Method               = janua_policy_subscriptions.MakeInputMethod()
	Scheme               = janua_policy_subscriptions.MakeInputScheme()
	HTTPVersion          = janua_policy_subscriptions.MakeInputHttpVersion()
	ClientIP             = janua_policy_subscriptions.MakeInputClientIp()
	PeerIP               = janua_policy_subscriptions.MakeInputPeerIp()
	RequestID            = janua_policy_subscriptions.MakeInputRequestId()
	Site                 = janua_policy_subscriptions.MakeInputSite()
	Route                = janua_policy_subscriptions.MakeInputRoute()
	OriginalHost         = janua_policy_subscriptions.MakeInputOriginalHost()
	OriginalPath         = janua_policy_subscriptions.MakeInputOriginalPath()
	OriginalQuery        = janua_policy_subscriptions.MakeInputOriginalQuery()
	Host                 = janua_policy_subscriptions.MakeInputHost()
	Path                 = janua_policy_subscriptions.MakeInputPath()
	RawPath              = janua_policy_subscriptions.MakeInputRawPath()
	Extension            = janua_policy_subscriptions.MakeInputExtension()
	Query                = janua_policy_subscriptions.MakeInputQuery()
	TLSVersion           = janua_policy_subscriptions.MakeInputTlsVersion()
	TLSCipher            = janua_policy_subscriptions.MakeInputTlsCipher()
	TLSServerName        = janua_policy_subscriptions.MakeInputTlsServerName()
	TLSClientSubject     = janua_policy_subscriptions.MakeInputTlsClientSubject()
	TLSClientIssuer      = janua_policy_subscriptions.MakeInputTlsClientIssuer()
	TLSClientSerial      = janua_policy_subscriptions.MakeInputTlsClientSerial()
	TLSClientFingerprint = janua_policy_subscriptions.MakeInputTlsClientFingerprint()
	TLSClientNotBefore   = janua_policy_subscriptions.MakeInputTlsClientNotBefore()
	TLSClientNotAfter    = janua_policy_subscriptions.MakeInputTlsClientNotAfter()
	TLSClientDNSNames    = janua_policy_subscriptions.MakeInputTlsClientDnsNames()
	TLSClientURIs        = janua_policy_subscriptions.MakeInputTlsClientUris()
	TLSClientEmails      = janua_policy_subscriptions.MakeInputTlsClientEmails()
	TLSClientCertificate = janua_policy_subscriptions.MakeInputTlsClientCertificate()
	Now                  = janua_policy_subscriptions.MakeInputNow()
	Status               = janua_policy_subscriptions.MakeInputStatus()
	AnsweredBy           = janua_policy_subscriptions.MakeInputAnsweredBy()
	RequestBodySize      = janua_policy_subscriptions.MakeInputRequestBodySize()
	ResponseBodySize     = janua_policy_subscriptions.MakeInputResponseBodySize()
	DurationMs           = janua_policy_subscriptions.MakeInputDurationMs()
	FirstByteMs          = janua_policy_subscriptions.MakeInputFirstByteMs()
	Attempts             = janua_policy_subscriptions.MakeInputAttempts()
	Upstream             = janua_policy_subscriptions.MakeInputUpstream()
	Failure              = janua_policy_subscriptions.MakeInputFailure()
)

// The inputs with a name: a field, a cookie, a parameter, or a variable as `policy.name`.
var (
	Header                = janua_policy_subscriptions.MakeInputHeader
	HeaderBase64          = janua_policy_subscriptions.MakeInputHeaderBase64
	HeaderPresent         = janua_policy_subscriptions.MakeInputHeaderPresent
	Cookie                = janua_policy_subscriptions.MakeInputCookie
	CookiePresent         = janua_policy_subscriptions.MakeInputCookiePresent
	QueryParameter        = janua_policy_subscriptions.MakeInputQueryParameter
	QueryParameterBase64  = janua_policy_subscriptions.MakeInputQueryParameterBase64
	RawQueryParameter     = janua_policy_subscriptions.MakeInputRawQueryParameter
	QueryParameterPresent = janua_policy_subscriptions.MakeInputQueryParameterPresent
	ResponseHeader        = janua_policy_subscriptions.MakeInputResponseHeader
	ResponseHeaderBase64  = janua_policy_subscriptions.MakeInputResponseHeaderBase64
	ResponseHeaderPresent = janua_policy_subscriptions.MakeInputResponseHeaderPresent
	Variable              = janua_policy_subscriptions.MakeInputVariable
)

// The bodies, with the largest number of bytes.
var (
	BodyText           = janua_policy_subscriptions.MakeInputBodyText
	BodyBase64         = janua_policy_subscriptions.MakeInputBodyBase64
	BodyPrefix         = janua_policy_subscriptions.MakeInputBodyPrefix
	ResponseBodyText   = janua_policy_subscriptions.MakeInputResponseBodyText
	ResponseBodyBase64 = janua_policy_subscriptions.MakeInputResponseBodyBase64
	ResponseBodyPrefix = janua_policy_subscriptions.MakeInputResponseBodyPrefix
)

// Named is an input that is younger than this SDK.
var Named = janua_policy_subscriptions.MakeInputNamed

// ClientNetwork is the network of the client's address, with prefixes of these lengths.
func ClientNetwork(ipv4, ipv6 uint8) Input {
	return janua_policy_subscriptions.MakeInputClientNetwork(
		janua_policy_subscriptions.PrefixLengths{Ipv4: ipv4, Ipv6: ipv6},
	)
}

// Lookup is the value of a key in a dataset: of the reference at this position. The member is empty
// unless the dataset has records.
func Lookup(dataset string, key uint32, member string) Input {
	return janua_policy_subscriptions.MakeInputLookup(
		janua_policy_subscriptions.Lookup{Dataset: dataset, Key: key, Member: member},
	)
}
