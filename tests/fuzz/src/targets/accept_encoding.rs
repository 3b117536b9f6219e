//! `Accept-Encoding`: [`Accepted`].

use janua_http::Fields;
use janua_http::accept_encoding::{Accepted, Coding};

use super::lines_of;

pub(crate) const WORDS: &[&str] = &[
    "gzip", "x-gzip", "br", "zstd", "identity", "*", "deflate", ", ", ";q=0", "; Q=0.5",
    ";q=1.000", ";q=0.001", ";q=1.001", ";level=9",
];

/// The codings in every order and number in which a caller can offer them.
const OFFERS: [&[Coding]; 8] = {
    use Coding::{Brotli, Gzip, Zstd};
    [
        &[],
        &[Gzip],
        &[Brotli, Gzip],
        &[Gzip, Brotli],
        &[Zstd, Brotli, Gzip],
        &[Gzip, Zstd, Brotli],
        &[Brotli, Zstd],
        &[Zstd, Gzip, Zstd],
    ]
};

pub(crate) fn run(input: &[u8]) {
    let Some(fields) = lines_of(b"Accept-Encoding", input) else {
        return;
    };
    let accepted = Accepted::of(&fields);
    let qualities = reference(&fields);
    for coding in Coding::ALL {
        let expected = qualities.of(coding.token());
        assert_eq!(accepted.quality(coding), expected, "{coding:?}");
        let wanted = expected > 0 && expected >= qualities.of_identity();
        assert_eq!(accepted.wants(coding), wanted, "{coding:?}");
    }
    for offered in OFFERS {
        check_choice(&accepted, offered);
    }
    check_lines(&fields, accepted);
    check_normal_form(&accepted);
}

/// The best of the offered codings that is wanted, and the first of equals.
fn check_choice(accepted: &Accepted, offered: &[Coding]) {
    let Some(choice) = accepted.choose(offered) else {
        assert!(!offered.iter().any(|&coding| accepted.wants(coding)));
        return;
    };
    let quality = accepted.quality(choice);
    assert!(quality > 0, "{choice:?} was refused");
    assert!(accepted.wants(choice), "{choice:?} is less than identity");
    let place = offered.iter().position(|&coding| coding == choice);
    let place = place.expect("it was offered");
    for (other, &coding) in offered.iter().enumerate() {
        let better = accepted.quality(coding);
        assert!(better <= quality, "{coding:?} is better than {choice:?}");
        assert!(better < quality || other >= place, "{coding:?} is earlier");
    }
}

/// Several lines are one list.
fn check_lines(fields: &Fields, accepted: Accepted) {
    let mut joined = Vec::new();
    fields.joined(b"accept-encoding", b", ", &mut joined);
    let mut one = Fields::default();
    one.append(b"accept-encoding", &joined);
    assert_eq!(Accepted::of(&one), accepted, "in one line");
    let mut upper = Fields::default();
    upper.append(b"ACCEPT-ENCODING", &joined.to_ascii_uppercase());
    assert_eq!(Accepted::of(&upper), accepted, "in upper case");
}

/// The normal form, which upstreams and cache keys get, says the same to whoever reads it.
fn check_normal_form(accepted: &Accepted) {
    let mut normal = Vec::new();
    accepted.write_normalised(&mut normal);
    let mut fields = Fields::default();
    fields.append(b"accept-encoding", &normal);
    let again = Accepted::of(&fields);
    for coding in Coding::ALL {
        assert_eq!(again.wants(coding), accepted.wants(coding), "{coding:?}");
    }
    let mut twice = Vec::new();
    again.write_normalised(&mut twice);
    assert_eq!(twice, normal, "once more");
}

/// The members with a valid quality value, in lower case.
struct Qualities(Vec<(String, u16)>);

impl Qualities {
    /// The last statement about a coding counts, and that about `*` where there is none.
    fn named(&self, name: &str) -> Option<u16> {
        let of = |name: &str| self.0.iter().rev().find(|member| member.0 == name);
        of(name).or_else(|| of("*")).map(|member| member.1)
    }

    fn of(&self, token: &str) -> u16 {
        self.named(token).unwrap_or(0)
    }

    fn of_identity(&self) -> u16 {
        self.named("identity").unwrap_or(1)
    }
}

/// The same grammar, read as text.
fn reference(fields: &Fields) -> Qualities {
    let mut members = Vec::new();
    for line in fields.get_all(b"accept-encoding") {
        let text: String = line.iter().map(|&byte| char::from(byte)).collect();
        for member in text.to_ascii_lowercase().split(',') {
            let trimmed = |text: &str| text.trim_ascii().to_owned();
            let mut parts = member.split(';').map(trimmed);
            let name = parts.next().unwrap_or_default();
            let qualities = parts.filter_map(|part| part.strip_prefix("q=").map(thousandths));
            // The last of several counts, if all are valid.
            let qualities: Option<Vec<u16>> = qualities.collect();
            let Some(qualities) = qualities else {
                continue;
            };
            let quality = qualities.last().copied().unwrap_or(1000);
            let name = if name == "x-gzip" { "gzip" } else { &name };
            members.push((name.to_owned(), quality));
        }
    }
    Qualities(members)
}

/// `0` to `1`, with up to three decimals (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_valid = whole.len() == 1 && decimals.len() <= 3 && are_digits(whole);
    if !is_valid || !are_digits(decimals) {
        return None;
    }
    let number: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (number <= 1000).then_some(number)
}
