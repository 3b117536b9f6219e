//! The extensions of assets, for which the index is not served.

use janua_sdk::OneOrMore;

/// Extensions of files that pages load and that are not navigated to. Always assets.
const DEFAULT: [&str; 22] = [
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

/// The extensions for which the index is not served.
#[derive(Debug)]
pub(crate) enum Assets {
    /// Any extension.
    Any,
    /// Those in [`DEFAULT`] and these.
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
                DEFAULT.contains(&extension) || named.iter().any(|known| known == extension)
            }
        }
    }
}
