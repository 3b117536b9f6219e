//! When endpoints get requests although they are ejected: a wrong conclusion about
//! health must not take a whole upstream down, and the few that are left must not
//! be overwhelmed by the load of all.

/// When all endpoints are tried. Those that are draining, and new ones before the
/// first pass of their checks, never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Panic {
    /// If all are ejected; but not those whose checks fail.
    #[default]
    NoneLeft,
    /// If less than this share of them is left, in percent. Those whose checks fail
    /// are tried too.
    Below(u8),
    /// Never.
    Never,
}

impl Panic {
    /// Whether all are tried, if so many of them are eligible.
    pub(crate) fn is_on(self, eligible: usize, all: usize) -> bool {
        match self {
            Self::NoneLeft => eligible == 0,
            Self::Below(percent) => eligible * 100 < all * usize::from(percent),
            Self::Never => false,
        }
    }

    /// Whether endpoints whose checks fail are tried when all are.
    pub(crate) fn tries_failed_checks(self) -> bool {
        matches!(self, Self::Below(_))
    }

    /// Whether ejected endpoints are ever tried.
    pub(crate) fn tries_ejected(self) -> bool {
        self != Self::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_tried_if_too_few_are_left() {
        for (panic, eligible, all, expected) in [
            (Panic::NoneLeft, 0, 3, true),
            (Panic::NoneLeft, 1, 100, false),
            (Panic::Below(50), 0, 3, true),
            (Panic::Below(50), 1, 3, true),
            (Panic::Below(50), 1, 2, false),
            (Panic::Below(50), 2, 3, false),
            (Panic::Below(100), 2, 3, true),
            (Panic::Below(100), 3, 3, false),
            (Panic::Below(1), 1, 100, false),
            (Panic::Below(1), 0, 1, true),
            (Panic::Never, 0, 3, false),
        ] {
            assert_eq!(
                panic.is_on(eligible, all),
                expected,
                "{panic:?} {eligible}/{all}"
            );
        }
    }
}
