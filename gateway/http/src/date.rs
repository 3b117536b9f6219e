//! HTTP dates (RFC 9110 §5.6.7), as seconds since 1970.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The beginning of the year 10000, which HTTP dates cannot express.
const END: u64 = 253_402_300_800;

/// No valid date is longer: the longest is `Wednesday, 09-Nov-94 08:49:37 GMT`.
const LONGEST: usize = 40;

/// Parses a date in any of the three formats as Unix seconds. A two-digit year from `70` to
/// `99` is in the twentieth century.
#[must_use]
pub fn parse(value: &[u8]) -> Option<u64> {
    if value.len() > LONGEST {
        return None;
    }
    let date: HttpDate = std::str::from_utf8(value).ok()?.parse().ok()?;
    let since = SystemTime::from(date).duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// Appends the date of these Unix seconds in the preferred format, which has 29 bytes. Later
/// times are written as the last second of the year 9999.
pub fn write(seconds: u64, out: &mut Vec<u8>) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(END - 1));
    // Writing into memory does not fail.
    let _ = write!(out, "{}", HttpDate::from(time));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_forms_are_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(END - 1)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("784111777", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), seconds, "{text}");
        }
        assert_eq!(parse(&[b' '; 4096]), None);
    }

    #[test]
    fn written_in_the_preferred_form() {
        let mut out = b"Date: ".to_vec();
        write(784_111_777, &mut out);
        assert_eq!(out, b"Date: Sun, 06 Nov 1994 08:49:37 GMT");
        out.clear();
        write(u64::MAX, &mut out);
        assert_eq!(out, b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..END) {
            let mut out = Vec::new();
            write(seconds, &mut out);
            prop_assert_eq!(parse(&out), Some(seconds));
        }

        #[test]
        fn any_bytes_are_survived(value in proptest::collection::vec(any::<u8>(), 0..48)) {
            let _ = parse(&value);
        }

        #[test]
        fn almost_dates_are_survived(
            text in "(Sun|Sunday),? [0-9]{1,2}[ -](Nov|Feb)[ -][0-9]{1,4} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT)?",
        ) {
            let _ = parse(text.as_bytes());
        }
    }
}
