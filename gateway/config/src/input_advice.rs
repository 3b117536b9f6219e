//! Advice for a word that is no input: the one that was probably meant, or the equivalent of another
//! proxy's variable.

use crate::input::{Input, NAMED, PlainInput};
use crate::suggest;

/// An error message, and advice on what to write instead.
pub(crate) type Refusal = (String, String);

/// How an input is written where a word stands, for messages about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In text: `{host}`.
    InBraces,
    /// As the whole value of a field: `host`.
    Alone,
}

/// Words that policies know once an exchange has ended.
pub(crate) const AT_THE_END: [&str; 7] = [
    "attempts",
    "duration_ms",
    "failure",
    "first_byte_ms",
    "request_body_size",
    "response_body_size",
    "upstream",
];

impl Form {
    /// A word as it is written.
    pub(crate) fn shown(self, word: &str) -> String {
        match self {
            Self::InBraces => format!("`{{{word}}}`"),
            Self::Alone => format!("`{word}`"),
        }
    }

    /// What is written in place of several words that follow each other, of which only one can
    /// stand alone.
    fn advice(self, words: &[String]) -> Option<String> {
        match self {
            Self::InBraces => {
                let words = words.iter().map(|word| format!("{{{word}}}"));
                Some(format!("write `{}`", words.collect::<String>()))
            }
            Self::Alone => words.first().map(|word| format!("write `{word}`")),
        }
    }
}

/// The refusal of a word that is no input.
pub(crate) fn unknown(word: &str, form: Form) -> Refusal {
    let shown = form.shown(word);
    if AT_THE_END.contains(&word) {
        return (
            format!("{shown} is known only once an exchange has ended"),
            "leave it out".to_owned(),
        );
    }
    let message = format!("{shown} is not an input");
    // In text it would stand in braces.
    let inside = word.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    if let Some(inside) = inside.filter(|inside| Input::named(inside, form).is_ok()) {
        return (message, format!("write {}", form.shown(inside)));
    }
    let (kind, name) = match word.split_once(':') {
        Some((kind, name)) => (kind, Some(name)),
        None => (word, None),
    };
    // The contract of policies has hyphens where configurations have underscores.
    let here = match kind.replace('-', "_").as_str() {
        "query_parameter" => "query".to_owned(),
        "raw_query_parameter" => "raw_query".to_owned(),
        kind => kind.to_owned(),
    };
    let plain = PlainInput::ALL.iter().map(|input| input.as_str());
    let plain: Vec<&str> = plain.chain(["client_network"]).collect();
    let all = [plain.as_slice(), &NAMED].concat();
    if here != kind && all.contains(&here.as_str()) {
        let own = name.map_or_else(|| here.clone(), |name| format!("{here}:{name}"));
        return (message, format!("write {}", form.shown(&own)));
    }
    let elsewhere = elsewhere(word.trim_start_matches(['$', '{']), form);
    // Of a word with a name, only the word is misspelt.
    let nearest = || match suggest::nearest(&here, all.iter().copied()) {
        Some(near) => match name {
            Some(name) if NAMED.contains(&near) => {
                format!("did you mean {}?", form.shown(&format!("{near}:{name}")))
            }
            None if NAMED.contains(&near) && near != "query" => {
                format!("did you mean {}?", form.shown(&format!("{near}:…")))
            }
            _ => format!("did you mean {}?", form.shown(near)),
        },
        None => format!(
            "the inputs are `{}`, and with a name `{}`",
            plain.join("`, `"),
            NAMED.map(|word| format!("{word}:…")).join("`, `")
        ),
    };
    (message, elsewhere.unwrap_or_else(nearest))
}

/// What is written in place of a variable of nginx or Caddy.
pub(crate) fn elsewhere(name: &str, form: Form) -> Option<String> {
    let name = name.trim_start_matches("http.request.");
    let plain: &[&str] = match name {
        "scheme" => &["scheme"],
        "host" | "http_host" | "server_name" | "hostport" => &["host"],
        "uri" | "request_uri" => &["path", "query"],
        "document_uri" | "path" | "uri.path" => &["path"],
        "args" | "query_string" | "is_args" | "query" | "uri.query" => &["query"],
        "remote_addr" | "binary_remote_addr" | "realip_remote_addr" | "client_ip" => &["client_ip"],
        // Words for a choice by the client's address.
        "ip" | "source" | "source_ip" => &["client_ip"],
        "remote_host" | "remote.host" => &["peer_ip"],
        "request_method" | "method" => &["method"],
        "request_id" | "uuid" => &["request_id"],
        "ssl_protocol" | "tls_version" => &["tls_version"],
        "ssl_cipher" | "tls_cipher" => &["tls_cipher"],
        "ssl_server_name" => &["tls_server_name"],
        "ssl_client_s_dn" => &["tls_client_subject"],
        _ => &[],
    };
    if !plain.is_empty() {
        let words: Vec<String> = plain.iter().map(|&word| word.to_owned()).collect();
        return form.advice(&words);
    }
    let named = [
        ("arg_", "query"),
        ("http_", "header"),
        ("cookie_", "cookie"),
        ("sent_http_", "response_header"),
        ("query.", "query"),
        ("header.", "header"),
        ("cookie.", "cookie"),
        ("uri.query.", "query"),
    ];
    let (kind, of) = named
        .iter()
        .find_map(|(before, kind)| Some((*kind, name.strip_prefix(before)?)))?;
    let of = match kind.ends_with("header") {
        true => of.replace('_', "-").to_ascii_lowercase(),
        false => of.to_owned(),
    };
    (!of.is_empty()).then(|| form.advice(&[format!("{kind}:{of}")]))?
}

#[cfg(test)]
mod tests {
    use super::{Form, unknown};

    #[test]
    fn the_advice_is_in_the_form_of_the_place() {
        for (word, in_braces, alone) in [
            ("hots", "did you mean `{host}`?", "did you mean `host`?"),
            (
                "headers:x",
                "did you mean `{header:x}`?",
                "did you mean `header:x`?",
            ),
            (
                "header",
                "did you mean `{header:…}`?",
                "did you mean `header:…`?",
            ),
            ("client-ip", "write `{client_ip}`", "write `client_ip`"),
            ("query-parameter:p", "write `{query:p}`", "write `query:p`"),
            (
                "http.request.header.X-A",
                "write `{header:x-a}`",
                "write `header:x-a`",
            ),
            ("uri", "write `{path}{query}`", "write `path`"),
            ("arg_page", "write `{query:page}`", "write `query:page`"),
            ("$remote_addr", "write `{client_ip}`", "write `client_ip`"),
            (
                "$http_x_user",
                "write `{header:x-user}`",
                "write `header:x-user`",
            ),
            ("upstream", "leave it out", "leave it out"),
        ] {
            for (form, expected) in [(Form::InBraces, in_braces), (Form::Alone, alone)] {
                let (said, helped) = unknown(word, form);
                assert!(said.contains(&form.shown(word)), "{said}");
                assert_eq!(helped, expected, "{word}");
            }
        }
        let (_, helped) = unknown("{header:x-user}", Form::Alone);
        assert_eq!(helped, "write `header:x-user`");
        let (_, helped) = unknown("x-user", Form::Alone);
        assert!(helped.contains("`client_ip`") && helped.contains("`variable:…`"));
    }
}
