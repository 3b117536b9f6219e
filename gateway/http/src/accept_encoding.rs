//! `Accept-Encoding` (RFC 9110 §12.5.3): the content codings that a client accepts.

use crate::fields::{self, Fields};

/// A content coding that the gateway can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip` (RFC 9110 §8.4.1.3).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878, its window bounded by RFC 9659).
    Zstd,
}

impl Coding {
    /// All codings, in the alphabetical order of their tokens.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Zstd];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding with this token, in any letter case; `x-gzip` is equivalent to `gzip` (RFC
    /// 9110 §8.4.1.3).
    #[must_use]
    pub fn of(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL
            .into_iter()
            .find(|coding| token.eq_ignore_ascii_case(coding.token().as_bytes()))
    }
}

/// The quality value of each coding, in thousandths; 0 means that it is not acceptable.
///
/// Codings that the client does not list have the quality of `*`, or otherwise 0.
/// `identity`, which means no coding, is acceptable unless excluded (§12.5.3), but ranks
/// below every coding that is listed. Without the field, or if it is empty, only `identity`
/// is acceptable: clients that can decode state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    gzip: u16,
    brotli: u16,
    zstd: u16,
    identity: u16,
}

impl Accepted {
    /// The value for a client that sends no `Accept-Encoding`.
    pub const IDENTITY: Self = Self {
        gzip: 0,
        brotli: 0,
        zstd: 0,
        identity: MIN_QUALITY,
    };

    /// Parses all lines of `Accept-Encoding`. Malformed members are ignored; of several members
    /// for the same coding, the last counts.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut named: [Option<u16>; 3] = [None; 3];
        let [gzip, brotli, zstd] = &mut named;
        let mut identity = None;
        let mut rest = None;
        let members = fields.get_all(b"accept-encoding").flat_map(fields::list);
        for (name, quality) in members.filter_map(member) {
            let slot = match Coding::of(name) {
                Some(Coding::Gzip) => &mut *gzip,
                Some(Coding::Brotli) => &mut *brotli,
                Some(Coding::Zstd) => &mut *zstd,
                None if name.eq_ignore_ascii_case(b"identity") => &mut identity,
                None if name == b"*" => &mut rest,
                None => continue,
            };
            *slot = Some(quality);
        }
        let [gzip, brotli, zstd] = named.map(|quality| quality.or(rest).unwrap_or(0));
        Self {
            gzip,
            brotli,
            zstd,
            identity: identity.or(rest).unwrap_or(MIN_QUALITY),
        }
    }

    /// The quality value of a coding, in thousandths.
    #[must_use]
    pub fn quality(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
        }
    }

    /// True if the coding is acceptable and `identity` is not preferred to it.
    #[must_use]
    pub fn wants(&self, coding: Coding) -> bool {
        let quality = self.quality(coding);
        quality > 0 && quality >= self.identity
    }

    /// The coding of `offered` with the highest quality, and the first among equals. `None`
    /// means `identity`, which is also used if the client accepts neither `identity` nor any
    /// offered coding: that is better than a 406 (§12.5.3).
    #[must_use]
    pub fn choose(&self, offered: &[Coding]) -> Option<Coding> {
        let mut best = None;
        for &coding in offered.iter().filter(|&&coding| self.wants(coding)) {
            if best.is_none_or(|best| self.quality(coding) > self.quality(best)) {
                best = Some(coding);
            }
        }
        best
    }

    /// Appends the wanted codings in a fixed order, as in `br, gzip, zstd`, or `identity`. These
    /// are eight possible values, for cache keys and upstreams. Quality values are left out, so
    /// that clients that differ only in them share stored responses.
    pub fn write_normalised(&self, out: &mut Vec<u8>) {
        let mut wanted = Coding::ALL.into_iter().filter(|&coding| self.wants(coding));
        let Some(first) = wanted.next() else {
            return out.extend_from_slice(b"identity");
        };
        out.extend_from_slice(first.token().as_bytes());
        for coding in wanted {
            out.extend_from_slice(b", ");
            out.extend_from_slice(coding.token().as_bytes());
        }
    }
}

/// The quality value of `identity` if the client does not list it.
const MIN_QUALITY: u16 = 1;

/// The name of a member and its quality value in thousandths. Other parameters, which no RFC
/// defines here, are ignored.
fn member(text: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = text.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next()?;
    let mut thousandths = 1000;
    for parameter in parts {
        if let Some(value) = parameter
            .strip_prefix(b"q=")
            .or_else(|| parameter.strip_prefix(b"Q="))
        {
            thousandths = quality(value)?;
        }
    }
    Some((name, thousandths))
}

/// Parses a quality value such as `0`, `1`, `0.5`, `0.125` or `1.000` (§12.4.2).
fn quality(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] => (*whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (*whole, decimals),
        _ => return None,
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let mut sum = digit(whole)?;
    for place in 0..3 {
        sum = sum * 10 + decimals.get(place).map_or(Some(0), |&byte| digit(byte))?;
    }
    (sum <= 1000).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::Coding::{Brotli, Gzip, Zstd};
    use super::*;
    use proptest::prelude::*;

    fn accepted(lines: &[&str]) -> Accepted {
        let mut fields = Fields::default();
        for line in lines {
            fields.append(b"Accept-Encoding", line.as_bytes());
        }
        Accepted::of(&fields)
    }

    #[test]
    fn choice_and_normal_form() {
        for (line, choice, normal) in [
            ("gzip, deflate, br, zstd", Some(Zstd), "br, gzip, zstd"),
            ("gzip, deflate, br", Some(Brotli), "br, gzip"),
            ("GZip", Some(Gzip), "gzip"),
            ("x-gzip", Some(Gzip), "gzip"),
            ("gzip;q=0.5, br;q=0.501", Some(Brotli), "br, gzip"),
            ("gzip; q=1.000 , zstd ;Q=0.9", Some(Gzip), "gzip, zstd"),
            ("gzip;q=0.001", Some(Gzip), "gzip"),
            ("*", Some(Zstd), "br, gzip, zstd"),
            ("*;q=0.5, zstd;q=0", Some(Brotli), "br, gzip"),
            ("gzip, *;q=0", Some(Gzip), "gzip"),
            ("identity;q=0, gzip;q=0.1", Some(Gzip), "gzip"),
            ("gzip, identity", Some(Gzip), "gzip"),
            // Rather as it is.
            ("gzip;q=0.5, identity", None, "identity"),
            ("gzip;q=0.5, br;q=0.8, identity;q=0.6", Some(Brotli), "br"),
            ("identity", None, "identity"),
            ("deflate", None, "identity"),
            ("gzip;q=0", None, "identity"),
            ("gzip;q=0.000, br;q=0", None, "identity"),
            ("*;q=0", None, "identity"),
            ("identity;q=0", None, "identity"),
            ("", None, "identity"),
            // Malformed members say nothing.
            ("gzip;q=2, br", Some(Brotli), "br"),
            ("gzip;q=, br;q=0.1234", None, "identity"),
            ("gzip;q=1.001, br;q=.5, zstd;q=-1", None, "identity"),
            ("gzip br", None, "identity"),
            (";q=1, =, ;", None, "identity"),
            ("gzip;level=9;q=0.3", Some(Gzip), "gzip"),
            ("gzip, gzip;q=0", None, "identity"),
        ] {
            let accepted = accepted(&[line]);
            assert_eq!(accepted.choose(&[Zstd, Brotli, Gzip]), choice, "{line}");
            let mut out = Vec::new();
            accepted.write_normalised(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), normal, "{line}");
        }
    }

    #[test]
    fn lines_are_one_list_and_none_is_identity() {
        assert_eq!(accepted(&["gzip", "br"]), accepted(&["gzip, br"]));
        assert_eq!(accepted(&[]), Accepted::IDENTITY);
        assert_eq!(accepted(&[""]), Accepted::IDENTITY);
    }

    #[test]
    fn the_order_offered_decides_between_equals() {
        let both = accepted(&["gzip, br"]);
        assert_eq!(both.choose(&[Gzip, Brotli]), Some(Gzip));
        assert_eq!(both.choose(&[Brotli, Gzip]), Some(Brotli));
        assert_eq!(both.choose(&[Zstd]), None);
        assert_eq!(both.choose(&[]), None);
    }

    proptest! {
        /// What is chosen was offered and is not refused; the normal form means
        /// the same to whoever reads it.
        #[test]
        fn any_line(line in "(gzip|br|zstd|identity|\\*|;q=0|;q=0\\.[0-9]|[,; =.q0-9]){0,10}") {
            let accepted = accepted(&[&line]);
            let choice = accepted.choose(&Coding::ALL);
            prop_assert!(choice.is_none_or(|coding| accepted.quality(coding) > 0));
            let mut normal = Vec::new();
            accepted.write_normalised(&mut normal);
            let again = self::accepted(&[std::str::from_utf8(&normal).unwrap()]);
            for coding in Coding::ALL {
                prop_assert_eq!(again.wants(coding), accepted.wants(coding));
            }
        }
    }
}
