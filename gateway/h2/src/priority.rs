//! Priorities of streams (RFC 9218): an urgency, and whether a response is of use in parts.

/// The priority of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priority {
    /// From 0, the most urgent, to 7.
    pub(crate) urgency: u8,
    /// True if streams of this urgency take turns.
    pub(crate) incremental: bool,
}

impl Default for Priority {
    /// The default of RFC 9218 §4.2 is not incremental. But a client that states no priority may
    /// not know of them, and is served fairly.
    fn default() -> Self {
        Self {
            urgency: 3,
            incremental: true,
        }
    }
}

impl Priority {
    /// Reads a value of the field `priority`: a dictionary of RFC 9651 of which only `u` and `i`
    /// matter. What is malformed is ignored, as RFC 9218 §4 demands.
    pub(crate) fn read(value: &[u8]) -> Self {
        let mut priority = Self {
            urgency: 3,
            incremental: false,
        };
        for member in value.split(|&byte| byte == b',') {
            match member.trim_ascii() {
                [b'u', b'=', digit @ b'0'..=b'7'] => priority.urgency = digit - b'0',
                b"i" | b"i=?1" => priority.incremental = true,
                b"i=?0" => priority.incremental = false,
                _ => {}
            }
        }
        priority
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values() {
        for (value, urgency, incremental) in [
            ("", 3, false),
            ("u=0", 0, false),
            ("u=5, i", 5, true),
            ("i=?0,u=7", 7, false),
            ("u=8, i=?1", 3, true),
            ("u=-1", 3, false),
            ("x=1;u=1", 3, false),
        ] {
            let expected = Priority {
                urgency,
                incremental,
            };
            assert_eq!(Priority::read(value.as_bytes()), expected, "{value}");
        }
    }
}
