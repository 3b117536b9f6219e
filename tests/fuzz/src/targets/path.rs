//! The normal form of a path: [`normalise`], and what router and files make of it.

use std::borrow::Cow;
use std::sync::LazyLock;

use janua_files::Name;
use janua_http::path::{PathError, Spelling, has_dot_segment, hex, normalise};
use janua_router::{HostPattern, Match, PathPattern, Request, RouteSpec, Router, SiteSpec};

pub(crate) const WORDS: &[&str] = &[
    "/admin",
    "/%61dmin",
    "/../",
    "/./",
    "//",
    "/..",
    "%2e",
    "%2E%2e",
    "%2F",
    "%5c",
    "%00",
    "%25",
    "\\..\\",
    "/.well-known/",
    ";a=b",
    "..;",
    "..%2F",
    "%3b",
    "\u{e9}",
];

pub(crate) fn run(input: &[u8]) {
    check(input);
    // Most inputs are no absolute path.
    check(&[b"/", input].concat());
}

fn check(raw: &[u8]) {
    let normal = normal(raw);
    assert_eq!(normal, reference(raw), "reference");
    let Ok((path, spelling)) = normal else {
        return;
    };
    check_form(&path);
    // It may have been in a segment that was removed.
    assert!(
        spelling.has_encoded_slash || !has_encoded_slash(&path),
        "a slash from nowhere"
    );
    check_views(&path, spelling);
    check_other_spellings(raw, &path);
    check_readers(&path);
}

/// The normal form, and what is special about the spelling. What is in front of it in the
/// buffer has no effect.
fn normal(raw: &[u8]) -> Result<(Vec<u8>, Spelling), PathError> {
    const FRONT: &[u8] = b"/a/..";
    let mut out = FRONT.to_vec();
    let spelling = normalise(raw, &mut out)?;
    assert_eq!(&out[..FRONT.len()], FRONT, "what was there before");
    Ok((out.split_off(FRONT.len()), spelling))
}

/// The same rules in the simplest way: byte by byte, then segment by segment.
fn reference(raw: &[u8]) -> Result<(Vec<u8>, Spelling), PathError> {
    let segments = raw.strip_prefix(b"/").ok_or(PathError::NotAbsolute)?;
    let (mut bytes, mut rest) = (Vec::new(), segments);
    while let [byte, tail @ ..] = rest {
        let (value, is_escaped) = match (*byte, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = hex(*high).zip(hex(*low)).ok_or(PathError::BadEscape)?;
                rest = after;
                (digits.0 << 4 | digits.1, true)
            }
            (b'%', _) => return Err(PathError::BadEscape),
            (byte, tail) => {
                rest = tail;
                (byte, false)
            }
        };
        let is_unreserved = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
        match value {
            0 => return Err(PathError::Nul),
            _ if is_unreserved || !is_escaped && b"!$&'()*+,;=:@/".contains(&value) => {
                bytes.push(value);
            }
            _ => bytes.extend_from_slice(format!("%{value:02X}").as_bytes()),
        }
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = bytes.split(|&byte| byte == b'/').collect();
    for segment in &segments {
        match *segment {
            b"" | b"." => {}
            b".." => drop(kept.pop().ok_or(PathError::AboveRoot)?),
            segment => kept.push(segment),
        }
    }
    let ends_open = matches!(segments.last(), Some(&(b"" | b"." | b"..")));
    let mut path = [b"/", &*kept.join(&b'/')].concat();
    if ends_open && !kept.is_empty() {
        path.push(b'/');
    }
    Ok((path, spelling_of(&bytes)))
}

/// What is special about the spelling of a path whose escapes were normalised.
fn spelling_of(path: &[u8]) -> Spelling {
    let text = String::from_utf8(path.to_vec()).unwrap();
    let divided = text
        .replace("%2F", "\\")
        .replace("%5C", "\\")
        .replace("%3B", ";");
    let is_hidden = |segment: &str| {
        let mut parts = segment.split('\\');
        let is_divided = segment.contains(['\\', ';']);
        is_divided && parts.any(|part| matches!(part.split(';').next(), Some("." | "..")))
    };
    Spelling {
        has_encoded_slash: has_encoded_slash(path),
        has_hidden_dots: divided.split('/').any(is_hidden),
    }
}

/// A path that is said to have no hidden dots has none for any upstream, in whichever order it
/// decodes slashes and removes parameters.
fn check_views(path: &[u8], spelling: Spelling) {
    assert!(!has_dot_segment(path), "a dot segment");
    if spelling.has_hidden_dots {
        return;
    }
    let without_parameters = |path: &str| {
        let segments = path.split('/').map(|segment| segment.split(';').next());
        segments.map(Option::unwrap).collect::<Vec<_>>().join("/")
    };
    let text = String::from_utf8(path.to_vec()).unwrap();
    let slashes = |text: &str| text.replace("%2F", "/").replace("%5C", "/");
    for view in [
        slashes(&text),
        without_parameters(&text),
        slashes(&without_parameters(&text)),
        without_parameters(&slashes(&text)),
        without_parameters(&slashes(&text.replace("%3B", ";"))),
        slashes(&without_parameters(&text.replace("%3B", ";"))),
    ] {
        assert!(!has_dot_segment(view.as_bytes()), "hidden dots: {view}");
    }
}

fn has_encoded_slash(path: &[u8]) -> bool {
    path.windows(3).any(|window| window == b"%2F")
}

/// The normal form has one spelling, and no segment that a reader could take for a direction.
fn check_form(path: &[u8]) {
    let again = Ok((path.to_vec(), spelling_of(path)));
    assert_eq!(normal(path), again, "once more");
    let segments: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let (last, inner) = segments.split_last().unwrap();
    assert!(inner[0].is_empty(), "not absolute");
    for segment in inner[1..].iter().chain([last]) {
        assert!(!matches!(*segment, b"." | b".."), "a dot segment");
    }
    assert!(!inner[1..].contains(&&b""[..]), "an empty segment");
    for byte in path {
        assert!(byte.is_ascii_graphic() && !b"?#\\".contains(byte));
    }
}

/// Other spellings of the same path have the same normal form.
fn check_other_spellings(raw: &[u8], path: &[u8]) {
    let escaped = |byte: &u8| match byte {
        b'a'..=b'z' | b'.' => format!("%{byte:02x}").into_bytes(),
        byte => vec![*byte],
    };
    let spelled: Vec<u8> = path.iter().flat_map(escaped).collect();
    // Only where the letters of an escape are not escaped themselves.
    if !path.contains(&b'%') {
        assert_eq!(normal(&spelled).unwrap().0, path, "letters escaped");
    }
    for detour in [&b"/."[..], b"/", b"/x/..", b"/%2E", b"/x/%2e%2E"] {
        let spelled = [detour, raw].concat();
        assert_eq!(normal(&spelled).unwrap().0, path, "a detour in front");
    }
}

/// Router and files agree: whatever file is below `admin` is reached by the route of `/admin`
/// alone, whose policies protect it.
fn check_readers(path: &[u8]) {
    let is_protected = route(path) == 0;
    let first = path.split(|&byte| byte == b'/').nth(1);
    assert_eq!(is_protected, first == Some(b"admin"), "the route of a path");
    for hidden in [false, true] {
        let Some(name) = Name::parse(path, hidden) else {
            continue;
        };
        let segments: Vec<&[u8]> = name.path.split(|&byte| byte == b'/').collect();
        assert_eq!(segments[0] == b"admin", is_protected, "the file of a path");
        let is_root = name.path.is_empty();
        for segment in segments.iter().filter(|_| !is_root) {
            assert!(!matches!(*segment, b"" | b"." | b".."), "a direction");
            assert!(!segment.iter().any(|byte| matches!(byte, 0 | b'\\')));
            assert!(hidden || !segment.starts_with(b".") || *segment == b".well-known");
        }
        let slashes = path.iter().filter(|&&byte| byte == b'/').count();
        let expected = slashes - usize::from(name.is_directory && !is_root);
        assert_eq!(segments.len(), expected, "as many segments as in the path");
    }
}

/// The number of the route of a path: that of `/admin`, or that of everything else.
fn route(path: &[u8]) -> usize {
    static ROUTER: LazyLock<Router> = LazyLock::new(|| {
        let patterns = [PathPattern::Segment("/admin".to_owned()), PathPattern::Any];
        let routes = patterns.map(|path| RouteSpec {
            path,
            bare: false,
            methods: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
        });
        Router::new(&[SiteSpec {
            hosts: vec![HostPattern::Default],
            routes: routes.to_vec(),
        }])
        .unwrap()
    });
    match ROUTER.route(&Get(path)) {
        Match::Route { route, .. } => route,
        other => panic!("{other:?}"),
    }
}

/// A request for a path.
struct Get<'a>(&'a [u8]);

impl Request for Get<'_> {
    fn host(&self) -> &str {
        "a.example"
    }

    fn path(&self) -> &[u8] {
        self.0
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn header(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn query_parameter(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}
