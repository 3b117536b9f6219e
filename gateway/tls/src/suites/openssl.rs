//! Cipher strings as OpenSSL has them (its manual page `ciphers`): names and
//! words for classes of suites, joined by colons; `!` and `-` before a word
//! exclude, `+` between words means both.
//!
//! The strength of a class is not needed here, because all suites are strong.
//! What is needed is that `EECDH+AESGCM` means AES-GCM, and that `!ECDSA` leaves
//! out ECDSA.

use super::{Missing, Named, Note, TLS12, TLS13};
use crate::error::Error;

/// What a list has selected so far, the preferred first.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) tls13: Vec<&'static Named>,
    pub(super) tls12: Vec<&'static Named>,
    /// Whether anything of TLS 1.2 was named, present or not.
    pub(super) is_tls12_named: bool,
    /// Excluded by `!`, and not to be added again.
    banned: Vec<&'static str>,
}

/// A word for a class, and whether a suite belongs to it, by its name in
/// OpenSSL.
type Class = (&'static str, fn(&str) -> bool);

/// Classes with members. ECDH is the old name for what includes ECDHE.
const CLASSES: [Class; 19] = [
    ("ALL", |_| true),
    ("DEFAULT", |_| true),
    ("HIGH", |_| true),
    ("FIPS", |name| name.contains("AES")),
    ("TLSv1.2", |_| true),
    ("ECDH", |_| true),
    ("ECDHE", |_| true),
    ("EECDH", |_| true),
    ("kECDHE", |_| true),
    ("kEECDH", |_| true),
    ("AES", |name| name.contains("AES")),
    ("AESGCM", |name| name.contains("AES")),
    ("AES128", |name| name.contains("AES128")),
    ("AES256", |name| name.contains("AES256")),
    ("CHACHA20", |name| name.contains("CHACHA20")),
    ("aRSA", |name| name.contains("-RSA-")),
    ("aECDSA", |name| name.contains("-ECDSA-")),
    ("ECDSA", |name| name.contains("-ECDSA-")),
    ("SUITEB128", |name| name.contains("ECDSA-AES")),
];

/// Classes that no suite of rustls belongs to. SHA256 and SHA384 mean a MAC
/// apart from the cipher.
const EMPTY_CLASSES: [&str; 46] = [
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "MEDIUM",
    "LOW",
    "EXP",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "eNULL",
    "NULL",
    "aNULL",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DHE",
    "EDH",
    "DH",
    "ADH",
    "AECDH",
    "kDH",
    "kDHr",
    "kDHd",
    "kECDH",
    "kECDHr",
    "kECDHe",
    "aDH",
    "aECDH",
    "aDSS",
    "DSS",
    "PSK",
    "kPSK",
    "aPSK",
    "SRP",
    "3DES",
    "DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "CAMELLIA",
    "ARIA",
    "MD5",
    "SHA1",
    "SHA256",
    "SHA384",
];

/// More of them, which older systems' lists have.
const RARE_EMPTY_CLASSES: [&str; 12] = [
    "SHA", "AESCCM", "AESCCM8", "CBC", "SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "KRB5", "kGOST",
    "aGOST", "FZA",
];

impl Selection {
    /// Applies one item of a list.
    pub(super) fn apply(&mut self, item: &str, notes: &mut Vec<Note>) -> Result<(), Error> {
        let mut has_classes = false;
        for word in item.split([':', ',', ' ']) {
            // `@STRENGTH` and `@SECLEVEL=2` are about what is not there.
            let (word, command) = word.split_once('@').unwrap_or((word, ""));
            has_classes |= !command.is_empty();
            if word.is_empty() {
                continue;
            }
            if let Some(excluded) = word.strip_prefix('!') {
                has_classes |= self.exclude(excluded, true)?;
            } else if let Some(excluded) = word.strip_prefix('-') {
                has_classes |= self.exclude(excluded, false)?;
            } else {
                // `+` before a word moves suites to the end; it adds nothing.
                has_classes |= match word.strip_prefix('+') {
                    Some(moved) => self.move_to_end(moved)?,
                    None => self.add(word, notes)?,
                };
            }
        }
        if has_classes {
            self.is_tls12_named = true;
            let is_all = self.tls12.is_empty() || self.tls12.len() == TLS12.len();
            notes.push(Note::CipherString {
                text: item.into(),
                only: match is_all {
                    true => Vec::new(),
                    false => self.tls12.iter().map(|named| named.iana).collect(),
                },
            });
        }
        Ok(())
    }

    /// Adds what a word stands for. True if it is a class.
    fn add(&mut self, word: &str, notes: &mut Vec<Note>) -> Result<bool, Error> {
        if let Some(named) = TLS13.iter().find(|named| is_named(named, word)) {
            push(&mut self.tls13, named);
            return Ok(false);
        }
        if let Some(named) = TLS12.iter().find(|named| is_named(named, word)) {
            self.is_tls12_named = true;
            self.add_tls12(named);
            return Ok(false);
        }
        if let Some(members) = members(word) {
            for named in members {
                self.add_tls12(named);
            }
            return Ok(true);
        }
        let why = Missing::of(word).ok_or_else(|| unknown(word))?;
        self.is_tls12_named = true;
        notes.push(Note::LeftOut {
            name: word.into(),
            why,
        });
        Ok(false)
    }

    fn add_tls12(&mut self, named: &'static Named) {
        if !self.banned.contains(&named.iana) {
            push(&mut self.tls12, named);
        }
    }

    /// Removes what a word stands for. True if it is a class with members:
    /// without what is not there anyway, a list says as much.
    fn exclude(&mut self, word: &str, for_good: bool) -> Result<bool, Error> {
        let (excluded, is_class) = meant(word)?;
        self.tls12.retain(|named| !contains(&excluded, named));
        if for_good {
            self.banned.extend(excluded.iter().map(|named| named.iana));
        }
        Ok(is_class && !excluded.is_empty())
    }

    fn move_to_end(&mut self, word: &str) -> Result<bool, Error> {
        let (moved, is_class) = meant(word)?;
        let (last, mut first): (Vec<_>, Vec<_>) = self
            .tls12
            .iter()
            .copied()
            .partition(|named| contains(&moved, named));
        first.extend(last);
        self.tls12 = first;
        Ok(is_class)
    }
}

/// The suites of TLS 1.2 that a word stands for, and whether it is a class.
fn meant(word: &str) -> Result<(Vec<&'static Named>, bool), Error> {
    if let Some(named) = TLS12.iter().find(|named| is_named(named, word)) {
        return Ok((vec![named], false));
    }
    if let Some(members) = members(word) {
        return Ok((members, true));
    }
    match Missing::of(word) {
        Some(_) => Ok((Vec::new(), false)),
        None => Err(unknown(word)),
    }
}

/// The members of a class, or of several joined by `+`; none if a part is not a
/// class.
fn members(word: &str) -> Option<Vec<&'static Named>> {
    let mut members: Vec<&'static Named> = TLS12.iter().collect();
    for part in word.split('+') {
        if let Some((_, is_member)) = CLASSES.iter().find(|(class, _)| is_same(class, part)) {
            members.retain(|named| is_member(named.openssl));
        } else if is_empty_class(part) {
            members.clear();
        } else {
            return None;
        }
    }
    Some(members)
}

fn is_empty_class(word: &str) -> bool {
    let mut all = EMPTY_CLASSES.iter().chain(&RARE_EMPTY_CLASSES);
    all.any(|class| is_same(class, word))
}

/// OpenSSL tells `kECDHe` (fixed) from `kECDHE` (ephemeral) by case alone; all
/// else may be written in any case.
fn is_same(class: &str, word: &str) -> bool {
    match word.eq_ignore_ascii_case("kECDHE") {
        true => class == word,
        false => class.eq_ignore_ascii_case(word),
    }
}

fn is_named(named: &Named, word: &str) -> bool {
    named.iana.eq_ignore_ascii_case(word) || named.openssl.eq_ignore_ascii_case(word)
}

fn contains(list: &[&'static Named], named: &Named) -> bool {
    list.iter().any(|item| item.iana == named.iana)
}

fn push(list: &mut Vec<&'static Named>, named: &'static Named) {
    if !contains(list, named) {
        list.push(named);
    }
}

fn unknown(word: &str) -> Error {
    let names: Vec<_> = TLS12
        .iter()
        .map(|named| named.openssl)
        .chain(TLS13.iter().map(|named| named.iana))
        .collect();
    Error::new(format!(
        "`{word}` is not the name of a cipher suite. Leave the list out for all suites, or choose \
         among {}.",
        names.join(", ")
    ))
}
