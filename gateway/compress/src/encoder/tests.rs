#[path = "../../testing/json.rs"]
mod json;

use std::io::Read;

use flate2::{Decompress, FlushDecompress};
use proptest::prelude::*;

use super::*;

use json::json;

/// Decodes these bytes, which may be the incomplete start of a coded body.
fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => {
            let mut decoder = Decompress::new_gzip(15);
            loop {
                out.reserve(1 << 16);
                let taken = decoder.total_in() as usize;
                let before = out.len();
                decoder
                    .decompress_vec(&coded[taken..], &mut out, FlushDecompress::None)
                    .unwrap();
                if out.len() == before && decoder.total_in() as usize == taken {
                    return out;
                }
            }
        }
        Coding::Brotli => {
            let mut decoder = brotli::Decompressor::new(coded, 4096);
            let mut piece = [0; 4096];
            // An incomplete body ends with a decoding error.
            while let Ok(size @ 1..) = decoder.read(&mut piece) {
                out.extend_from_slice(&piece[..size]);
            }
            out
        }
        Coding::Zstd => {
            let mut decoder = zstd_safe::DCtx::create();
            let window = zstd_safe::DParameter::WindowLogMax(23);
            decoder.set_parameter(window).unwrap();
            let mut input = zstd_safe::InBuffer::around(coded);
            loop {
                out.reserve(1 << 16);
                let (taken, before) = (input.pos(), out.len());
                let mut room = zstd_safe::OutBuffer::around_pos(&mut out, before);
                decoder.decompress_stream(&mut room, &mut input).unwrap();
                if out.len() == before && input.pos() == taken {
                    return out;
                }
            }
        }
    }
}

fn all_levels(coding: Coding) -> impl Iterator<Item = Levels> {
    (Levels::lowest(coding)..=Levels::highest(coding)).map(|level| Levels {
        gzip: level,
        br: level,
        zstd: level,
    })
}

#[test]
fn every_level_makes_it_smaller_and_loses_nothing() {
    let body = json(100_000);
    for coding in Coding::ALL {
        for levels in all_levels(coding) {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(coding, levels).unwrap();
            assert_eq!(encoder.coding(), coding);
            for piece in body.chunks(16 << 10) {
                encoder.write(piece, &mut out).unwrap();
            }
            encoder.finish(&mut out).unwrap();
            assert!(out.len() < body.len() / 2, "{levels:?}: {}", out.len());
            assert!(decode(coding, &out) == body, "{coding:?} {levels:?}");

            let out = whole(coding, levels, &body).unwrap();
            assert!(out.len() < body.len() / 2, "{levels:?}: {}", out.len());
            assert!(decode(coding, &out) == body, "{coding:?} {levels:?} whole");
        }
    }
}

#[test]
fn what_is_flushed_can_be_decoded() {
    for coding in Coding::ALL {
        for levels in all_levels(coding) {
            let mut encoder = Encoder::new(coding, levels).unwrap();
            let (mut sent, mut out) = (Vec::new(), Vec::new());
            encoder.flush(&mut out).unwrap();
            for n in 0..20_usize {
                let piece = json(n * 37 + 1);
                encoder.write(&piece, &mut out).unwrap();
                encoder.flush(&mut out).unwrap();
                sent.extend_from_slice(&piece);
                assert!(decode(coding, &out) == sent, "{coding:?} {levels:?} {n}");
            }
            encoder.flush(&mut out).unwrap();
            encoder.finish(&mut out).unwrap();
            assert!(decode(coding, &out) == sent, "{coding:?} {levels:?}");
        }
    }
}

#[test]
fn without_a_flush_it_cannot_be_decoded() {
    for coding in Coding::ALL {
        let mut encoder = Encoder::new(coding, Levels::default()).unwrap();
        let mut out = Vec::new();
        encoder.write(b"held back", &mut out).unwrap();
        assert!(decode(coding, &out).is_empty(), "{coding:?}");
    }
}

#[test]
fn an_empty_body_can_be_encoded() {
    for coding in Coding::ALL {
        let mut out = Vec::new();
        let encoder = Encoder::new(coding, Levels::default()).unwrap();
        encoder.finish(&mut out).unwrap();
        assert!(!out.is_empty(), "{coding:?}");
        assert!(decode(coding, &out).is_empty());
        let out = whole(coding, Levels::default(), b"").unwrap();
        assert!(decode(coding, &out).is_empty());
    }
}

#[test]
fn a_wrong_length_loses_nothing() {
    let body = json(70_000);
    for coding in Coding::ALL {
        for length in [0, 1, 1000, 70_000, 100_000, 1 << 40, u64::MAX] {
            let mut out = Vec::new();
            let mut encoder = Encoder::for_length(coding, Levels::default(), length).unwrap();
            encoder.write(&body, &mut out).unwrap();
            encoder.finish(&mut out).unwrap();
            assert!(decode(coding, &out) == body, "{coding:?} {length}");
        }
    }
}

/// The decoder in these tests refuses windows above 8 MiB, as browsers do.
#[test]
fn a_body_larger_than_all_windows() {
    let body = json(20 << 20);
    let levels = Levels {
        gzip: 1,
        br: 2,
        zstd: 1,
    };
    for coding in Coding::ALL {
        let out = whole(coding, levels, &body).unwrap();
        assert!(decode(coding, &out) == body, "{coding:?}");
    }
}

#[test]
fn levels_stay_within_what_the_coding_has() {
    let beyond = Levels {
        gzip: 200,
        br: 200,
        zstd: 200,
    };
    let none = Levels {
        gzip: 0,
        br: 0,
        zstd: 0,
    };
    for (coding, highest, lowest) in [
        (Coding::Gzip, 9, 1),
        (Coding::Brotli, 11, 0),
        (Coding::Zstd, 19, 1),
    ] {
        assert_eq!(beyond.of(coding), highest);
        assert_eq!(none.of(coding), lowest);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<u8>),
    Repeat(u8, usize),
    Flush,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Act::Write),
        (any::<u8>(), 0..200_000_usize).prop_map(|(byte, size)| Act::Repeat(byte, size)),
        Just(Act::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_of_acts(
        acts in proptest::collection::vec(act(), 0..12),
        level in 0..12_u8,
        coding in prop::sample::select(Coding::ALL.to_vec()),
        length in proptest::option::of(0..200_000_u64),
    ) {
        let levels = Levels { gzip: level, br: level.min(9), zstd: level };
        let mut encoder = match length {
            Some(length) => Encoder::for_length(coding, levels, length).unwrap(),
            None => Encoder::new(coding, levels).unwrap(),
        };
        let (mut sent, mut out) = (Vec::new(), Vec::new());
        for act in acts {
            let piece = match act {
                Act::Write(piece) => piece,
                Act::Repeat(byte, size) => vec![byte; size],
                Act::Flush => {
                    encoder.flush(&mut out).unwrap();
                    prop_assert!(decode(coding, &out) == sent);
                    continue;
                }
            };
            encoder.write(&piece, &mut out).unwrap();
            sent.extend_from_slice(&piece);
        }
        encoder.finish(&mut out).unwrap();
        prop_assert!(decode(coding, &out) == sent);
    }
}
