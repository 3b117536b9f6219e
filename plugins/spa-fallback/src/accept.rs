//! Whether a client accepts a page (RFC 9110 §12.5.1).

/// Whether `Accept` allows `text/html`. The most specific media range counts. Without
/// the field, everything is allowed.
pub(crate) fn accepts_html(accept: Option<&str>) -> bool {
    let Some(accept) = accept else {
        return true;
    };
    let mut best = 0;
    let mut accepted = false;
    for entry in accept.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let is = |name: &str| range.eq_ignore_ascii_case(name);
        let specific = match () {
            () if is("text/html") || is("application/xhtml+xml") => 3,
            () if is("text/*") => 2,
            () if is("*/*") => 1,
            () => continue,
        };
        if specific >= best {
            // Of two equally specific ranges, one that is accepted suffices.
            accepted = !parts.any(is_weight_zero) || (specific == best && accepted);
            best = specific;
        }
    }
    accepted
}

/// Whether a parameter is a weight of 0.
fn is_weight_zero(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("q")
        && weight.trim().starts_with('0')
        && weight.trim().trim_matches(['0', '.']).is_empty()
}

#[cfg(test)]
mod tests {
    use super::accepts_html;

    #[test]
    fn ranges() {
        let table = [
            (None, true),
            (Some("*/*"), true),
            (Some("text/html"), true),
            (Some("Text/HTML;level=1"), true),
            (
                Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                true,
            ),
            (Some("application/xhtml+xml"), true),
            (Some("text/*;q=0.1"), true),
            (Some("application/json, */*;q=0.001"), true),
            (Some("application/json"), false),
            (Some("image/avif,image/webp,*/*;q=0"), false),
            (Some("text/html;q=0"), false),
            (Some("text/html; q=0.000, */*"), false),
            (Some("*/*, text/html;q=0"), false),
            (Some("text/*;q=0, */*"), false),
            (Some("text/html;q=1"), true),
            (Some(""), false),
            (Some("text/plain"), false),
        ];
        for (accept, accepted) in table {
            assert_eq!(accepts_html(accept), accepted, "{accept:?}");
        }
    }
}
