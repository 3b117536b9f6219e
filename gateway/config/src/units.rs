//! Plain values: numbers, durations, shares, sizes, file modes, paths.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;

impl Decode for String {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        decoder.text(node, &Self::kind()).map(str::to_owned)
    }

    fn kind() -> String {
        "a string".to_owned()
    }
}

impl Decode for bool {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            DeValue::String(text) => {
                let span = decoder.span(node);
                let fault = Diagnostic::error(span, "expected true or false, found a string");
                decoder.refuse(match truth(text) {
                    Some(value) => fault.help(format!("write {value}, without quotes")),
                    None => fault.help("write true or false, without quotes"),
                })
            }
            _ => decoder.mismatch(node, &Self::kind()),
        }
    }

    fn kind() -> String {
        "true or false".to_owned()
    }
}

/// The meaning of a word that other formats use for true or false.
pub(crate) fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A path, made relative to the working directory.
impl Decode for PathBuf {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if text.is_empty() || text.contains('\0') {
            let span = decoder.span(node);
            return decoder.refuse(Diagnostic::error(
                span,
                "the path is empty or has a NUL in it",
            ));
        }
        Some(decoder.directory.join(text))
    }

    fn kind() -> String {
        "a path".to_owned()
    }
}

/// The value of an integer, if it fits into 64 bits.
pub(crate) fn integer(value: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(value.as_str(), value.radix()).ok()
}

/// Reads an integer between two bounds.
fn bounded(
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
    least: u64,
    most: u64,
    expected: &str,
) -> Option<u64> {
    let DeValue::Integer(value) = node.get_ref() else {
        return decoder.mismatch(node, expected);
    };
    let number = integer(value).and_then(|number| u64::try_from(number).ok());
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Some(number),
        None => {
            let span = decoder.span(node);
            decoder.refuse(Diagnostic::error(
                span,
                format!("{value} is not a number from {least} to {most}"),
            ))
        }
    }
}

impl Decode for u16 {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = bounded(node, decoder, 0, Self::MAX.into(), &Self::kind())?;
        Self::try_from(number).ok()
    }

    fn kind() -> String {
        "a number".to_owned()
    }
}

impl Decode for u32 {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = bounded(node, decoder, 0, Self::MAX.into(), &Self::kind())?;
        Self::try_from(number).ok()
    }

    fn kind() -> String {
        "a number".to_owned()
    }
}

impl Decode for NonZeroU32 {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = bounded(node, decoder, 1, u32::MAX.into(), &Self::kind())?;
        u32::try_from(number).ok().and_then(Self::new)
    }

    fn kind() -> String {
        "a number from 1".to_owned()
    }
}

/// The longest duration that may be configured: ten years. Adding it to an
/// `Instant` cannot overflow.
const LONGEST: Duration = Duration::from_secs(3660 * 86_400);

impl Decode for Duration {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        let text = match node.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                return decoder.refuse(Diagnostic::error(span, "a duration needs a unit").help(
                    format!("write \"{number}s\" for seconds, \"{number}ms\" for milliseconds"),
                ));
            }
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        match duration(text) {
            Some(length) if length <= LONGEST => Some(length),
            Some(_) => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is too long"))
                    .help("the longest duration is \"3660d\""),
            ),
            None => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not a duration")).help(
                    likely_duration(text).map_or_else(
                        || {
                            "write a whole number and ms, s, m, h or d: \"250ms\", \"10s\", \"5m\""
                                .to_owned()
                        },
                        |likely| format!("write \"{likely}\""),
                    ),
                ),
            ),
        }
    }

    fn kind() -> String {
        "a duration such as \"30s\"".to_owned()
    }
}

/// Reads a duration as it is written in the configuration: a number and a unit.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    // On overflow the value is too long in any case, and is refused as such.
    Some(Duration::from_secs(number.saturating_mul(seconds)))
}

/// The duration that was probably meant, if its unit is spelt out or missing.
fn likely_duration(text: &str) -> Option<String> {
    let (number, unit) = split(text.trim())?;
    let unit = unit.trim();
    // Without the plural `s`, except in `ms`.
    let unit = match unit
        .strip_suffix('s')
        .filter(|_| unit != "ms")
        .unwrap_or(unit)
    {
        "ms" | "msec" | "milli" | "millisecond" => "ms",
        "" | "sec" | "second" => "s",
        "m" | "min" | "minute" => "m",
        "h" | "hr" | "hour" => "h",
        "d" | "day" => "d",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// Splits leading digits from the rest.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// A share, in whole percent from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// The number of percent.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Decode for Percent {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        let text = match node.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                return decoder.refuse(
                    Diagnostic::error(span, "a share needs its unit")
                        .help(format!("write \"{number}%\"")),
                );
            }
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        let number = split(text).filter(|(_, unit)| *unit == "%");
        match number.and_then(|(number, _)| u8::try_from(number).ok()) {
            Some(percent @ 1..=100) => Some(Self(percent)),
            _ => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not a share"))
                    .help("write a whole number from 1 to 100 and %: \"50%\""),
            ),
        }
    }

    fn kind() -> String {
        "a share such as \"50%\"".to_owned()
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Decode for Size {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        let text = match node.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(_) => {
                return bounded(node, decoder, 0, i64::MAX as u64, &Self::kind()).map(Self);
            }
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        match size(text) {
            Ok(bytes) => Some(Self(bytes)),
            Err(help) => decoder
                .refuse(Diagnostic::error(span, format!("`{text}` is not a size")).help(help)),
        }
    }

    fn kind() -> String {
        "a size such as \"64KiB\"".to_owned()
    }
}

/// The number of bytes, or advice on what to write instead.
fn size(text: &str) -> Result<u64, String> {
    let write = || "write a whole number and B, KiB, MiB or GiB: \"64KiB\"".to_owned();
    let (number, unit) = split(text).ok_or_else(write)?;
    let unit = match unit.trim_start() {
        // A known unit after a space.
        known @ ("B" | "KiB" | "MiB" | "GiB") if known != unit => {
            return Err(format!("write \"{number}{known}\""));
        }
        unit => unit,
    };
    let shift = match unit {
        "B" | "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        // `1k` and `1KB` may mean 1,000 or 1,024.
        "k" | "K" | "kb" | "KB" | "kB" | "kib" => return Err(format!("write \"{number}KiB\"")),
        "m" | "M" | "mb" | "MB" | "mib" => return Err(format!("write \"{number}MiB\"")),
        "g" | "G" | "gb" | "GB" | "gib" => return Err(format!("write \"{number}GiB\"")),
        _ => return Err(write()),
    };
    number
        .checked_mul(1 << shift)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| "the number is too large".to_owned())
}

/// The permission bits of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Decode for FileMode {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        // An integer would be ambiguous: 660 is not 0o660.
        let text = decoder.text(node, &Self::kind())?;
        let digits = text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(text, 8) {
            Ok(mode) if digits && mode <= 0o777 && text.len() >= 3 => Some(Self(mode)),
            _ => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{text}` is not a file mode"))
                        .help("write three octal digits after a 0: \"0660\""),
                )
            }
        }
    }

    fn kind() -> String {
        "an octal file mode such as \"0660\"".to_owned()
    }
}
