//! Which extensions are those of assets.

use janua_sdk::OneOrMore;

/// What pages load and nobody navigates to. Always assets.
const USUAL: [&str; 22] = [
    "avif",
    "css",
    "eot",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "json",
    "map",
    "mjs",
    "otf",
    "png",
    "svg",
    "ttf",
    "txt",
    "wasm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
    "xml",
];

/// The extensions that stay missing.
#[derive(Debug)]
pub(crate) enum Assets {
    /// Whatever has an extension.
    Any,
    /// The usual ones and these.
    Named(Vec<String>),
}

impl Assets {
    pub(crate) fn new(written: Option<OneOrMore<String>>) -> Result<Self, String> {
        let Some(OneOrMore(written)) = written else {
            return Ok(Self::Any);
        };
        let extension = |text: String| match text.strip_prefix('.') {
            Some(rest) => Err(["write \"", rest, "\", without the dot"].concat()),
            None if text.is_empty() || text.contains(['/', '*', '.']) => {
                Err(["\"", &text, "\" is not an extension"].concat())
            }
            None => Ok(text.to_ascii_lowercase()),
        };
        let named: Result<_, String> = written.into_iter().map(extension).collect();
        named.map(Self::Named)
    }

    pub(crate) fn has(&self, extension: Option<&str>) -> bool {
        let Some(extension) = extension else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::Named(named) => {
                USUAL.contains(&extension) || named.iter().any(|known| known == extension)
            }
        }
    }
}
