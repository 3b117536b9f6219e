//! `janua routes`: the sites and routes of a configuration, in the order in which they are tried.

use janua_config::{
    FieldName, HeaderEdits, Loaded, Redirect, Rewrite, Route, Site, Span, Target, ValueTest,
};
use janua_proxy::{OrderedRoute, OrderedSite, routing_order};
use serde_json::{Value, json};

use super::check::refused;
use super::table::{Table, counted};
use super::{CommandResult, Output, printable};
use crate::cli::Routes;
use crate::gateway;

pub(super) fn routes(routes: &Routes) -> CommandResult {
    let loaded = gateway::load(&routes.config).map_err(|found| refused(&routes.config, &found))?;
    let page = Page {
        loaded: &loaded,
        shows_values: routes.show_values,
    };
    let sites = routing_order(&loaded.config);
    let blocks = sites.iter().filter_map(|site| page.site(site));
    let person: Vec<String> = blocks.collect();
    let json: Vec<Value> = sites
        .iter()
        .filter_map(|site| page.site_as_json(site))
        .collect();
    Ok(Output {
        person: person.join("\n").trim_end().to_owned(),
        json: json!({ "sites": json }),
    })
}

/// What is shown of a configuration.
struct Page<'a> {
    loaded: &'a Loaded,
    shows_values: bool,
}

/// A condition of a route on a field or a parameter.
struct Condition<'a> {
    of: &'static str,
    name: &'a str,
    test: &'a ValueTest,
}

impl Page<'_> {
    /// The hosts of a site, and below them a table of its routes.
    fn site(&self, ordered: &OrderedSite) -> Option<String> {
        let site = self.loaded.config.sites.get(ordered.site)?;
        let mut table = Table::new([
            "methods",
            "path",
            "conditions",
            "target",
            "policies",
            "where",
        ]);
        for route in &ordered.routes {
            let place = route;
            let route = site.routes.get(route.route)?;
            let conditions = conditions(route).map(|it| self.condition(&it));
            let (kind, to) = target(&route.target);
            table.row([
                or_all(methods(route), "any", " "),
                path(route),
                or_all(conditions.collect(), "-", ", "),
                format!("{kind} {to}{}", edits(route)),
                or_all(policies(site, route), "-", " "),
                self.place(route.span) + &self.shadow(site, place),
            ]);
        }
        let mut head = hosts(site, ordered).join(", ");
        if let Some(name) = &site.name {
            head.push_str(&format!("  (site {})", name.value));
        }
        if let Some(listeners) = &site.listeners {
            let names: Vec<&str> = listeners.iter().map(|name| name.as_str()).collect();
            head.push_str(&format!("  on {}", names.join(", ")));
        }
        Some(format!("{}\n{}", printable(&head), table.render()))
    }

    fn shadow(&self, site: &Site, place: &OrderedRoute) -> String {
        let by = place.shadowed_by.and_then(|by| site.routes.get(by));
        by.map_or_else(String::new, |by| {
            format!("  never reached: {} takes all", self.place(by.span))
        })
    }

    fn condition(&self, condition: &Condition<'_>) -> String {
        let Condition { of, name, test } = condition;
        let what = match (test, self.shows_values) {
            (ValueTest::Present | ValueTest::Absent, _) => format!(" {test}"),
            (ValueTest::Equals(value), true) => format!("={value}"),
            (ValueTest::Regex(expression), true) => format!("~{expression}"),
            (ValueTest::Equals(_), false) => "=***".to_owned(),
            (ValueTest::Regex(_), false) => "~***".to_owned(),
        };
        format!("{of} {name}{what}")
    }

    /// File and line: `janua.toml:12`.
    fn place(&self, span: Span) -> String {
        let place = self.loaded.sources.locate(span);
        place.map_or_else(String::new, |place| {
            format!("{}:{}", place.path.display(), place.line)
        })
    }

    fn site_as_json(&self, ordered: &OrderedSite) -> Option<Value> {
        let site = self.loaded.config.sites.get(ordered.site)?;
        let routes = ordered.routes.iter().filter_map(|place| {
            let route = site.routes.get(place.route)?;
            let by = place.shadowed_by.and_then(|by| site.routes.get(by));
            let conditions = conditions(route).map(|condition| self.condition_as_json(&condition));
            let (kind, to) = target(&route.target);
            Some(json!({
                "label": route.label(),
                "methods": methods(route),
                "path": route.path.as_ref().map(|path| path.to_string()),
                "conditions": conditions.collect::<Vec<_>>(),
                "target": { "kind": kind, "to": to },
                "policies": policies(site, route),
                "where": self.place(route.span),
                "shadowed_by": by.map(|by| self.place(by.span)),
            }))
        });
        let listeners = site.listeners.as_ref();
        Some(json!({
            "name": site.label(),
            "hosts": hosts(site, ordered),
            "listeners": listeners.map(|names| {
                names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
            }),
            "routes": routes.collect::<Vec<_>>(),
        }))
    }

    fn condition_as_json(&self, condition: &Condition<'_>) -> Value {
        let (kind, value) = match condition.test {
            ValueTest::Equals(value) => ("equals", Some(value)),
            ValueTest::Present => ("present", None),
            ValueTest::Absent => ("absent", None),
            ValueTest::Regex(expression) => ("regex", Some(expression)),
        };
        json!({
            "of": condition.of,
            "name": condition.name,
            "test": kind,
            "value": value.filter(|_| self.shows_values),
        })
    }
}

fn hosts(site: &Site, ordered: &OrderedSite) -> Vec<String> {
    let hosts = ordered.hosts.iter();
    let hosts = hosts.filter_map(|place| site.hosts.get(*place));
    hosts.map(|host| host.to_string()).collect()
}

fn methods(route: &Route) -> Vec<String> {
    let methods = route.methods.iter();
    methods.map(|method| method.as_str().to_owned()).collect()
}

fn path(route: &Route) -> String {
    let path = route.path.as_ref();
    path.map_or_else(|| "any".to_owned(), |path| path.to_string())
}

fn conditions(route: &Route) -> impl Iterator<Item = Condition<'_>> {
    let headers = route.headers.0.iter().map(|header| Condition {
        of: "header",
        name: FieldName::as_str(&header.name),
        test: &header.test,
    });
    headers.chain(route.query.0.iter().map(|parameter| Condition {
        of: "query",
        name: &parameter.name,
        test: &parameter.test,
    }))
}

fn policies(site: &Site, route: &Route) -> Vec<String> {
    let names = site.policies(route);
    names.map(|used| used.name.value.to_string()).collect()
}

/// What answers, in a word, and which one of these it is.
fn target(target: &Target) -> (&'static str, String) {
    match target {
        Target::Upstream(name) => ("upstream", name.value.to_string()),
        Target::Split(split) => {
            let members = split.split.iter();
            let shares =
                members.map(|member| format!("{} {}", member.upstream.value, member.weight));
            let shares = shares.collect::<Vec<_>>().join(", ");
            let by = split.by.as_ref().map(|by| format!(" by {by}"));
            ("split", shares + &by.unwrap_or_default())
        }
        Target::Files(files) => {
            let root = &files.root.path().value;
            ("files", root.display().to_string())
        }
        Target::Respond(respond) => ("respond", respond.status.0.to_string()),
        Target::Redirect(it) => ("redirect", format!("{} {}", it.status(), redirect(it))),
    }
}

/// Where a redirect leads.
fn redirect(redirect: &Redirect) -> String {
    if let Some(to) = &redirect.to {
        return to.as_str().to_owned();
    }
    let scheme = redirect.scheme.as_ref().map(|it| it.as_str());
    let host = redirect.host.as_ref().map(|it| it.as_str());
    let port = redirect.port.as_ref().map(|it| it.value.to_string());
    let path = redirect.path.as_ref().map(|it| it.as_str());
    let prefix = redirect.prefix.as_ref().map(|it| it.as_str());
    let parts = [
        ("scheme", scheme),
        ("host", host),
        ("port", port.as_deref()),
        ("path", path),
        ("prefix", prefix),
    ];
    named(&parts)
}

/// What is changed on the way, in short.
fn edits(route: &Route) -> String {
    let mut edits = String::new();
    if let Some(strip) = &route.strip_prefix {
        edits.push_str(&format!(", without {}", strip.value));
    }
    if let Some(Rewrite {
        host, path, prefix, ..
    }) = &route.rewrite
    {
        let parts = [
            ("host", host.as_ref().map(|it| it.as_str())),
            ("path", path.as_ref().map(|it| it.as_str())),
            ("prefix", prefix.as_ref().map(|it| it.as_str())),
        ];
        edits.push_str(&format!(", {}", named(&parts)));
    }
    let fields = |edits: &HeaderEdits| edits.given().count() + edits.remove.len();
    let fields = fields(&route.request_headers) + fields(&route.response_headers);
    if fields > 0 {
        edits.push_str(&format!(", edits {}", counted(fields as u64, "field")));
    }
    edits
}

fn named(parts: &[(&str, Option<&str>)]) -> String {
    let parts = parts
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", (*value)?)));
    parts.collect::<Vec<_>>().join(", ")
}

fn or_all(words: Vec<String>, none: &str, between: &str) -> String {
    match words.is_empty() {
        true => none.to_owned(),
        false => words.join(between),
    }
}
