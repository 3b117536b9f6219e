//! The content type of a file, by its extension.
//!
//! A crate provides the table; the overrides here are for types where it is
//! behind the IANA registry or differs from the practice of the web.

use std::path::Path;

use bytes::Bytes;

/// For unknown extensions; a browser then offers the file for download.
const UNKNOWN: &str = "application/octet-stream";

/// Extensions that the table lacks or has wrong.
const OVERRIDES: &[(&str, &str)] = &[
    // RFC 9239: all JavaScript is text/javascript. Browsers refuse a module of
    // an unknown type.
    ("cjs", "text/javascript"),
    ("js", "text/javascript"),
    ("mjs", "text/javascript"),
    // Source maps.
    ("map", "application/json"),
    ("md", "text/markdown"),
    // As in nginx, whose lists of compressed types name it so. It is equivalent
    // to `application/xml` (RFC 7303, section 9.2).
    ("xml", "text/xml"),
    // It would need a `Content-Encoding`, which is not known from the name.
    ("svgz", UNKNOWN),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json"),
    ("wgsl", "text/wgsl"),
    ("zst", "application/zstd"),
];

/// The value of `Content-Type` for a path. Text is declared to be UTF-8.
pub(crate) fn content_type(path: &[u8]) -> Bytes {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let Ok(name) = std::str::from_utf8(name) else {
        return Bytes::from_static(UNKNOWN.as_bytes());
    };
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = OVERRIDES
        .iter()
        .find(|(other, _)| extension.eq_ignore_ascii_case(other))
        .map(|(_, kind)| *kind);
    let kind = known
        .or_else(|| new_mime_guess::from_path(Path::new(name)).first_raw())
        .unwrap_or(UNKNOWN);
    if is_utf8_text(kind) {
        return format!("{kind}; charset=utf-8").into();
    }
    Bytes::from_static(kind.as_bytes())
}

/// XML declares its encoding itself, and a charset parameter would take
/// precedence (RFC 7303, section 3.2).
fn is_utf8_text(kind: &str) -> bool {
    kind.starts_with("text/") && kind != "text/xml"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/INDEX.HTM", "text/html; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.MJS", "text/javascript; charset=utf-8"),
            (
                "flutter_service_worker.js",
                "text/javascript; charset=utf-8",
            ),
            ("a.min.js", "text/javascript; charset=utf-8"),
            ("a.js.map", "application/json"),
            ("canvaskit.wasm", "application/wasm"),
            ("site.webmanifest", "application/manifest+json"),
            ("manifest.json", "application/json"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.md", "text/markdown; charset=utf-8"),
            ("a.csv", "text/csv; charset=utf-8"),
            ("sitemap.xml", "text/xml"),
            ("a.svg", "image/svg+xml"),
            ("favicon.ico", "image/vnd.microsoft.icon"),
            ("a.png", "image/png"),
            ("a.jpg", "image/jpeg"),
            ("a.jpeg", "image/jpeg"),
            ("a.gif", "image/gif"),
            ("a.webp", "image/webp"),
            ("a.avif", "image/avif"),
            ("a.woff", "font/woff"),
            ("a.woff2", "font/woff2"),
            ("a.ttf", "font/ttf"),
            ("a.otf", "font/otf"),
            ("a.eot", "application/vnd.ms-fontobject"),
            ("a.pdf", "application/pdf"),
            ("a.mp4", "video/mp4"),
            ("a.zip", "application/zip"),
            ("a.js.gz", "application/gzip"),
            ("a.js.br", "application/octet-stream"),
            (".well-known/apple-app-site-association", UNKNOWN),
            ("a.dir/file", UNKNOWN),
            ("a.unheard-of", UNKNOWN),
            ("a.", UNKNOWN),
            ("", UNKNOWN),
        ] {
            assert_eq!(content_type(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(content_type(b"a\xff.css"), UNKNOWN);
    }
}
