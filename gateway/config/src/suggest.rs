//! "Did you mean": finds the valid word nearest to an unknown one.

use crate::decode::{Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::reference::reference;

/// The candidate that `word` is most likely a misspelling of.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        // Up to a third of the letters may differ, and at least one.
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Advice for an unknown field: the field that was probably meant, the table
/// where it belongs, or the equivalent of another proxy's word.
pub(crate) fn field(name: &str, fields: &[&str]) -> String {
    // Checked first: `listen` resembles `listeners` but means something else.
    if let Some((_, here)) = OTHER_WORDS.iter().find(|(word, _)| *word == name) {
        return format!("write {here}");
    }
    if nearest(name, fields.iter().copied()).is_some() {
        return one_of(name, fields.iter().copied(), "");
    }
    let all = reference();
    let tables = all
        .iter()
        .filter_map(|field| match field.path.rsplit_once('.') {
            Some((table, last)) if last == name => Some(format!("`{table}`")),
            None if field.path == name => Some("the file, outside of all tables".to_owned()),
            _ => None,
        });
    let tables: Vec<String> = tables.collect();
    match tables.len() {
        1..=3 => format!("`{name}` is a field of {}", tables.join(" and of ")),
        _ => one_of(name, fields.iter().copied(), "the fields here are"),
    }
}

/// Words of nginx and Caddy, and their equivalents.
const OTHER_WORDS: [(&str, &str); 26] = [
    ("listen", "`[listeners.public]` with `address = \"*:80\"`"),
    (
        "server_name",
        "`hosts = [\"www.example.com\"]` in `[[sites]]`",
    ),
    ("location", "`[[sites.routes]]` with `path = \"/api/\"`"),
    ("routes", "`[[sites.routes]]`, below its `[[sites]]`"),
    ("site", "`[[sites]]`"),
    (
        "proxy_pass",
        "`upstream = \"app\"`, and its endpoints in `[upstreams.app]`",
    ),
    (
        "reverse_proxy",
        "`upstream = \"app\"`, and its endpoints in `[upstreams.app]`",
    ),
    ("root", "`files = \"dist\"`"),
    ("alias", "`files = { alias = \"static\" }`"),
    ("file_server", "`files = \"dist\"`"),
    (
        "try_files",
        "`files = \"dist\"`, with the policy `spa-fallback` for an application",
    ),
    (
        "return",
        "`redirect = { to = \"https://{host}{path}{query}\" }`, or `respond = { status = 404 }`",
    ),
    (
        "rewrite",
        "`rewrite = { path = \"/v2{path}\" }`, or `redirect`",
    ),
    ("client_max_body_size", "`max_body = \"10MiB\"`"),
    (
        "proxy_read_timeout",
        "`response_head_timeout` and `idle_timeout` in the upstream",
    ),
    (
        "add_header",
        "`response_headers = { set = { … } }`, or a policy with the component `headers`",
    ),
    ("gzip", "`compress = true`"),
    (
        "ssl_certificate",
        "`certificate = { cert = \"a.crt\", key = \"a.key\" }`",
    ),
    (
        "ssl_certificate_key",
        "`certificate = { cert = \"a.crt\", key = \"a.key\" }`",
    ),
    ("ssl_protocols", "`tls = { min_version = \"1.2\" }`"),
    ("ssl_ciphers", "`tls = { ciphers = [\"…\"] }`"),
    (
        "ssl_verify_client",
        "`tls = { client_auth = { ca = \"clients.pem\" } }`",
    ),
    (
        "ssl_session_cache",
        "`tls = { session_cache = 20480 }` in the listener",
    ),
    (
        "ssl_session_tickets",
        "`tls = { tickets = false }` in the listener",
    ),
    (
        "keepalive_requests",
        "`max_requests = 1000` in the listener",
    ),
    (
        "limit_conn",
        "`client_limits = { connections = 10 }` in the listener",
    ),
];

/// "did you mean `x`?", or the complete list, introduced by `these_are`.
pub(crate) fn one_of<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    these_are: &str,
) -> String {
    let mut candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    candidates.sort_unstable();
    format!("{these_are} `{}`", candidates.join("`, `"))
}

/// Refuses a word that is not one of a choice; `refused` lists words that are
/// known but not supported.
pub(crate) fn refuse_word<T>(
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
    word: &str,
    words: &[&str],
    refused: &[(&str, &str)],
) -> Option<T> {
    let span = decoder.span(node);
    let all = format!("write \"{}\"", words.join("\" or \""));
    let fault = match refused.iter().find(|(known, _)| *known == word) {
        Some((_, why)) => Diagnostic::error(span, format!("`{word}`: {why}")).help(all),
        None => Diagnostic::error(span, format!("unknown word `{word}`")).help(
            match nearest(word, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => all,
            },
        ),
    };
    decoder.refuse(fault)
}
