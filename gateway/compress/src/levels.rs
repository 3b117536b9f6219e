//! How hard each coding tries.

use janua_http::accept_encoding::Coding;

/// The level of each coding. A number beyond what the coding has counts as the
/// nearest that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// 1 to 9.
    pub gzip: u8,
    /// 0 to 11; from 10 on a hundred times slower than the default.
    pub br: u8,
    /// 1 to 19; those above need windows that browsers refuse (RFC 9659).
    pub zstd: u8,
}

impl Levels {
    /// The highest level of a coding.
    #[must_use]
    pub const fn highest(coding: Coding) -> u8 {
        match coding {
            Coding::Gzip => 9,
            Coding::Brotli => 11,
            Coding::Zstd => 19,
        }
    }

    /// The lowest level of a coding.
    #[must_use]
    pub const fn lowest(coding: Coding) -> u8 {
        match coding {
            Coding::Gzip | Coding::Zstd => 1,
            Coding::Brotli => 0,
        }
    }

    /// The level of a coding, one that it has.
    #[must_use]
    pub fn of(self, coding: Coding) -> u8 {
        let level = match coding {
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.br,
            Coding::Zstd => self.zstd,
        };
        level.clamp(Self::lowest(coding), Self::highest(coding))
    }
}

impl Default for Levels {
    /// What pays while a client waits.
    fn default() -> Self {
        Self {
            gzip: 5,
            br: 4,
            zstd: 3,
        }
    }
}
