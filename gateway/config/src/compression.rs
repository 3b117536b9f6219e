//! `[compression]`: the parameters of `compress = true`.

use std::collections::BTreeSet;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::NonEmpty;
use crate::macros::{table, words};
use crate::span::Spanned;
use crate::units::Size;

table! {
    /// What holds where responses are compressed. Which routes compress, `compress = true` there says.
    pub struct Compression("a table of compression settings") {
        /// The encodings, the preferred one first where the client takes several alike.
        encodings: NonEmpty<Spanned<Encoding>> = default("[\"zstd\", \"br\", \"gzip\"]");
        /// The shortest body that is compressed.
        min_length: Size = default("1024");
        /// The media types that are compressed, without parameters.
        types: Vec<Spanned<MediaType>> = default("[\"text/plain\", \"text/html\", \"text/css\", \"text/csv\", \"text/markdown\", \"text/xml\", \"text/javascript\", \"application/javascript\", \"application/x-javascript\", \"application/json\", \"application/ld+json\", \"application/geo+json\", \"application/problem+json\", \"application/graphql-response+json\", \"application/manifest+json\", \"application/x-ndjson\", \"application/xml\", \"application/xml+rss\", \"application/rss+xml\", \"application/atom+xml\", \"application/xhtml+xml\", \"application/wasm\", \"application/vnd.ms-fontobject\", \"font/otf\", \"font/ttf\", \"image/bmp\", \"image/svg+xml\", \"image/x-icon\"]");
        /// How much work is put in.
        levels: CompressionLevels = default("{}");
    }
    check once
}

fn once(compression: &Compression, decoder: &mut Decoder<'_>) {
    distinct(&compression.encodings, decoder);
}

/// Refuses an encoding that a list names twice.
pub(crate) fn distinct(encodings: &[Spanned<Encoding>], decoder: &mut Decoder<'_>) {
    let mut seen = BTreeSet::new();
    for encoding in encodings {
        let word = encoding.as_str();
        if !seen.insert(word) {
            decoder.push(Diagnostic::error(
                encoding.span,
                format!("\"{word}\" is given twice"),
            ));
        }
    }
}

words! {
    /// A content coding, by its name in `Accept-Encoding`.
    pub enum Encoding {
        /// Zstandard, RFC 8878.
        Zstd = "zstd",
        /// Brotli, RFC 7932.
        Br = "br",
        /// Gzip, RFC 1952.
        Gzip = "gzip",
    }
}

table! {
    /// How much work is put into compressing: more is smaller and slower.
    pub struct CompressionLevels("a table such as `{ gzip = 5, br = 4, zstd = 3 }`") {
        /// 1 to 9.
        gzip: CompressionLevel<9> = default("5");
        /// 1 to 11.
        br: CompressionLevel<11> = default("4");
        /// 1 to 19.
        zstd: CompressionLevel<19> = default("3");
    }
}

/// A level of compression from 1 to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionLevel<const MOST: u16>(pub u16);

impl<const MOST: u16> Decode for CompressionLevel<MOST> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let level = u16::decode(node, decoder)?;
        if (1..=MOST).contains(&level) {
            return Some(Self(level));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("there is no level {level}"))
                .help(format!("write a number from 1 to {MOST}")),
        )
    }

    fn kind() -> String {
        format!("a number from 1 to {MOST}")
    }
}

/// A media type without parameters, in lower case: `text/html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// The media type.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for MediaType {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let token = |text: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
            !text.is_empty() && text.bytes().all(fits)
        };
        match text.split_once('/') {
            Some((top, sub)) if token(top) && token(sub) => Some(Self(text.to_ascii_lowercase())),
            _ => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{text}` is not a media type")).help(
                        match text.split_once(';') {
                            Some((plain, _)) => {
                                format!("leave out the parameters: \"{}\"", plain.trim())
                            }
                            None => {
                                "write each type by itself, without `*`: \"text/html\"".to_owned()
                            }
                        },
                    ),
                )
            }
        }
    }

    fn kind() -> String {
        "a media type such as \"text/html\"".to_owned()
    }
}
