//! `rewrite` of a route: the host and path that the upstream gets.

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::host_template::HostTemplate;
use crate::macros::table;
use crate::path::{PathPattern, literal};
use crate::path_template::PathTemplate;
use crate::route::Route;
use crate::span::{Span, Spanned};
use crate::target::Target;

table! {
    /// How the host and the path of a request are changed for the upstream. The query stays.
    pub struct Rewrite("a table such as `{ prefix = \"/v2\" }`") {
        /// The host that the upstream gets: `"app.example.com"`, `"app.internal:8080"`, or with
        /// inputs `"{header:x-tenant}.internal"`.
        host: Option<Spanned<HostTemplate>> = optional("as `host` of the route says");
        /// The path that the upstream gets, which may contain inputs: `"/new"`,
        /// `"/v2{path}"`, `"/users/{query:id}"`.
        path: Option<Spanned<PathTemplate>> = optional("the path of the request");
        /// What the upstream gets in place of the route's own path, which must be a prefix:
        /// with `"/v2"` on a route for `/api`, `/api/x` becomes `/v2/x`.
        prefix: Option<Spanned<PathPrefix>> = optional("the route's own path");
    }
    refused {
        "to": "write `path`, or `redirect` in place of `upstream` and `rewrite`",
        "uri": "write `path`",
        "hostname": "write `host`",
        "replace_prefix": "write `prefix`",
    }
    check one_path
}

/// A path that takes the place of a prefix. `""` is read as `"/"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// The path, which begins with a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for PathPrefix {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match decoder.text(node, &Self::kind())? {
            "" => Some(Self("/".to_owned())),
            text if text.contains(['{', '}']) => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{text}`: `prefix` has no inputs"))
                        .help("write `path`, which may contain them, in place of `prefix`"),
                )
            }
            _ => literal(node, decoder).map(Self),
        }
    }

    fn kind() -> String {
        "a path such as \"/v2\"".to_owned()
    }
}

fn one_path(rewrite: &Rewrite, decoder: &mut Decoder<'_>) {
    if let (Some(path), Some(prefix)) = (&rewrite.path, &rewrite.prefix) {
        decoder.push(
            Diagnostic::error(prefix.span, "`path` and `prefix` both say the path")
                .note(path.span, "the other one")
                .help("keep one of them"),
        );
    }
    let is_empty = rewrite.host.is_none() && rewrite.path.is_none() && rewrite.prefix.is_none();
    // What is given may be what has a fault.
    if is_empty && !decoder.has_fault_in(rewrite.span) {
        decoder.push(
            Diagnostic::error(rewrite.span, "`rewrite` changes nothing")
                .help("give `host`, `path` or `prefix`, or leave it out"),
        );
    }
}

/// Refuses what says the same as `strip_prefix` and `host` of the route.
pub(crate) fn check(route: &Route, decoder: &mut Decoder<'_>) {
    if let Some(rewrite) = &route.rewrite {
        // The position of a default is its table.
        let host = Some(route.host.span).filter(|span| *span != route.span);
        rewrite.check_beside(route.strip_prefix.as_ref(), host, decoder);
    }
    let of_members = match &route.target {
        Target::Split(split) => Some(&split.split),
        _ => None,
    };
    let of_members = of_members.into_iter().flat_map(|members| members.iter());
    let of_members = of_members.filter_map(|member| member.rewrite.as_ref());
    for rewrite in route.rewrite.iter().chain(of_members) {
        if let Some(prefix) = &rewrite.prefix {
            check_prefix(prefix, route, decoder);
        }
    }
}

impl Rewrite {
    /// Refuses what says the same as `strip_prefix` or `host` beside it, which is given at this
    /// position.
    pub(crate) fn check_beside(
        &self,
        strip_prefix: Option<&Spanned<String>>,
        beside: Option<Span>,
        decoder: &mut Decoder<'_>,
    ) {
        let path = self.path.as_ref().map(|it| ("path", it.span));
        let prefix = self.prefix.as_ref().map(|it| ("prefix", it.span));
        if let (Some((name, span)), Some(strip)) = (path.or(prefix), strip_prefix) {
            decoder.push(
                Diagnostic::error(
                    span,
                    format!("`strip_prefix` and `{name}` of `rewrite` both say the path"),
                )
                .note(strip.span, "the other one")
                .help("keep one of them: `strip_prefix` is short for `prefix = \"/\"`"),
            );
        }
        if let (Some(host), Some(beside)) = (&self.host, beside) {
            decoder.push(
                Diagnostic::error(host.span, "`host` beside `rewrite` says the host too")
                    .note(beside, "the other one")
                    .help("keep one of them"),
            );
        }
    }
}

/// A prefix is replaced only where the route's own path is one.
pub(crate) fn check_prefix(prefix: &Spanned<PathPrefix>, route: &Route, decoder: &mut Decoder<'_>) {
    let Some(path) = &route.path else {
        return;
    };
    let help = match &path.value {
        PathPattern::Prefix(_) | PathPattern::Segment(_) => return,
        PathPattern::Exact(_) => format!("write `path = \"{}\"`", prefix.as_str()),
        PathPattern::Suffix(_) | PathPattern::Regex(_) => format!(
            "write `path = \"{}{{path}}\"` for a prefix in front of the whole path",
            prefix.as_str().trim_end_matches('/')
        ),
    };
    decoder.push(
        Diagnostic::error(
            prefix.span,
            "`prefix` takes the place of the route's path, which is no prefix",
        )
        .note(path.span, "the paths of this route")
        .help(help),
    );
}
