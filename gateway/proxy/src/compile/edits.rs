//! Compiles templates, edits of heads, rewrites and redirects.

use janua_config::{self as config, Diagnostic};
use janua_http::fields::ConstantEdits;
use janua_wasm::Input;

use super::Compiler;
use super::inputs::input;
use super::targets::Said;
use crate::head_edits::HeadEdits;
use crate::location::{Location, Origin, Port, Scheme};
use crate::owned::Owned;
use crate::prefix::PrefixEdit;
use crate::snapshot::{HostField, PathEdit, Redirect, Rewrite, RewrittenHost};
use crate::template::{Part, Template};

impl Compiler<'_, '_> {
    /// Checks what a route refers to: variables that policies of the route set, and fields that no
    /// policy of the site owns.
    pub(super) fn check_edits(
        &mut self,
        site: &config::Site,
        route: &config::Route,
        owned: &Owned,
    ) {
        let of_members = members(route).map(|member| &member.request_headers);
        let all = std::iter::once(&route.request_headers).chain(of_members);
        for name in all.flat_map(|edits| edits.given()) {
            if owned.has(name.as_str()) {
                self.found.push(
                    Diagnostic::error(
                        name.span,
                        format!("a policy of this site owns the field `{}`", name.as_str()),
                    )
                    .help("leave it out: only that policy states it"),
                );
            }
        }
        let mut unset = Vec::new();
        for (span, inputs) in inputs(route) {
            for input in inputs {
                if let config::Input::Variable(name) = input
                    && !self.is_set(site, route, name)
                {
                    unset.push((span, name.clone()));
                }
            }
        }
        for (span, name) in unset {
            let policy = name.split_once('.').map_or("", |(policy, _)| policy);
            self.found.push(
                Diagnostic::error(span, format!("no policy of this route sets `{name}`")).help(
                    format!("use the policy `{policy}` here, or leave the variable out"),
                ),
            );
        }
    }

    /// Whether a policy of the route declares this variable. A policy that is not configured has
    /// an error of its own.
    fn is_set(&mut self, site: &config::Site, route: &config::Route, name: &str) -> bool {
        let Some((policy, of)) = name.split_once('.') else {
            return false;
        };
        let used = site
            .policies(route)
            .find(|used| used.name.value.as_str() == policy);
        used.is_some_and(|used| {
            let configured = self.provision.configured(used);
            configured.is_none_or(|it| it.variables().iter().any(|known| **known == *of))
        })
    }
}

/// The upstreams among which a route divides its requests, with their own settings.
fn members(route: &config::Route) -> impl Iterator<Item = &config::SplitMember> {
    let members = match &route.target {
        config::Target::Split(split) => Some(&split.split),
        _ => None,
    };
    members.into_iter().flat_map(|members| members.iter())
}

/// The inputs that a route refers to, with the position of each.
fn inputs(route: &config::Route) -> Vec<(config::Span, Vec<&config::Input>)> {
    fn of(parts: &[config::TemplatePart]) -> Vec<&config::Input> {
        let inputs = parts.iter().filter_map(|part| match part {
            config::TemplatePart::Literal(_) => None,
            config::TemplatePart::Input(input) => Some(input),
        });
        inputs.collect()
    }
    let mut found = Vec::new();
    let of_members =
        members(route).flat_map(|member| [&member.request_headers, &member.response_headers]);
    let edits = [&route.request_headers, &route.response_headers];
    for value in edits
        .into_iter()
        .chain(of_members)
        .flat_map(|edits| edits.templates())
    {
        found.push((value.span, of(value.parts())));
    }
    let of_members = members(route).filter_map(|member| member.rewrite.as_ref());
    for rewrite in route.rewrite.iter().chain(of_members) {
        found.extend(rewrite.host.iter().map(|it| (it.span, of(&it.parts))));
        found.extend(rewrite.path.iter().map(|it| (it.span, of(it.parts()))));
    }
    if let config::Target::Split(split) = &route.target
        && let Some(by) = &split.by
    {
        found.push((by.span, vec![&by.value]));
    }
    if let config::Target::Redirect(redirect) = &route.target {
        if let Some(to) = &redirect.to {
            let host = to.origin.iter().flat_map(|origin| of(&origin.host.parts));
            found.push((to.span, host.chain(of(&to.rest)).collect()));
        }
        found.extend(redirect.host.iter().map(|it| (it.span, of(&it.parts))));
        found.extend(redirect.path.iter().map(|it| (it.span, of(it.parts()))));
    }
    found
}

pub(super) fn template(parts: &[config::TemplatePart]) -> Template {
    Template::new(parts.iter().map(|part| match part {
        config::TemplatePart::Literal(text) => Part::Literal(text.as_bytes().into()),
        config::TemplatePart::Input(it) => Part::Input(input(it)),
    }))
}

/// None if there are no edits, so that a route without them pays nothing.
pub(super) fn head_edits(edits: &config::HeaderEdits) -> Option<Box<HeadEdits>> {
    if edits.is_empty() {
        return None;
    }
    let mut constant = ConstantEdits::default();
    for name in &edits.remove {
        constant.remove(name.as_str().as_bytes());
    }
    let mut set = Vec::new();
    for (name, value) in &edits.set.0 {
        let name = name.as_str();
        let template = template(value.parts());
        match template.literal() {
            Some(text) => constant.set(name.as_bytes(), text),
            None => set.push((name.into(), template)),
        }
    }
    let lines = edits.add.0.iter().flat_map(|(name, lines)| {
        let lines = lines.iter();
        lines.map(|line| (name.as_str().into(), template(line.parts())))
    });
    Some(Box::new(HeadEdits {
        constant,
        set: set.into(),
        add: lines.collect(),
    }))
}

/// The host that an upstream gets, and what is computed for each request.
pub(super) fn rewrite(route: &config::Route, said: &Said<'_>) -> (HostField, Option<Box<Rewrite>>) {
    let host = match said.host {
        config::UpstreamHost::Preserve => HostField::Preserve,
        config::UpstreamHost::Upstream => HostField::Endpoint,
        config::UpstreamHost::Literal(host) => HostField::Fixed(host.as_str().into()),
    };
    let rewritten = said.rewritten_host.map(|host| RewrittenHost {
        host: template(&host.parts),
        port: host.port,
    });
    let path = said.path.map(|path| template(path.parts()));
    let prefix = said
        .prefix
        .map(|prefix| PathEdit::Prefix(prefix_edit(route, prefix)));
    let path = path.map(PathEdit::Template).or(prefix);
    // Text is the same for all requests.
    let (host, rewritten) = match said.rewritten_host.zip(rewritten) {
        Some((text, rewritten)) if rewritten.host.literal().is_some() => {
            (HostField::Fixed(text.as_str().into()), None)
        }
        Some((_, rewritten)) => (host, Some(rewritten)),
        None => (host, None),
    };
    let is_needed = rewritten.is_some() || path.is_some();
    let rewrite = is_needed.then(|| {
        Box::new(Rewrite {
            host: rewritten,
            path,
        })
    });
    (host, rewrite)
}

/// The prefix is that of the route's paths; without a path it is the root.
fn prefix_edit(route: &config::Route, new: &config::PathPrefix) -> PrefixEdit {
    let (old, is_whole) = match route.path.as_deref() {
        Some(config::PathPattern::Segment(path)) => (path.as_str(), true),
        Some(config::PathPattern::Prefix(path)) => (path.as_str(), path.ends_with('/')),
        _ => ("/", true),
    };
    PrefixEdit::new(old, new.as_str(), is_whole)
}

pub(super) fn redirect(route: &config::Route, redirect: &config::Redirect) -> Redirect {
    Redirect {
        status: redirect.status(),
        to: match &redirect.to {
            Some(to) => address(to),
            None => parts(route, redirect),
        },
    }
}

/// A redirect to one address.
fn address(to: &config::Address) -> Location {
    let origin = to.origin.as_ref().map(|origin| Origin {
        scheme: match origin.scheme {
            config::AddressScheme::Http => Scheme::Http,
            config::AddressScheme::Https => Scheme::Https,
            config::AddressScheme::OfRequest => Scheme::OfRequest,
            config::AddressScheme::Unwritten => Scheme::Unwritten,
        },
        host: template(&origin.host.parts),
        port: origin.host.port.map_or(Port::Implied, Port::Number),
    });
    Location {
        origin,
        prefix: None,
        rest: template(&to.rest),
    }
}

/// A redirect to the address of the request with other parts.
fn parts(route: &config::Route, redirect: &config::Redirect) -> Location {
    let (scheme, host, port) = (&redirect.scheme, &redirect.host, &redirect.port);
    let is_elsewhere = scheme.is_some() || host.is_some() || port.is_some();
    let origin = is_elsewhere.then(|| Origin {
        scheme: match scheme.as_ref().map(|scheme| scheme.value) {
            Some(config::RedirectScheme::Http) => Scheme::Http,
            Some(config::RedirectScheme::Https) => Scheme::Https,
            None => Scheme::OfRequest,
        },
        host: match host {
            Some(host) => template(&host.parts),
            None => Template::new([Part::Input(Input::OriginalHost)]),
        },
        port: match (port, scheme) {
            (Some(port), _) => Port::Number(port.value),
            (None, Some(_)) => Port::Implied,
            (None, None) => Port::OfRequest,
        },
    });
    let prefix = redirect.prefix.as_ref();
    let prefix = prefix.map(|prefix| prefix_edit(route, prefix));
    let mut rest = match (&redirect.path, &prefix) {
        (Some(path), _) => template(path.parts()),
        (None, Some(_)) => Template::default(),
        (None, None) => Template::new([Part::Input(Input::Path)]),
    };
    rest.push(Part::Input(Input::Query));
    Location {
        origin,
        prefix,
        rest,
    }
}
