//! What is said if no endpoint of an upstream is up.

use std::fmt::Write as _;

use crate::upstream::Upstream;

/// The most endpoints whose failures are named if none is up.
const MOST_NAMED: usize = 8;

impl Upstream {
    /// What is wrong with each endpoint, in the order of the configuration. Without addresses,
    /// since clients may read it; at most a few of many.
    pub fn why_none_is_up(&self) -> String {
        let members = self.members();
        let several = members.len() > 1;
        let mut words = String::new();
        let mut named = 0;
        let mut more = 0;
        for (index, member) in members.iter().enumerate() {
            let Some(ill) = self.ill(member) else {
                continue;
            };
            if named == MOST_NAMED {
                more += 1;
                continue;
            }
            let separator = if named > 0 { "; " } else { "" };
            let _ = match several {
                true => write!(words, "{separator}endpoint {}: {ill}", index + 1),
                false => write!(words, "{ill}"),
            };
            named += 1;
        }
        if more > 0 {
            let _ = write!(words, "; and {more} more");
        }
        words
    }
}
