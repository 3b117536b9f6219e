//! `[compression]`: how responses are compressed for `compress = true`.

use std::collections::BTreeSet;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::NonEmpty;
use crate::macros::{table, words};
use crate::span::Spanned;
use crate::units::Size;

table! {
    /// How responses are compressed. A site or route compresses its responses
    /// if it has `compress = true`.
    pub struct Compression("a table of compression settings") {
        /// The content codings, in order of preference among those that the
        /// client prefers equally.
        encodings: NonEmpty<Spanned<Encoding>> = default("[\"zstd\", \"br\", \"gzip\"]");
        /// Shorter bodies are not compressed.
        min_length: Size = default("1024");
        /// The media types to compress, without parameters.
        types: Vec<Spanned<MediaType>> = default("[\"text/plain\", \"text/html\", \"text/css\", \"text/csv\", \"text/markdown\", \"text/xml\", \"text/javascript\", \"application/javascript\", \"application/x-javascript\", \"application/json\", \"application/ld+json\", \"application/geo+json\", \"application/problem+json\", \"application/graphql-response+json\", \"application/manifest+json\", \"application/x-ndjson\", \"application/xml\", \"application/xml+rss\", \"application/rss+xml\", \"application/atom+xml\", \"application/xhtml+xml\", \"application/wasm\", \"application/vnd.ms-fontobject\", \"font/otf\", \"font/ttf\", \"image/bmp\", \"image/svg+xml\", \"image/x-icon\"]");
        /// The compression level of each coding.
        levels: CompressionLevels = default("{}");
        /// The most memory that the encoders of all streamed responses may use
        /// together. When it is used up, further responses are sent
        /// uncompressed. 0: only files and stored responses are compressed.
        memory: Size = default("\"256MiB\"");
    }
    check once
}

fn once(compression: &Compression, decoder: &mut Decoder<'_>) {
    distinct(&compression.encodings, decoder);
    let levels = &compression.levels;
    heavy(Encoding::Br, &levels.br, decoder);
    heavy(Encoding::Zstd, &levels.zstd, decoder);
}

/// Warns about a level that is only reasonable for bodies which are compressed
/// once.
fn heavy<const MOST: u16>(
    encoding: Encoding,
    level: &Spanned<CompressionLevel<MOST>>,
    decoder: &mut Decoder<'_>,
) {
    let Some(Heavy { mib, speed }) = encoding.heavy(level.value.0) else {
        return;
    };
    let word = encoding.as_str();
    let text = format!("at this level of {word} each response that passes takes up to {mib} MiB");
    let usual = if encoding == Encoding::Br { 5 } else { 9 };
    decoder.push(
        Diagnostic::warning(level.span, format!("{text}, and is sent at {speed} MB a second")).help(format!(
            "`{word} = {usual}` or less is for responses that pass; more is for files and stored responses, \
             which are compressed once (`memory = 0` compresses only those)"
        )),
    );
}

/// The cost of a heavy level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heavy {
    /// The memory used to compress one response, in MiB.
    pub mib: u64,
    /// The throughput of one processor, in MB/s.
    pub speed: u16,
}

/// Refuses a coding that occurs twice in a list.
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

impl Encoding {
    /// The cost of the level, if it is too heavy for most streamed responses,
    /// as measured in `docs/files.md`.
    #[must_use]
    pub fn heavy(self, level: u16) -> Option<Heavy> {
        let (mib, speed) = match (self, level) {
            (Self::Br, 7) => (11, 20),
            (Self::Br, 8) => (19, 12),
            (Self::Br, 9) => (37, 5),
            (Self::Br, 10..) => (8, 1),
            (Self::Zstd, 16..) => (6, 3),
            (Self::Br | Self::Zstd | Self::Gzip, _) => return None,
        };
        Some(Heavy { mib, speed })
    }
}

table! {
    /// The compression level of each coding: a higher level compresses better
    /// and is slower.
    pub struct CompressionLevels("a table such as `{ gzip = 5, br = 4, zstd = 3 }`") {
        /// 1 to 9.
        gzip: Spanned<CompressionLevel<9>> = default("5");
        /// 1 to 11.
        br: Spanned<CompressionLevel<11>> = default("4");
        /// 1 to 19.
        zstd: Spanned<CompressionLevel<19>> = default("3");
    }
}

/// A compression level from 1 to `MOST`.
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
