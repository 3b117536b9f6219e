//! The kinds of health checks: a request over HTTP, a connection, or a call of gRPC.

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::reference::{FieldDoc, Presence};
use crate::span::{Span, Spanned};

/// The longest name of a service of gRPC.
const SERVICE_MAX: usize = 256;

/// What an endpoint is asked for.
#[derive(Debug, Clone)]
pub enum CheckKind {
    /// A response over HTTP to a request for this path.
    Http(Spanned<CheckPath>),
    /// A connection; with TLS if the upstream has it.
    Tcp(Spanned<bool>),
    /// The state of a service by the gRPC health protocol.
    Grpc(Spanned<GrpcService>),
}

const ONE_OF: &str = "one of `path`, `tcp`, `grpc`";
const HELP: &str = "write `path = \"/health\"`, `tcp = true` or `grpc = \"\"`";

impl CheckKind {
    /// Reads the one kind of a check.
    pub(crate) fn take(health: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let is_short = health.is_short();
        let path = health.optional::<Spanned<CheckPath>>("path")?;
        let tcp = health.optional::<Spanned<bool>>("tcp")?;
        let grpc = health.optional::<Spanned<GrpcService>>("grpc")?;
        let given = ["path", "tcp", "grpc"].map(|key| (key, health.key_span(key)));
        let mut given = given
            .into_iter()
            .filter_map(|(key, span)| Some((key, span?)));
        let first = given.next();
        if let (Some((one, at)), Some((other, span))) = (first, given.next()) {
            return health.decoder.refuse(
                Diagnostic::error(span, format!("a check has one kind: `{one}` or `{other}`"))
                    .note(at, "the other one")
                    .help("keep one of them"),
            );
        }
        if first.is_none() && !is_short {
            return health.decoder.refuse(
                Diagnostic::error(health.span, "this does not say what is checked").help(HELP),
            );
        }
        if let Some(tcp) = &tcp
            && !tcp.value
        {
            return health
                .decoder
                .refuse(Diagnostic::error(tcp.span, "this checks nothing").help(HELP));
        }
        path.map(Self::Http)
            .or_else(|| tcp.map(Self::Tcp))
            .or_else(|| grpc.map(Self::Grpc))
    }

    /// The fields of all kinds, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        FieldDoc::add::<CheckPath>(
            fields,
            path,
            "path",
            Presence::optional(ONE_OF),
            "The path, with its query, that is requested over HTTP, in the version that the \
             upstream speaks.",
        );
        FieldDoc::add::<bool>(
            fields,
            path,
            "tcp",
            Presence::optional(ONE_OF),
            "`true`: a check passes if a connection is established, with TLS if the upstream has \
             it.",
        );
        FieldDoc::add::<GrpcService>(
            fields,
            path,
            "grpc",
            Presence::optional(ONE_OF),
            "The service that the endpoint is asked about by the gRPC health protocol \
             (`grpc.health.v1.Health`). `\"\"` stands for the whole server.",
        );
    }

    /// The name of its field, and its place.
    pub(crate) fn field(&self) -> (&'static str, Span) {
        match self {
            Self::Http(path) => ("path", path.span),
            Self::Tcp(tcp) => ("tcp", tcp.span),
            Self::Grpc(service) => ("grpc", service.span),
        }
    }
}

/// The target of a request: a path, and a query if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPath(String);

impl CheckPath {
    /// The path and the query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for CheckPath {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let fits = |b: u8| (b'!'..=b'~').contains(&b) && !b"\"#<>\\^`{|}".contains(&b);
        if text.starts_with('/') && text.bytes().all(fits) {
            return Some(Self(text.to_owned()));
        }
        let after_host = text
            .split_once("://")
            .map(|(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let help = match after_host {
            Some(path) => format!("write the path alone: \"/{path}\""),
            None => "write a path such as \"/health/ready\"; other characters are encoded by `%`"
                .to_owned(),
        };
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not a path to be requested")).help(help),
        )
    }

    fn kind() -> String {
        "a path such as \"/health/ready\"".to_owned()
    }
}

/// The name of a service of gRPC; empty for the whole server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcService(String);

impl GrpcService {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for GrpcService {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let DeValue::Boolean(_) = node.get_ref() {
            let span = decoder.span(node);
            return decoder.refuse(
                Diagnostic::error(span, "expected the name of a service, found a boolean")
                    .help("write `grpc = \"\"` for the whole server"),
            );
        }
        let text = decoder.text(node, &Self::kind())?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        if text.len() <= SERVICE_MAX && text.bytes().all(fits) {
            return Some(Self(text.to_owned()));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not the name of a service"))
                .help("write a name such as \"shop.Orders\", or \"\" for the whole server"),
        )
    }

    fn kind() -> String {
        "the name of a service such as \"shop.Orders\"".to_owned()
    }
}
