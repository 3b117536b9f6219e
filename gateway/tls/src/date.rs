//! Points in time as an operator reads them.

use time::OffsetDateTime;

/// `2026-11-27 18:00 UTC` for a number of seconds since 1970.
pub fn utc(seconds: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return format!("second {seconds} since 1970");
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_readable() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(1_795_802_459), "2026-11-27 18:00 UTC");
        assert_eq!(utc(i64::MAX), format!("second {} since 1970", i64::MAX));
    }
}
