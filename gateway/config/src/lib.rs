//! The file model of a Janua configuration: plain data as it was written, with
//! the position of every value that a later check may refuse.
//!
//! [`load`] reads the file and its includes into a [`Config`]. All errors are
//! found in one pass and returned as [`Diagnostics`], each with file, line, a
//! caret, and advice. Later stages add their own in the same way:
//! `Diagnostic::error(listener.address.span, "…").help("…")`.
//!
//! Nothing is executed here: no socket is bound, no name resolved, no
//! expression compiled, no component opened. That is done when the snapshot is
//! built.

mod acme;
mod acme_authority;
mod acme_certificate;
mod acme_directory;
mod acme_dns;
mod acme_dns_provider;
mod acme_eab;
mod address;
mod admin;
mod authorities;
mod balance;
mod breaker;
mod cache;
mod certificate;
mod certified;
mod changes;
mod client_limits;
mod compression;
mod decode;
mod diagnostic;
mod document;
mod event_webhook;
mod files;
mod grpc_web;
mod header;
mod header_edits;
mod ignored;
mod include;
mod input;
mod json_text;
mod list;
mod listener;
mod listener_http2;
mod listener_tls;
mod log;
mod macros;
mod min_rate;
mod mirror;
mod named_dataset;
mod named_secret;
mod names;
mod network;
mod path;
mod policy;
mod policy_config;
mod policy_secrets;
mod public_name;
mod query;
mod redirect;
mod redirect_http;
mod reference;
mod request_input;
mod rewrite;
mod route;
mod secret;
mod secured;
mod server;
mod site;
mod site_tls;
mod span;
mod split;
mod suggest;
mod switch;
mod syntax;
mod target;
mod template;
mod throttle;
mod tree;
mod units;
mod upstream;
mod upstream_tls;
mod watch_list;
mod webhook;
mod zones;

pub use acme::Acme;
pub use acme_authority::{Authority, Challenge, KeyType, TermsAccepted};
pub use acme_certificate::{AcmeCertificate, OnDemand};
pub use acme_directory::Directory;
pub use acme_dns::{AcmeDns, DnsCheck, Resolver};
pub use acme_dns_provider::DnsProvider;
pub use acme_eab::{Eab, EabKey};
pub use address::{Address, AddressScheme, HostTemplate, Origin, PathTemplate, RedirectScheme};
pub use admin::Admin;
pub use balance::{Balance, BalanceWord, CookieName, Factor, HashBalance, SameSite, Sticky};
pub use breaker::Breaker;
pub use cache::{Cache, CacheDisk};
pub use certificate::{Certificate, CertificateFiles};
pub use changes::{Change, ChangeKind};
pub use client_limits::ClientLimits;
pub use compression::{
    Compression, CompressionLevel, CompressionLevels, Encoding, Heavy, MediaType,
};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use document::{Config, Loaded, parse};
pub use event_webhook::{EventKind, EventText, EventWebhook};
pub use files::{Files, FilesRoot, Glob, IndexName, Symlinks};
pub use header::{FieldName, Header, HeaderList, HeaderMatch, HeaderMatches, Method, ValueTest};
pub use header_edits::{FieldLines, FieldValues, HeaderEdits};
pub use include::{Pattern, load, load_with_references};
pub use input::{Input, PlainInput};
pub use list::{NonEmpty, OneOrMany};
pub use listener::{ListenAddress, Listener};
pub use listener_http2::{Http2Limits, ListenerHttp2};
pub use listener_tls::ListenerTls;
pub use log::{AccessFormat, AccessLog, AccessPath, Level, Log};
pub use min_rate::{MinRate, Rate};
pub use mirror::{Fraction, Hundredths, Mirror};
pub use named_dataset::{DatasetKind, DatasetSource, NamedDataset};
pub use named_secret::{CredentialName, NamedSecret, SecretSource};
pub use names::{AuthorityName, ListenerName, Named, Names, PolicyName, UpstreamName};
pub use network::Network;
pub use path::PathPattern;
pub use policy::{Component, Grant, Isolation, OnError, Policy, PolicyUse};
pub use policy_config::PolicyConfig;
pub use policy_secrets::PolicySecrets;
pub use query::{QueryMatch, QueryMatches};
pub use redirect::{Redirect, RedirectCode};
pub use redirect_http::{RedirectHost, RedirectHttp};
pub use reference::{FieldDoc, reference, reference_markdown};
pub use request_input::RequestInput;
pub use rewrite::{PathPrefix, Rewrite};
pub use route::{Bare, Route, UpstreamHost};
pub use secret::{Resolved, Token, resolve_references};
pub use server::Server;
pub use site::{EncodedSlash, HiddenDots, HostPattern, Site};
pub use site_tls::{ClientAuth, ClientAuthMode, SiteTls, TlsVersion};
pub use span::{Location, Source, SourceId, Sources, Span, Spanned};
pub use split::{Split, SplitMember};
pub use switch::{OrFalse, Switch};
pub use target::{Respond, Status, Target};
pub use template::{Template, TemplatePart};
pub use throttle::Throttle;
pub use units::{FileMode, Percent, Size};
pub use upstream::{Endpoint, EndpointAddress, PassiveHealth, Upstream, UpstreamHttp};
pub use upstream_tls::{ClientCertificate, ProxyVersion, ServerName, UpstreamTls};
pub use watch_list::{FileKind, WatchList};
pub use webhook::{Webhook, WebhookBody, WebhookTemplate, WebhookText, WebhookUrl};
