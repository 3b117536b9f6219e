//! The compression level of each coding.

use janua_http::accept_encoding::Coding;

/// The memory of a stream of unknown length at each level, in KiB: measured by
/// `examples/cost.rs` and rounded up.
const GZIP_KIB: u64 = 352;
const BR_KIB: [u64; 12] = [
    256, 256, 1_152, 1_152, 2_560, 3_968, 4_992, 11_264, 19_456, 37_888, 8_192, 8_192,
];
const ZSTD_KIB: [u64; 20] = [
    640, 640, 704, 1_216, 1_216, 1_920, 3_200, 3_200, 3_200, 3_200, 3_200, 3_712, 4_736, 4_352,
    4_352, 4_352, 5_376, 5_376, 5_376, 5_376,
];

/// The level of each coding. A number out of range counts as the nearest level
/// in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// 1 to 9.
    pub gzip: u8,
    /// 0 to 11; from 10 on, a hundred times slower than the default.
    pub br: u8,
    /// 1 to 19; higher levels need windows that browsers refuse (RFC 9659).
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

    /// The level of a coding, within its range.
    #[must_use]
    pub fn of(self, coding: Coding) -> u8 {
        let level = match coding {
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.br,
            Coding::Zstd => self.zstd,
        };
        level.clamp(Self::lowest(coding), Self::highest(coding))
    }

    /// Roughly the most memory that the encoder of one stream uses, in bytes.
    #[must_use]
    pub fn memory(self, coding: Coding) -> u64 {
        let level = usize::from(self.of(coding));
        let kib = match coding {
            Coding::Gzip => Some(&GZIP_KIB),
            Coding::Brotli => BR_KIB.get(level),
            Coding::Zstd => ZSTD_KIB.get(level),
        };
        kib.copied().unwrap_or_default() * 1024
    }

    /// True if the coding runs at less than about 40 MB/s, or buffers much
    /// input before it encodes it in one step: one step then blocks a shared
    /// thread for too long.
    #[must_use]
    pub fn is_slow(self, coding: Coding) -> bool {
        let fast = match coding {
            Coding::Gzip => 7,
            Coding::Brotli => 4,
            Coding::Zstd => 9,
        };
        self.of(coding) > fast
    }
}

impl Default for Levels {
    /// The levels that pay off while a client waits.
    fn default() -> Self {
        Self {
            gzip: 5,
            br: 4,
            zstd: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(level: u8) -> Levels {
        Levels {
            gzip: level,
            br: level,
            zstd: level,
        }
    }

    #[test]
    fn what_each_level_holds() {
        for (coding, level, kib) in [
            (Coding::Gzip, 1, 352),
            (Coding::Gzip, 200, 352),
            (Coding::Brotli, 0, 256),
            (Coding::Brotli, 9, 37_888),
            (Coding::Brotli, 11, 8_192),
            (Coding::Brotli, 200, 8_192),
            (Coding::Zstd, 0, 640),
            (Coding::Zstd, 3, 1_216),
            (Coding::Zstd, 19, 5_376),
        ] {
            assert_eq!(all(level).memory(coding), kib * 1024, "{coding:?} {level}");
        }
    }

    #[test]
    fn the_defaults_are_fast() {
        for coding in Coding::ALL {
            assert!(!Levels::default().is_slow(coding), "{coding:?}");
            assert!(all(11).is_slow(coding), "{coding:?}");
        }
    }
}
