//! The target of a route: how its requests are handled.

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::files::Files;
use crate::header::HeaderList;
use crate::macros::table;
use crate::names::UpstreamName;
use crate::reference::{FieldDoc, Presence};
use crate::span::Spanned;
use crate::split::{Split, UpstreamTarget};
use crate::tree::{ToFields, ToTree as _, Tree};

/// How the requests of a route are handled.
#[derive(Debug, Clone)]
pub enum Target {
    /// They are forwarded to an upstream.
    Upstream(Spanned<UpstreamName>),
    /// They are divided among upstreams.
    Split(Box<Split>),
    /// They are answered with files.
    Files(Box<Files>),
    /// They are answered with a fixed response.
    Respond(Respond),
    /// They are redirected.
    Redirect(Redirect),
}

/// The fields that are targets.
const CARRIED_OUT: [&str; 4] = ["upstream", "files", "respond", "redirect"];
/// The field of a future target.
const NOT_YET: &str = "handler";

impl ToFields for Target {
    fn to_fields(&self) -> Vec<(String, Tree)> {
        let tree = match self {
            Self::Upstream(name) => name.to_tree(),
            Self::Split(split) => split.to_tree(),
            Self::Files(files) => files.to_tree(),
            Self::Respond(respond) => respond.to_tree(),
            Self::Redirect(redirect) => redirect.to_tree(),
        };
        vec![(self.name().to_owned(), tree)]
    }
}

impl Target {
    /// The field that it is written in.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Upstream(_) | Self::Split(_) => "upstream",
            Self::Files(_) => "files",
            Self::Respond(_) => "respond",
            Self::Redirect(_) => "redirect",
        }
    }

    /// Whether requests are forwarded.
    #[must_use]
    pub fn is_upstream(&self) -> bool {
        self.upstreams().next().is_some()
    }

    /// The upstreams that requests are forwarded to.
    pub fn upstreams(&self) -> impl Iterator<Item = &Spanned<UpstreamName>> {
        let (one, several) = match self {
            Self::Upstream(name) => (Some(name), None),
            Self::Split(split) => (None, Some(&split.split)),
            Self::Files(_) | Self::Respond(_) | Self::Redirect(_) => (None, None),
        };
        let several = several.into_iter().flat_map(|members| members.iter());
        one.into_iter()
            .chain(several.map(|member| &member.upstream))
    }

    /// Reads the one target of a route.
    pub(crate) fn take(route: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let given: Vec<_> = CARRIED_OUT
            .into_iter()
            .filter(|key| route.key_span(key).is_some())
            .collect();
        let upstream = route.optional("upstream")?;
        let upstream = upstream.map(|upstream| match upstream {
            UpstreamTarget::One(name) => Self::Upstream(name),
            UpstreamTarget::Split(split) => Self::Split(split),
        });
        let files = route.optional("files")?.map(Self::Files);
        let respond = route.optional("respond")?.map(Self::Respond);
        let redirect = route.optional("redirect")?.map(Self::Redirect);

        let refused = route.node(NOT_YET).is_some();
        if let Some(span) = route.key_span(NOT_YET) {
            let message = format!("`{NOT_YET}` is not supported by this version");
            route.decoder.push(
                Diagnostic::error(span, message)
                    .help("use `upstream`, `files`, `respond` or `redirect`"),
            );
        }
        match given.as_slice() {
            [] if refused => None,
            [] => route.decoder.refuse(
                Diagnostic::error(route.span, "the route has no target").help(
                    "write one of `upstream`, `files`, `respond`, `redirect`: `upstream = \"app\"`",
                ),
            ),
            [_] => upstream.or(files).or(respond).or(redirect),
            [first, rest @ ..] => {
                for key in rest {
                    let span = route.key_span(key).unwrap_or(route.span);
                    let mut fault = Diagnostic::error(
                        span,
                        format!("the route has two targets: `{first}` and `{key}`"),
                    )
                    .help("keep one of them, or make two routes");
                    if let Some(first) = route.key_span(first) {
                        fault = fault.note(first, "the other one");
                    }
                    route.decoder.push(fault);
                }
                None
            }
        }
    }

    /// The fields of the targets, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        let one_of = || Presence::optional("one of `upstream`, `files`, `respond`, `redirect`");
        FieldDoc::add::<UpstreamTarget>(
            fields,
            path,
            "upstream",
            one_of(),
            "The upstream that requests are forwarded to, or upstreams among which they are \
             divided.",
        );
        FieldDoc::add::<Files>(
            fields,
            path,
            "files",
            one_of(),
            "A directory whose files are served: its path, or a table. Only for `GET` and `HEAD`.",
        );
        FieldDoc::add::<Respond>(fields, path, "respond", one_of(), "A fixed response.");
        FieldDoc::add::<Redirect>(fields, path, "redirect", one_of(), "A redirect.");
    }
}

table! {
    /// A fixed response.
    pub struct Respond("a table such as `{ status = 200, body = \"ok\" }`") {
        /// The status code, 200 to 599.
        status: Status = default("200");
        /// The body.
        body: String = default("\"\"");
        /// Header fields.
        headers: HeaderList = default("{}");
    }
}

/// A final status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

impl Decode for Status {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let status = u16::decode(node, decoder)?;
        if (200..=599).contains(&status) {
            return Some(Self(status));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("{status} is not the status of an answer"))
                .help("write a number from 200 to 599"),
        )
    }

    fn kind() -> String {
        "a status from 200 to 599".to_owned()
    }
}

table! {
    /// A redirect.
    pub struct Redirect("a table such as `{ to = \"https://{host}{path}{query}\", code = 301 }`") {
        /// The URL to redirect to: `http://…`, `https://…`, or a path.
        /// `{scheme}`, `{host}`, `{path}` and `{query}` (with its `?`) are
        /// those of the request, and `$$` is a `$`. If `{host}` is used, a
        /// request without a host is answered with 400.
        to: Spanned<Template> = required;
        /// The status code: 301 and 308 are permanent, 302 and 307 are
        /// temporary; 307 and 308 keep the method.
        code: RedirectCode = default("302");
    }
}

/// The status code of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedirectCode(pub u16);

impl Decode for RedirectCode {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let code = u16::decode(node, decoder)?;
        if matches!(code, 301 | 302 | 307 | 308) {
            return Some(Self(code));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("{code} is not the status of a redirect"))
                .help("write 301, 302, 307 or 308"),
        )
    }

    fn kind() -> String {
        "301, 302, 307 or 308".to_owned()
    }
}

/// Text with placeholders for parts of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<TemplatePart>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// This text.
    Literal(String),
    /// `http` or `https`, as the client connected.
    Scheme,
    /// The host that the client named, without its port.
    Host,
    /// The normalised path.
    Path,
    /// `?` and the query; empty if there is no query.
    Query,
}

impl Decode for Template {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        match template(text) {
            Ok(parts) => Some(Self(parts)),
            Err((message, help)) => decoder.refuse(Diagnostic::error(span, message).help(help)),
        }
    }

    fn kind() -> String {
        "an address such as \"https://{host}{path}{query}\"".to_owned()
    }
}

/// An error message, and advice on what to write instead.
type Refusal = (String, String);

/// Parses a template, or returns an error message and advice.
fn template(text: &str) -> Result<Vec<TemplatePart>, Refusal> {
    if text.is_empty() || text.chars().any(|c| c.is_control() || c == ' ') {
        return Err((
            format!("`{text}` is not an address"),
            "write an address without spaces: \"https://{host}{path}{query}\"".to_owned(),
        ));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '$']) {
        let (before, after) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            rest = dollar(after)?;
            literal.push('$');
            continue;
        }
        let Some((place, after)) = after.get(1..).and_then(|after| after.split_once('}')) else {
            return Err((
                "`{` is not closed".to_owned(),
                "write `}` after the name of the part".to_owned(),
            ));
        };
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part(place)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(TemplatePart::Literal(literal));
    }
    let starts = ["http://", "https://", "{scheme}://", "/", "{path}"];
    if !starts.iter().any(|start| text.starts_with(start)) {
        return Err((
            format!("`{text}` is neither an address of `http` or `https` nor a path"),
            "write \"https://www.example.com{path}{query}\", or \"/path\" on the same host"
                .to_owned(),
        ));
    }
    Ok(parts)
}

fn part(name: &str) -> Result<TemplatePart, Refusal> {
    const NAMES: [&str; 4] = ["scheme", "host", "path", "query"];
    Ok(match name {
        "scheme" => TemplatePart::Scheme,
        "host" => TemplatePart::Host,
        "path" => TemplatePart::Path,
        "query" => TemplatePart::Query,
        other => {
            let help = match elsewhere(other.trim_start_matches("http.request.")) {
                Some(own) => format!("write `{own}`"),
                None => crate::suggest::one_of(other, NAMES, "the parts are"),
            };
            return Err((format!("`{{{other}}}` is not a part of the request"), help));
        }
    })
}

/// The text after a `$` that stands for itself. A name after it would be a
/// variable of nginx, which would be sent to clients unchanged, so it is an
/// error.
fn dollar(after: &str) -> Result<&str, Refusal> {
    if let Some(rest) = after.strip_prefix('$') {
        return Ok(rest);
    }
    let name = after.trim_start_matches('{');
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    if name.is_empty() && !after.starts_with('{') {
        return Ok(after);
    }
    let help = match elsewhere(name) {
        Some(own) => format!("write `{own}`"),
        None => "the parts are `{scheme}`, `{host}`, `{path}`, `{query}`; write `$$` for a `$`"
            .to_owned(),
    };
    Err((format!("`${name}` is not a part of the request"), help))
}

/// The equivalent of a variable of nginx or Caddy.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "scheme" => "{scheme}",
        "host" | "http_host" | "server_name" | "hostport" => "{host}",
        "uri" | "request_uri" => "{path}{query}",
        "document_uri" | "path" => "{path}",
        "args" | "query_string" | "is_args" | "query" => "{query}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{TemplatePart as Part, template};

    #[test]
    fn parts_of_the_request_and_text() {
        let literal = |text: &str| Part::Literal(text.to_owned());
        let table: [(&str, &[Part]); 6] = [
            (
                "https://{host}{path}{query}",
                &[literal("https://"), Part::Host, Part::Path, Part::Query],
            ),
            (
                "{scheme}://a.example/",
                &[Part::Scheme, literal("://a.example/")],
            ),
            ("/new", &[literal("/new")]),
            ("/odata?$$filter=x", &[literal("/odata?$filter=x")]),
            ("/a$$$$b$$", &[literal("/a$$b$")]),
            ("/5$?x=$", &[literal("/5$?x=$")]),
        ];
        for (text, parts) in table {
            assert_eq!(template(text).unwrap(), parts, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_part_is_refused_with_what_to_write() {
        let table = [
            ("https://$host/", "`$host` is", "write `{host}`"),
            (
                "$scheme://a$request_uri",
                "`$scheme` is",
                "write `{scheme}`",
            ),
            (
                "https://a$request_uri",
                "`$request_uri` is",
                "write `{path}{query}`",
            ),
            ("https://a${uri}", "`$uri` is", "write `{path}{query}`"),
            ("https://a/$filter", "`$filter` is", "write `$$` for a `$`"),
            ("https://a{uri}", "`{uri}` is", "write `{path}{query}`"),
            (
                "https://{http.request.host}/",
                "`{http.request.host}` is",
                "write `{host}`",
            ),
            ("https://{hots}/", "`{hots}` is", "did you mean `host`?"),
            ("{host}/x", "neither an address", "https://www.example.com"),
            (
                "www.example.com/x",
                "neither an address",
                "https://www.example.com",
            ),
            ("https://{host", "not closed", "write `}`"),
            ("", "not an address", "write an address"),
        ];
        for (text, what, help) in table {
            let (said, helped) = template(text).unwrap_err();
            assert!(
                said.contains(what) && helped.contains(help),
                "{text}: {said}; {helped}"
            );
        }
    }
}
