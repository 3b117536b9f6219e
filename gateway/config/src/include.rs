//! `include`: reads the files of a configuration.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{self, Loaded};
use crate::span::{Sources, Span, Spanned};
use crate::syntax;

/// The longest file that is read, in bytes: naming a device or a log by mistake
/// must not exhaust the memory.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A pattern for included files: a directory, and a file name in which `*`
/// matches any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The directory, relative to the working directory. It must be watched for
    /// new files.
    pub directory: PathBuf,
    /// The name, with any number of `*`.
    pub name: String,
}

impl Pattern {
    /// Whether a file name matches. A leading `*` does not match a dot, so that
    /// temporary files of editors are excluded.
    pub fn matches(&self, name: &str) -> bool {
        if name.starts_with('.') && self.name.starts_with('*') {
            return false;
        }
        let Some((first, rest)) = self.name.split_once('*') else {
            return self.name == name;
        };
        let Some(mut left) = name.strip_prefix(first) else {
            return false;
        };
        let mut pieces = rest.split('*').peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return left.ends_with(piece);
            }
            // The earliest match leaves the most text for the rest of the
            // pattern.
            let Some((_, after)) = left.split_once(piece) else {
                return false;
            };
            left = after;
        }
        true
    }
}

impl Decode for Pattern {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        let (directory, name) = text.rsplit_once('/').map_or((None, text), |(dir, name)| {
            (Some(if dir.is_empty() { "/" } else { dir }), name)
        });
        if name.is_empty() || name == ".." || text.contains('\0') {
            return decoder.refuse(
                Diagnostic::error(span, format!("`{text}` names no files"))
                    .help("write \"sites/*.toml\""),
            );
        }
        if directory.is_some_and(|directory| directory.contains('*')) {
            return decoder.refuse(
                Diagnostic::error(
                    span,
                    "`*` is possible in the name of the file, not of a directory",
                )
                .help("write one pattern for each directory: \"sites/*.toml\""),
            );
        }
        Some(Self {
            directory: match directory {
                Some(directory) => decoder.directory.join(directory),
                None => decoder.directory.to_owned(),
            },
            name: name.to_owned(),
        })
    }

    fn kind() -> String {
        "a pattern of files such as \"sites/*.toml\"".to_owned()
    }
}

/// Reads a configuration with its includes, decodes and checks it. Opens
/// nothing else: no socket, no component, no secret.
///
/// # Errors
/// All errors at once: files that cannot be read, and errors in the TOML, in
/// values and in names.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    load_and(path, document::parse)
}

/// Like [`load`]; if there is an error, it also checks whether everything that
/// policies refer to can be read: their components, and the files and
/// environment variables in their configuration. Variables are looked up by
/// `env`. If there is no error, this is checked when the policies are
/// configured. Keeps no content.
///
/// # Errors
/// All errors at once, including every reference that cannot be read.
pub fn load_with_references(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Diagnostics> {
    load_and(path, |sources| {
        document::parse_with_references(sources, env)
    })
}

fn load_and(
    path: &Path,
    parse: impl FnOnce(Sources) -> Result<Loaded, Diagnostics>,
) -> Result<Loaded, Diagnostics> {
    let mut sources = Sources::default();
    let mut found = Vec::new();
    match read(path) {
        Ok(text) => drop(sources.add(path, text)),
        Err(why) => {
            let fault = Diagnostic::file(path, format!("the configuration {why}"));
            found.push(match path.exists() {
                true => fault,
                false => fault.help("name the file by `--config FILE`"),
            });
        }
    }
    let mut oddities = Vec::new();
    for (path, pattern) in included(path, &sources, &mut found, &mut oddities) {
        match read(&path) {
            Ok(text) => drop(sources.add(path, text)),
            Err(why) => found.push(Diagnostic::error(
                pattern,
                format!("`{}`: {why}", path.display()),
            )),
        }
    }
    if found.is_empty() {
        let mut loaded = parse(sources)?;
        loaded.warnings.extend(oddities);
        return Ok(loaded);
    }
    // A name may be defined in the file that cannot be read: only unreadable
    // files and errors within the others are reported.
    let mut all = Diagnostics::new(sources.clone());
    for (id, source) in sources.iter() {
        let (_, faults) = syntax::parse(id, &source.text);
        all.extend(faults.into_iter().map(syntax::Fault::into_diagnostic));
    }
    all.extend(found);
    Err(all)
}

/// The included files, each once, with the position of the pattern.
fn included(
    main: &Path,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
    oddities: &mut Vec<Diagnostic>,
) -> Vec<(PathBuf, Span)> {
    let mut files = Vec::new();
    let main_identity = fs::canonicalize(main).ok();
    let mut seen: Vec<PathBuf> = main_identity.clone().into_iter().collect();
    for pattern in patterns(sources) {
        let matched = match expand(&pattern) {
            Ok(matched) => matched,
            Err(why) => {
                let directory = pattern.directory.display();
                let message = format!("the directory `{directory}` cannot be read: {why}");
                found.push(Diagnostic::error(pattern.span, message));
                continue;
            }
        };
        if matched.is_empty() {
            oddities.push(Diagnostic::warning(pattern.span, "no file matches"));
        }
        for file in matched {
            // The same file may match two patterns, or be the main file.
            let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            // A pattern skips the main file; naming the main file is an error.
            if Some(&identity) == main_identity.as_ref() && !pattern.name.contains('*') {
                found.push(
                    Diagnostic::error(
                        pattern.span,
                        format!(
                            "the file includes itself: `{}` → `{}`",
                            main.display(),
                            file.display()
                        ),
                    )
                    .help("leave it out: a file is read once"),
                );
            }
            if !seen.contains(&identity) {
                seen.push(identity);
                files.push((file, pattern.span));
            }
        }
    }
    files
}

/// The patterns of the main file; errors in them are reported when it is
/// decoded.
pub(crate) fn patterns(sources: &Sources) -> Vec<Spanned<Pattern>> {
    let Some((id, source)) = sources.iter().next() else {
        return Vec::new();
    };
    let (document, _) = syntax::parse(id, &source.text);
    let mut decoder = Decoder::new(id, source);
    let mut table = TableReader::document(&document, &mut decoder);
    table.default("include", "[]").unwrap_or_default()
}

/// The files that match a pattern, in the order of their names.
fn expand(pattern: &Pattern) -> io::Result<Vec<PathBuf>> {
    if !pattern.name.contains('*') {
        return Ok(vec![pattern.directory.join(&pattern.name)]);
    }
    // The parent of a bare file name is "", which cannot be read as a
    // directory.
    let directory = match pattern.directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => &pattern.directory,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| pattern.matches(name)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names
        .iter()
        .map(|name| pattern.directory.join(name))
        .collect())
}

/// The text of a file, or why it cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let kind = file
        .metadata()
        .map_err(|error| format!("cannot be read: {error}"))?;
    if kind.is_dir() {
        return Err("is a directory".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(good);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 (line {line})")
    })
}
