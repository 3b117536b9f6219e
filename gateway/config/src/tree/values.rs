//! Converts values of single fields to trees, and decides which of them are
//! secret.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::{ToFields, ToTree, Tree};
use crate::acme_directory::Directory;
use crate::acme_dns::Resolver;
use crate::acme_dns_provider::DnsProvider;
use crate::acme_eab::EabKey;
use crate::address::Address;
use crate::balance::CookieName;
use crate::compression::{CompressionLevel, MediaType};
use crate::endpoint_address::EndpointAddress;
use crate::event_webhook::EventText;
use crate::files::{FilesRoot, Glob, IndexName};
use crate::header::{FieldName, HeaderList, HeaderMatches, Method};
use crate::health::{CheckHost, CheckPort};
use crate::health_kind::{CheckKind, CheckPath, GrpcService};
use crate::host_template::HostTemplate;
use crate::include::Pattern;
use crate::input::Input;
use crate::listener::ListenAddress;
use crate::log::AccessPath;
use crate::min_rate::Rate;
use crate::mirror::Hundredths;
use crate::named_dataset::DatasetSource;
use crate::named_secret::{CredentialName, SecretSource};
use crate::names::{AuthorityName, ListenerName, PolicyName, UpstreamName};
use crate::network::Network;
use crate::outliers::{Deviations, HeededStatus};
use crate::panic_threshold::PanicThreshold;
use crate::path::PathPattern;
use crate::path_template::PathTemplate;
use crate::policy::{Component, Grant};
use crate::policy_config::PolicyConfig;
use crate::redirect::RedirectCode;
use crate::retries::{Hedge, RetryCondition};
use crate::rewrite::PathPrefix;
use crate::route::UpstreamHost;
use crate::secret::Token;
use crate::site::HostPattern;
use crate::status_range::StatusRange;
use crate::target::Status;
use crate::units::{FileMode, Percent, Size};
use crate::upstream_tls::ServerName;
use crate::webhook::{WebhookBody, WebhookText, WebhookUrl};

/// Implements `ToTree` for values that may be shown, each by an expression for
/// its text.
macro_rules! shown {
    ($($Type:ty: |$value:ident| $text:expr;)*) => {
        $(
            impl ToTree for $Type {
                fn to_tree(&self) -> Tree {
                    let $value = self;
                    Tree::Value($text.to_string())
                }
            }
        )*
    };
}

shown! {
    String: |text| text;
    bool: |value| value;
    u16: |number| number;
    u32: |number| number;
    NonZeroU32: |number| number;
    PathBuf: |path| path.display();
    Duration: |time| duration(*time);
    Percent: |percent| format!("{}%", percent.get());
    Hundredths: |hundredths| hundredths;
    Size: |size| bytes(size.bytes());
    Rate: |rate| rate.0.map_or_else(|| "false".to_owned(), |rate| bytes(rate.get()));
    FileMode: |mode| format!("{:04o}", mode.0);
    Pattern: |pattern| pattern.directory.join(&pattern.name).display();
    ListenAddress: |address| listen_address(*address);
    Network: |network| network.0;
    FieldName: |name| name.as_str();
    Method: |method| method.as_str();
    CheckHost: |host| host.as_str();
    CheckPath: |path| path.as_str();
    CheckPort: |port| port.0;
    GrpcService: |service| service.as_str();
    StatusRange: |statuses| statuses;
    Deviations: |number| f64::from(number.0) / 1000.0;
    HeededStatus: |status| status.0;
    PanicThreshold: |threshold| match threshold {
        PanicThreshold::Never => "0".to_owned(),
        PanicThreshold::Below(percent) => format!("{}%", percent.get()),
    };
    ListenerName: |name| name;
    UpstreamName: |name| name;
    PolicyName: |name| name;
    AuthorityName: |name| name;
    CredentialName: |name| name.as_str();
    Directory: |directory| directory;
    Resolver: |resolver| resolver.0;
    AccessPath: |path| access_path(path);
    PathPattern: |pattern| path_pattern(pattern);
    Component: |component| component_name(component);
    Grant: |grant| grant.as_str();
    UpstreamHost: |host| upstream_host(host);
    HostPattern: |host| host;
    Status: |status| status.0;
    RedirectCode: |code| code.0;
    Address: |address| address.as_str();
    HostTemplate: |host| host.as_str();
    PathTemplate: |path| path.as_str();
    PathPrefix: |prefix| prefix.as_str();
    EndpointAddress: |address| address;
    RetryCondition: |condition| condition;
    Hedge: |hedge| match hedge {
        Hedge::After(time) => duration(*time),
        Hedge::Quantile(percent) => format!("p{percent}"),
    };
    CookieName: |name| name.as_str();
    Input: |input| input;
    ServerName: |name| name;
    MediaType: |kind| kind.as_str();
    Glob: |glob| glob.as_str();
    IndexName: |name| name.as_str();
}

impl<const MOST: u16> ToTree for CompressionLevel<MOST> {
    fn to_tree(&self) -> Tree {
        Tree::Value(self.0.to_string())
    }
}

/// Any part of a component's configuration may be secret.
impl ToTree for PolicyConfig {
    fn to_tree(&self) -> Tree {
        let fields = self.value.as_object().into_iter().flatten();
        let secret = |value: &serde_json::Value| Tree::Secret(value.to_string());
        Tree::Table(
            fields
                .map(|(key, value)| (key.clone(), secret(value)))
                .collect(),
        )
    }
}

/// Values of header fields may be credentials, for example for a webhook.
impl ToTree for HeaderList {
    fn to_tree(&self) -> Tree {
        let field = |(name, value): (&FieldName, &String)| {
            (name.as_str().to_owned(), Tree::Secret(value.clone()))
        };
        let fields = self.0.iter();
        Tree::Table(
            fields
                .map(|header| field((&header.name, &header.value)))
                .collect(),
        )
    }
}

/// A required header value may be the secret by which a CDN authenticates
/// itself.
impl ToTree for HeaderMatches {
    fn to_tree(&self) -> Tree {
        let fields = self.0.iter();
        Tree::Table(
            fields
                .map(|header| {
                    (
                        header.name.as_str().to_owned(),
                        Tree::Secret(header.test.to_string()),
                    )
                })
                .collect(),
        )
    }
}

/// Some services use a secret in the URL.
impl ToTree for WebhookUrl {
    fn to_tree(&self) -> Tree {
        Tree::Secret(self.as_str().to_owned())
    }
}

impl ToTree for WebhookText {
    fn to_tree(&self) -> Tree {
        Tree::Secret(self.as_str().to_owned())
    }
}

impl ToTree for EventText {
    fn to_tree(&self) -> Tree {
        Tree::Secret(self.as_str().to_owned())
    }
}

impl ToFields for WebhookBody {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        match self {
            Self::Template(template) => vec![("template".to_owned(), template.to_tree())],
            Self::Text(text) => vec![("body".to_owned(), text.to_tree())],
        }
    }
}

/// The source of the token may be shown; its value was never read.
impl ToFields for Token {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        match self {
            Self::None => Vec::new(),
            Self::File(path) => vec![("token_file".to_owned(), path.to_tree())],
            Self::Env(name) => vec![("token_env".to_owned(), name.to_tree())],
        }
    }
}

/// The source of the key may be shown; its value was never read.
impl ToFields for EabKey {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        match self {
            Self::File(path) => vec![("key_file".to_owned(), path.to_tree())],
            Self::Env(name) => vec![("key_env".to_owned(), name.to_tree())],
        }
    }
}

/// Where a secret comes from may be shown; it was never read.
impl ToFields for SecretSource {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        let (name, tree) = match self {
            Self::File(paths) => ("file", paths.to_tree()),
            Self::Env(names) => ("env", names.to_tree()),
            Self::Credential(names) => ("credential", names.to_tree()),
            Self::Htpasswd(path) => ("htpasswd_file", path.to_tree()),
            Self::Pem(paths) => ("pem_file", paths.to_tree()),
            Self::Jwks(paths) => ("jwks_file", paths.to_tree()),
            Self::JwksUrl { url, upstream, ca } => {
                return vec![
                    ("jwks_url".to_owned(), url.to_tree()),
                    ("upstream".to_owned(), upstream.to_tree()),
                    ("ca".to_owned(), ca.to_tree()),
                ];
            }
        };
        vec![(name.to_owned(), tree)]
    }
}

impl ToFields for DatasetSource {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        vec![(self.kind.field().to_owned(), self.file.to_tree())]
    }
}

impl ToFields for DnsProvider {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        match self {
            Self::Responder {
                addresses,
                zone,
                name_server,
            } => vec![
                ("responder".to_owned(), addresses.to_tree()),
                ("zone".to_owned(), zone.to_tree()),
                ("name_server".to_owned(), name_server.to_tree()),
            ],
            Self::Webhook { url, token } => {
                let mut fields = vec![("webhook".to_owned(), url.to_tree())];
                fields.extend(token.to_fields());
                fields
            }
        }
    }
}

impl ToFields for CheckKind {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        let tree = match self {
            Self::Http(path) => path.to_tree(),
            Self::Tcp(tcp) => tcp.to_tree(),
            Self::Grpc(service) => service.to_tree(),
        };
        vec![(self.field().0.to_owned(), tree)]
    }
}

impl ToFields for FilesRoot {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        let name = match self {
            Self::Root(_) => "root",
            Self::Alias(_) => "alias",
        };
        vec![(name.to_owned(), self.path().to_tree())]
    }
}

/// Formats a duration in the largest unit that gives a whole number.
fn duration(time: Duration) -> String {
    let ms = time.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    match units
        .iter()
        .find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit))
    {
        Some((word, unit)) => format!("{}{word}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

/// Formats a size in the largest unit that gives a whole number.
fn bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = |shift: u32| bytes > 0 && bytes.trailing_zeros() >= shift;
    match units.iter().find(|(_, shift)| fits(*shift)) {
        Some((word, shift)) => format!("{}{word}", bytes >> shift),
        None => bytes.to_string(),
    }
}

fn listen_address(address: ListenAddress) -> String {
    match address {
        ListenAddress::Socket(address) => address.to_string(),
        ListenAddress::BothFamilies { port } => format!("*:{port}"),
    }
}

fn access_path(path: &AccessPath) -> String {
    match path {
        AccessPath::Stdout => "stdout".to_owned(),
        AccessPath::Stderr => "stderr".to_owned(),
        AccessPath::Off => "off".to_owned(),
        AccessPath::File(path) => path.display().to_string(),
    }
}

/// Includes the kind of pattern, which a route's label omits if it is clear.
fn path_pattern(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Exact(path) => format!("exact {path}"),
        PathPattern::Prefix(path) => format!("prefix {path}"),
        PathPattern::Segment(path) => format!("segment {path}"),
        PathPattern::Suffix(ends) => format!("suffix {}", ends.join(", ")),
        PathPattern::Regex(expression) => format!("regex {expression}"),
    }
}

fn component_name(component: &Component) -> String {
    match component {
        Component::Bundled(name) => name.clone(),
        Component::File(path) => path.display().to_string(),
    }
}

fn upstream_host(host: &UpstreamHost) -> String {
    match host {
        UpstreamHost::Preserve => "preserve".to_owned(),
        UpstreamHost::Upstream => "upstream".to_owned(),
        UpstreamHost::Literal(host) => host.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, duration};

    #[test]
    fn in_the_units_of_the_file() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (1_000, "1s"),
            (90_000, "90s"),
            (120_000, "2m"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
        for (number, text) in [
            (0, "0"),
            (1_000, "1000"),
            (1024, "1KiB"),
            (64 << 20, "64MiB"),
            (3 << 30, "3GiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
