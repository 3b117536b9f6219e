//! Tables with aligned columns.

use unicode_width::UnicodeWidthStr as _;

/// Rows under a heading, indented by two spaces, with two spaces between
/// columns. Numbers are right-aligned, everything else is left-aligned.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";

impl Table {
    pub(super) fn new<const N: usize>(heads: [&str; N]) -> Self {
        let heads = heads.iter().map(|head| head.to_uppercase()).collect();
        Self { rows: vec![heads] }
    }

    /// Adds a row. Line breaks are shown as spaces, because they would end the
    /// row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let cells = cells.map(|cell| super::printable(&cell).replace('\n', " "));
        self.rows.push(cells.into());
    }

    pub(super) fn render(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(|n| self.width(n)).collect();
        let numbers: Vec<bool> = (0..columns).map(|n| self.is_numbers(n)).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), number) in row.iter().zip(&widths).zip(&numbers) {
                let space = " ".repeat(width.saturating_sub(cell.width()));
                line.push_str(GAP);
                match number {
                    true => line.extend([space.as_str(), cell]),
                    false => line.extend([cell, space.as_str()]),
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    fn column(&self, n: usize) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter_map(move |row| row.get(n).map(String::as_str))
    }

    fn width(&self, n: usize) -> usize {
        let widths = self.column(n).map(|cell| cell.width());
        widths.max().unwrap_or(0)
    }

    /// Whether a column has numbers, and nothing else except for `-` where there is none.
    fn is_numbers(&self, n: usize) -> bool {
        let digits = |cell: &str| {
            let number = cell.trim_end_matches([' ', '%', 'K', 'M', 'G', 'i', 'B']);
            !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == ',')
        };
        let mut cells = self
            .column(n)
            .skip(1)
            .filter(|cell| *cell != "-")
            .peekable();
        cells.peek().is_some() && cells.all(digits)
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and the noun it counts: `1 site`, `2 sites`, `2 policies`.
pub(super) fn counted(n: u64, one: &str) -> String {
    let stem = one.strip_suffix('y');
    match (n, stem) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{} {stem}ies", number(n)),
        (_, None) => format!("{} {one}s", number(n)),
    }
}

/// Bytes in the largest unit that gives a number above 9.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// A time in its two largest units: `3 d 4 h`, `12 s`, `350 ms`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () if seconds > 0 => format!("{seconds} s"),
        () => format!("{ms} ms"),
    }
}

/// The width of a page: that of a terminal of default size.
const WIDTH: usize = 80;

/// Wraps text at [`WIDTH`] characters, with indentation. Longer words are not
/// broken.
pub(super) fn wrapped(text: &str, first: usize, rest: usize) -> String {
    let mut page = String::new();
    let mut line = " ".repeat(first);
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            page.extend([line.trim_end(), "\n"]);
            line = " ".repeat(rest);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    if !line.trim().is_empty() {
        page.extend([line.trim_end(), "\n"]);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Table, counted, duration, number, size};

    #[test]
    fn columns_are_aligned_numbers_at_the_right() {
        let mut table = Table::new(["name", "requests", "hits"]);
        table.row(["sales".into(), "7".into(), "98 %".into()]);
        table.row(["größe".into(), "1,000,000".into(), "-".into()]);
        assert_eq!(
            table.render(),
            "  NAME    REQUESTS  HITS\n  sales          7  98 %\n  größe  1,000,000     -\n"
        );
    }

    #[test]
    fn a_column_of_nothing_is_none_of_numbers_and_wide_characters_are_wide() {
        let mut table = Table::new(["name", "conditions", "weight"]);
        table.row(["上流".into(), "-".into(), "1".into()]);
        table.row(["cafe\u{301}".into(), "-".into(), "-".into()]);
        assert_eq!(
            table.render(),
            "  NAME  CONDITIONS  WEIGHT\n  上流  -                1\n  cafe\u{301}  -                -\n"
        );
    }

    #[test]
    fn a_cell_is_one_line_and_steers_no_terminal() {
        let mut table = Table::new(["why"]);
        table.row(["a\nb\x1b[2Jc".into()]);
        assert_eq!(table.render(), "  WHY\n  a b\u{fffd}[2Jc\n");
    }

    #[test]
    fn values_for_a_person() {
        let numbers = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345_678, "12,345,678"),
        ];
        for (n, said) in numbers {
            assert_eq!(number(n), said);
        }
        let nouns = [
            (1, "site", "1 site"),
            (0, "site", "0 sites"),
            (2, "policy", "2 policies"),
        ];
        for (n, noun, said) in nouns {
            assert_eq!(counted(n, noun), said);
        }
        let sizes = [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_240, "10 KiB"),
            (129 << 20, "129 MiB"),
            (12 << 30, "12 GiB"),
        ];
        for (bytes, said) in sizes {
            assert_eq!(size(bytes), said);
        }
        let durations = [
            (0, "0 ms"),
            (1_999, "1 s"),
            (61_000, "1 min 1 s"),
            (7_260_000, "2 h 1 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, said) in durations {
            assert_eq!(duration(ms), said);
        }
    }
}
