//! The bundled policy `spa-fallback`: like nginx's `try_files $uri $uri/ /index.html`
//! for navigations, and 404 for assets.
//!
//! A page in place of a missing script is worse than a 404: browsers report a syntax
//! error, and caches store the page under the script's name. A missing path with the
//! extension of an asset therefore gets 404.

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

/// Existing pages, such as the index under its own path. They are handled in the phase
/// `fetched`, because they are not missing.
#[derive(Debug)]
struct Pages {
    status: Slot<Fetched, Number>,
    content_type: Slot<Fetched, Optional>,
    verdict: Verdict<Fetched>,
}

/// The inputs that distinguish a navigation from the requests of a page.
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
            serve = serve.set_response_header("cache-control", cache_control);
            subscription.missing().may_edit_response("cache-control");
        }
        let pages = config.pages && !cache_control.is_empty();
        let pages = pages.then(|| Pages::new(cache_control, subscription));
        let phase = subscription.missing().may_serve();
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
            && self
                .navigation
                .as_ref()
                .is_none_or(|n| n.is_navigation(inputs))
            && !self.is_excluded(inputs);
        Ok(match served {
            true => self.serve.clone(),
            false => Verdict::proceed().until_reload(),
        })
    }

    fn on_fetched(&self, inputs: &Inputs<Fetched>) -> Result<Verdict<Fetched>, String> {
        Ok(match &self.pages {
            Some(pages) if pages.is_page(inputs) => pages.verdict.clone(),
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
    /// Recognises pages by media type. With the path as an input there would be a call
    /// for each file.
    fn new(cache_control: &str, subscription: &mut Subscription) -> Self {
        let phase = subscription.fetched().may_edit("cache-control");
        Self {
            status: phase.status(),
            content_type: phase.response_header("content-type"),
            verdict: Verdict::proceed()
                .default_header("cache-control", cache_control)
                .until_reload(),
        }
    }

    fn is_page(&self, inputs: &Inputs<Fetched>) -> bool {
        let kind = inputs.get(self.content_type).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_page = ["text/html", "application/xhtml+xml"]
            .iter()
            .any(|page| kind.eq_ignore_ascii_case(page));
        is_page && inputs.get(self.status) == 200
    }
}

impl Navigation {
    /// By `Sec-Fetch-Mode` (Fetch Metadata) if the client sends it, else by `Accept`.
    fn is_navigation(&self, inputs: &Inputs<Missing>) -> bool {
        match inputs.get(self.mode) {
            Some(mode) => mode == "navigate",
            None => accept::accepts_html(inputs.get(self.accept)),
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

/// An error message about a field of the configuration.
fn at(field: &str, message: &str) -> String {
    ["`", field, "`: ", message].concat()
}

janua_sdk::export!(
    SpaFallback,
    name = "spa-fallback",
    schema = include_str!("../schema.json")
);
