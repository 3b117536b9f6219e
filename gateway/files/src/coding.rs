//! The precompressed siblings that one client accepts, in its order of
//! preference.

use janua_http::accept_encoding::{Accepted, Coding};

/// The codings to look for, in order of preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wanted([Option<Coding>; 3]);

impl Wanted {
    /// The codings in `offered` that the client accepts. Codings that it
    /// prefers equally keep the order of `offered`.
    pub(crate) fn of(offered: &[Coding], accepted: &Accepted) -> Self {
        let mut wanted = [None; 3];
        // At most three rounds, because there are three codings.
        let mut last: Option<(u16, usize)> = None;
        for slot in &mut wanted {
            let next = offered
                .iter()
                .enumerate()
                .filter(|&(_, &coding)| accepted.wants(coding))
                .map(|(place, &coding)| (accepted.quality(coding), place, coding))
                .filter(|&(quality, place, _)| {
                    last.is_none_or(|(before, at)| {
                        quality < before || (quality == before && place > at)
                    })
                })
                .max_by_key(|&(quality, place, _)| (quality, std::cmp::Reverse(place)));
            let Some((quality, place, coding)) = next else {
                break;
            };
            *slot = Some(coding);
            last = Some((quality, place));
        }
        Self(wanted)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Coding> {
        self.0.into_iter().flatten()
    }
}

/// The extension of a sibling's name.
pub(crate) fn suffix(coding: Coding) -> &'static [u8] {
    match coding {
        Coding::Brotli => b".br",
        Coding::Gzip => b".gz",
        Coding::Zstd => b".zst",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip, Zstd};
    use janua_http::Fields;

    #[test]
    fn orders() {
        for (line, offered, expected) in [
            (
                "gzip, br, zstd",
                &[Brotli, Zstd, Gzip][..],
                &[Brotli, Zstd, Gzip][..],
            ),
            ("gzip, br, zstd", &[Gzip, Brotli], &[Gzip, Brotli]),
            ("gzip, br;q=0.5", &[Brotli, Gzip], &[Gzip, Brotli]),
            (
                "gzip;q=0.1, br;q=0.5, zstd;q=0.1",
                &[Zstd, Gzip, Brotli],
                &[Brotli, Zstd, Gzip],
            ),
            ("br", &[Gzip, Brotli], &[Brotli]),
            ("br;q=0", &[Gzip, Brotli], &[]),
            ("", &[Gzip, Brotli], &[]),
            ("gzip", &[], &[]),
        ] {
            let mut fields = Fields::default();
            fields.append(b"Accept-Encoding", line.as_bytes());
            let wanted = Wanted::of(offered, &Accepted::of(&fields));
            assert_eq!(wanted.iter().collect::<Vec<_>>(), expected, "{line}");
        }
    }
}
