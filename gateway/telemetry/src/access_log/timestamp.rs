//! Formats times. Formatting a date costs more than the rest of a line, and
//! most lines fall into the same second as the line before: the text of the
//! last second is kept, and only its milliseconds are replaced.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The last formatted second.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: Option<u64>,
    text: String,
}

impl Clock {
    /// Formats as `2026-01-31T23:59:59.042Z`. Use a clock for one format only.
    pub(super) fn rfc3339(&mut self, unix_millis: u64) -> &str {
        let second = unix_millis / 1000;
        if self.second != Some(second) {
            let (year, month, day) = date(second / 86_400);
            let (hour, minute, second) = time(second);
            self.text =
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z");
            self.second = Some(unix_millis / 1000);
        }
        let seconds = self.text.len() - "000Z".len();
        self.text.truncate(seconds);
        let mut millis = unix_millis % 1000;
        for unit in [100, 10, 1] {
            let digit = u32::try_from(millis / unit).unwrap_or(0);
            self.text.push(char::from_digit(digit, 10).unwrap_or('0'));
            millis %= unit;
        }
        self.text.push('Z');
        &self.text
    }

    /// Formats as `31/Jan/2026:23:59:59 +0000`, as in the common log format.
    pub(super) fn common(&mut self, unix_millis: u64) -> &str {
        let second = unix_millis / 1000;
        if self.second != Some(second) {
            let (year, month, day) = date(second / 86_400);
            let month = MONTHS.get(month as usize - 1).copied().unwrap_or("Jan");
            let (hour, minute, second) = time(second);
            self.text =
                format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000");
            self.second = Some(unix_millis / 1000);
        }
        &self.text
    }
}

fn time(unix_seconds: u64) -> (u64, u64, u64) {
    let second = unix_seconds % 86_400;
    (second / 3600, second / 60 % 60, second % 60)
}

/// Converts a day since the epoch to year, month (from 1) and day in the
/// Gregorian calendar. It counts in eras of 400 years that begin on a first of
/// March, so that the leap day is the last day of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn known_instants() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
            (
                951_782_400_007,
                "2000-02-29T00:00:00.007Z",
                "29/Feb/2000:00:00:00 +0000",
            ),
            (
                1_709_251_199_999,
                "2024-02-29T23:59:59.999Z",
                "29/Feb/2024:23:59:59 +0000",
            ),
            (
                1_709_251_200_000,
                "2024-03-01T00:00:00.000Z",
                "01/Mar/2024:00:00:00 +0000",
            ),
            (
                1_798_761_599_120,
                "2026-12-31T23:59:59.120Z",
                "31/Dec/2026:23:59:59 +0000",
            ),
            (
                4_107_542_400_000,
                "2100-03-01T00:00:00.000Z",
                "01/Mar/2100:00:00:00 +0000",
            ),
        ];
        for (millis, rfc3339, common) in table {
            assert_eq!(Clock::default().rfc3339(millis), rfc3339);
            assert_eq!(Clock::default().common(millis), common);
        }
    }

    #[test]
    fn a_kept_second_takes_new_milliseconds() {
        let mut clock = Clock::default();
        assert_eq!(clock.rfc3339(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(clock.rfc3339(1_009), "1970-01-01T00:00:01.009Z");
        assert_eq!(clock.rfc3339(2_000), "1970-01-01T00:00:02.000Z");
        // Clocks can also be set back.
        assert_eq!(clock.rfc3339(1_999), "1970-01-01T00:00:01.999Z");
    }

    #[test]
    fn far_away_times_do_not_panic() {
        assert!(Clock::default().rfc3339(u64::MAX).ends_with('Z'));
        assert!(Clock::default().common(u64::MAX).ends_with("+0000"));
    }
}
