//! The bundled policy `spa-fallback`: nginx's `try_files $uri $uri/
//! /index.html` for navigations, and a plain 404 for assets.
//!
//! A script that is answered with a page is worse than one that is missing:
//! browsers report a syntax error, and caches keep the page under the script's
//! name. So what looks like an asset stays 404.

mod accept;
mod assets;
mod config;
#[cfg(test)]
mod tests;

use janua_sdk::{
    Fetched, Inputs, Missing, Number, Optional, PathPattern, Policy, Slot, Subscription, Text,
    Verdict, syntax,
};

use crate::assets::Assets;
use crate::config::Config;

/// A configured `spa-fallback`.
#[derive(Debug)]
pub struct SpaFallback {
    method: Slot<Missing, Text>,
    extension: Slot<Missing, Optional>,
    navigation: Option<Navigation>,
    exclude: Option<(Slot<Missing, Text>, Vec<PathPattern>)>,
    assets: Assets,
    serve: Verdict<Missing>,
    pages: Option<Pages>,
}

/// The pages that are there: the index by its own name, which no phase
/// `missing` sees.
#[derive(Debug)]
struct Pages {
    status: Slot<Fetched, Number>,
    content_type: Slot<Fetched, Optional>,
    fresh: Verdict<Fetched>,
}

/// What tells a navigation from what a page loads.
#[derive(Debug)]
struct Navigation {
    mode: Slot<Missing, Optional>,
    accept: Slot<Missing, Optional>,
}

impl Policy for SpaFallback {
    type Config = Config;

    fn new(config: Config, subscription: &mut Subscription) -> Result<Self, String> {
        check_index(&config.index).map_err(|why| at("index", &why))?;
        let cache_control = config.cache_control.as_str();
        syntax::field_text(cache_control).map_err(|why| at("cache_control", &why))?;
        let mut serve = Verdict::serve(&config.index)
            .note("spa-fallback")
            .until_reload();
        if !cache_control.is_empty() {
            serve = serve.set_header("cache-control", cache_control);
        }
        let pages = config.pages && !cache_control.is_empty();
        let pages = pages.then(|| Pages::new(cache_control, subscription));
        let phase = subscription.missing();
        let exclude = config.exclude.0;
        Ok(Self {
            method: phase.method(),
            extension: phase.extension(),
            navigation: config.only_navigations.then(|| Navigation {
                mode: phase.header("sec-fetch-mode"),
                accept: phase.header("accept"),
            }),
            exclude: (!exclude.is_empty()).then(|| (phase.path(), exclude)),
            assets: Assets::new(config.assets).map_err(|why| at("assets", &why))?,
            serve,
            pages,
        })
    }

    fn on_missing(&self, inputs: &Inputs<Missing>) -> Result<Verdict<Missing>, String> {
        let served = matches!(inputs.get(self.method), "GET" | "HEAD")
            && !self.assets.has(inputs.get(self.extension))
            && self.navigation.as_ref().is_none_or(|n| n.is_one(inputs))
            && !self.is_excluded(inputs);
        Ok(match served {
            true => self.serve.clone(),
            false => Verdict::proceed().until_reload(),
        })
    }

    fn on_fetched(&self, inputs: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        Ok(match &self.pages {
            Some(pages) if pages.is_one(inputs) => pages.fresh.clone(),
            _ => Verdict::proceed().until_reload(),
        })
    }
}

impl SpaFallback {
    fn is_excluded(&self, inputs: &Inputs<Missing>) -> bool {
        self.exclude.as_ref().is_some_and(|(path, patterns)| {
            let path = inputs.get(*path);
            patterns.iter().any(|pattern| pattern.matches(path))
        })
    }
}

impl Pages {
    /// By type and not by path, which would make each file a case of its own.
    fn new(cache_control: &str, subscription: &mut Subscription) -> Self {
        let phase = subscription.fetched();
        Self {
            status: phase.status(),
            content_type: phase.response_header("content-type"),
            fresh: Verdict::proceed()
                .default_header("cache-control", cache_control)
                .until_reload(),
        }
    }

    fn is_one(&self, inputs: &Inputs<Fetched>) -> bool {
        let kind = inputs.get(self.content_type).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_page = ["text/html", "application/xhtml+xml"]
            .iter()
            .any(|page| kind.eq_ignore_ascii_case(page));
        is_page && inputs.get(self.status) == 200
    }
}

impl Navigation {
    /// A browser says so itself (Fetch Metadata), or the client takes a page.
    fn is_one(&self, inputs: &Inputs<Missing>) -> bool {
        match inputs.get(self.mode) {
            Some(mode) => mode == "navigate",
            None => accept::takes_html(inputs.get(self.accept)),
        }
    }
}

fn check_index(index: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    match index.starts_with('/') && index.bytes().all(plain) {
        true => Ok(()),
        false => Err(["\"", index, "\" is not a path such as \"/index.html\""].concat()),
    }
}

/// A message with the field that it is about.
fn at(field: &str, message: &str) -> String {
    ["`", field, "`: ", message].concat()
}

janua_sdk::export!(
    SpaFallback,
    name = "spa-fallback",
    schema = include_str!("../schema.json")
);
