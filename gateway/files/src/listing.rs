//! The HTML page that lists a directory, without scripts and external styles.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use rustix::fs::Dir;
use rustix::io::Errno;

use crate::directory::Directory;
use crate::name::{Name, escape, is_name};
use crate::options::Options;

/// The most entries listed; the page says if there are more.
const MAX_ENTRIES: usize = 10_000;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<meta name=\"robots\" content=\"noindex\">\n<style>\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem}\
table{border-collapse:collapse}\
td,th{padding:.1rem 2rem .1rem 0;text-align:left}\
td+td{font-variant-numeric:tabular-nums;white-space:nowrap}\
</style>\n<title>";

struct Entry {
    is_directory: bool,
    name: Vec<u8>,
    length: u64,
    modified: u64,
}

/// The page of a directory: the entries that could be served, directories
/// first.
pub(crate) fn page(
    root: &Directory,
    options: &Options,
    name: &Name,
    opened: &File,
) -> Result<Bytes, Errno> {
    let (entries, is_cut) = read(root, options, name, opened)?;
    Ok(write(name, &entries, is_cut).into())
}

fn read(
    root: &Directory,
    options: &Options,
    name: &Name,
    opened: &File,
) -> Result<(Vec<Entry>, bool), Errno> {
    let mut entries = Vec::new();
    let mut is_cut = false;
    for entry in Dir::read_from(opened.as_fd())? {
        let entry = entry?;
        let child = entry.file_name().to_bytes();
        let is_served =
            is_name(child, options.hidden) || (name.path.is_empty() && child == b".well-known");
        if !is_served {
            continue;
        }
        if entries.len() >= MAX_ENTRIES {
            is_cut = true;
            break;
        }
        // Applies the rule for symbolic links: links that lead out are not
        // listed.
        let Ok(facts) = root.facts(&name.child(child)) else {
            continue;
        };
        if let Some(entry) = Entry::of(child, &facts) {
            entries.push(entry);
        }
    }
    entries.sort_unstable_by(|one, other| {
        (!one.is_directory, &one.name).cmp(&(!other.is_directory, &other.name))
    });
    Ok((entries, is_cut))
}

impl Entry {
    fn of(name: &[u8], facts: &Metadata) -> Option<Self> {
        (facts.is_dir() || facts.is_file()).then(|| Self {
            is_directory: facts.is_dir(),
            name: name.to_vec(),
            length: facts.len(),
            modified: u64::try_from(facts.mtime()).unwrap_or(0),
        })
    }
}

fn write(name: &Name, entries: &[Entry], is_cut: bool) -> String {
    let mut out = String::with_capacity(1024 + entries.len() * 160);
    out.push_str(HEAD);
    let shown = String::from_utf8_lossy(&name.path);
    let title = if shown.is_empty() {
        "/".to_owned()
    } else {
        format!("/{shown}/")
    };
    text(&title, &mut out);
    out.push_str("</title>\n</head>\n<body>\n<h1>");
    text(&title, &mut out);
    out.push_str("</h1>\n<table>\n<tr><th>Name</th><th>Size</th><th>Modified</th></tr>\n");
    if !name.path.is_empty() {
        out.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for entry in entries {
        row(entry, &mut out);
    }
    out.push_str("</table>\n");
    if is_cut {
        let _ = writeln!(out, "<p>There are more than {MAX_ENTRIES}.</p>");
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn row(entry: &Entry, out: &mut String) {
    let slash = if entry.is_directory { "/" } else { "" };
    // With `./`, a name such as `javascript:x` is a path and not a scheme.
    out.push_str("<tr><td><a href=\"./");
    escape(&entry.name, out);
    let _ = write!(out, "{slash}\">");
    text(&String::from_utf8_lossy(&entry.name), out);
    let _ = write!(out, "{slash}</a></td><td>");
    if !entry.is_directory {
        size(entry.length, out);
    }
    out.push_str("</td><td>");
    let mut date = Vec::with_capacity(29);
    janua_http::date::write(entry.modified, &mut date);
    out.push_str(&String::from_utf8_lossy(&date));
    out.push_str("</td></tr>\n");
}

/// Formats a size, such as `512 B` or `1.5 KiB`.
fn size(bytes: u64, out: &mut String) {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        let _ = write!(out, "{bytes} B");
        return;
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = UNITS[0];
    for larger in UNITS.into_iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    let _ = write!(out, "{}.{} {unit}", tenths / 10, tenths % 10);
}

/// Escapes text for use between tags or in an attribute.
fn text(words: &str, out: &mut String) {
    for character in words.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // File names may contain any character. Control characters are
            // invalid in HTML, and bidirectional controls would change how the
            // rest of the text is displayed.
            _ if character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.push('\u{fffd}');
            }
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (10 * 1024 * 1024 * 1024, "10.0 GiB"),
        ] {
            let mut out = String::new();
            size(bytes, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn nothing_breaks_out() {
        let entry = Entry {
            is_directory: false,
            name: b"<img src=x onerror=alert(1)>\"'&\n\xff".to_vec(),
            length: 1,
            modified: 0,
        };
        let name = Name {
            path: b"a<b".to_vec(),
            is_directory: true,
        };
        let page = write(&name, &[entry], false);
        assert!(page.contains("<h1>/a&lt;b/</h1>"), "{page}");
        assert!(!page.contains("<img"), "{page}");
        assert!(
            page.contains("href=\"./%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%22%27%26%0A%FF\"")
        );
        assert!(
            page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}")
        );
        assert!(page.contains("Thu, 01 Jan 1970 00:00:00 GMT"), "{page}");
    }
}
