//! The target of a route: how its requests are handled.

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::files::Files;
use crate::header::HeaderList;
use crate::macros::table;
use crate::names::UpstreamName;
use crate::redirect::Redirect;
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
    Redirect(Box<Redirect>),
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
