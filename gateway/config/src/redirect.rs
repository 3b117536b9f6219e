//! The target `redirect`: written as one address, or as the parts in which it differs from that
//! of the request.

use crate::address::{Address, RedirectScheme};
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::host_template::HostTemplate;
use crate::macros::table;
use crate::path_template::PathTemplate;
use crate::rewrite::PathPrefix;
use crate::span::{Span, Spanned};

table! {
    /// A redirect: to one address (`to`), or to that of the request with another `scheme`,
    /// `host`, `port` or path.
    pub struct Redirect("a table such as `{ to = \"https://{host}{path}{query}\", status = 301 }`") {
        /// The URL to redirect to: `http://…`, `https://…`, or a path. Inputs in braces are
        /// those of policies: `{scheme}`, `{host}`, `{path}`, `{header:x-a}` and so on, each
        /// encoded for its place. In front of a `?`, `{query}` has its own; `$$` is a `$`. What
        /// a client sends never decides which host it is: an input other than `{host}` is a
        /// label of a host at most. If a value does not fit, such as an empty `{host}`, the
        /// request is answered with 400.
        to: Option<Spanned<Address>> = optional("the parts below");
        /// The scheme to redirect to.
        scheme: Option<Spanned<RedirectScheme>> = optional("that of the request");
        /// The host to redirect to, without a port; it may contain inputs.
        host: Option<Spanned<HostTemplate>> = optional("that of the request");
        /// The port to redirect to.
        port: Option<Spanned<u16>> = optional("that of `scheme`, or else of the request");
        /// The path to redirect to, which may contain inputs: `"/new"`, `"/v2{path}"`. The
        /// query is kept.
        path: Option<Spanned<PathTemplate>> = optional("that of the request");
        /// What takes the place of the route's own path, which must be a prefix: with `"/v2"`
        /// on a route for `/api`, `/api/x` is redirected to `/v2/x`.
        prefix: Option<Spanned<PathPrefix>> = optional("the route's own path");
        /// The status code: 301 and 308 are permanent, 302, 303 and 307 are
        /// temporary; 307 and 308 keep the method.
        status: Option<Spanned<RedirectCode>> = optional("as `code` says");
        /// The same as `status`.
        code: Spanned<RedirectCode> = default("302");
    }
    refused {
        "permanent": "write `status = 308`, or `status = 301`, with which clients may change the method to GET",
        "url": "write `to`",
        "uri": "write `to`",
        "location": "write `to`",
        "hostname": "write `host`",
        "replace_prefix": "write `prefix`",
    }
    check parts
}

/// The status code of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedirectCode(pub u16);

impl Decode for RedirectCode {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let code = u16::decode(node, decoder)?;
        if matches!(code, 301 | 302 | 303 | 307 | 308) {
            return Some(Self(code));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("{code} is not the status of a redirect"))
                .help("write 301, 302, 303, 307 or 308"),
        )
    }

    fn kind() -> String {
        "301, 302, 303, 307 or 308".to_owned()
    }
}

impl Redirect {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_ref().unwrap_or(&self.code).value.0
    }

    /// The parts that are given, with their positions.
    fn parts(&self) -> impl Iterator<Item = (&'static str, Span)> {
        let scheme = self.scheme.as_ref().map(|it| ("scheme", it.span));
        let host = self.host.as_ref().map(|it| ("host", it.span));
        let port = self.port.as_ref().map(|it| ("port", it.span));
        let path = self.path.as_ref().map(|it| ("path", it.span));
        let prefix = self.prefix.as_ref().map(|it| ("prefix", it.span));
        [scheme, host, port, path, prefix].into_iter().flatten()
    }
}

fn parts(redirect: &Redirect, decoder: &mut Decoder<'_>) {
    let is_faulty = decoder.has_fault_in(redirect.span);
    let mut refuse = |fault: Diagnostic| decoder.push(fault);
    match &redirect.to {
        Some(to) => {
            for (name, span) in redirect.parts() {
                let message = format!("`to` is the whole address, and `{name}` is a part of it");
                refuse(
                    Diagnostic::error(span, message)
                        .note(to.span, "the address")
                        .help("keep one of them"),
                );
            }
        }
        // What is given may be what has a fault.
        None if redirect.parts().next().is_none() && !is_faulty => refuse(
            Diagnostic::error(redirect.span, "the redirect leads to where it comes from").help(
                "add `to = \"https://www.example.com{path}{query}\"`, or one of `scheme`, `host`, \
                 `port`, `path`, `prefix`",
            ),
        ),
        None => {}
    }
    if let (Some(path), Some(prefix)) = (&redirect.path, &redirect.prefix) {
        refuse(
            Diagnostic::error(prefix.span, "`path` and `prefix` both say the path")
                .note(path.span, "the other one")
                .help("keep one of them"),
        );
    }
    if let Some(host) = &redirect.host
        && let Some(port) = host.port
    {
        refuse(
            Diagnostic::error(host.span, "the port has a field of its own").help(format!(
                "write `port = {port}`, and the name alone in `host`"
            )),
        );
    }
    if let Some(port) = redirect.port.as_ref().filter(|port| port.value == 0) {
        refuse(Diagnostic::error(port.span, "0 is not a port").help("write 1 to 65535"));
    }
    // The position of a default is its table.
    if let Some(status) = &redirect.status
        && redirect.code.span != redirect.span
    {
        refuse(
            Diagnostic::error(redirect.code.span, "`code` is the same as `status`")
                .note(status.span, "the other one")
                .help("keep `status`"),
        );
    }
}
