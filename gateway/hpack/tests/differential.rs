//! Random field blocks, exchanged with the independent implementation of the crate httlib-hpack
//! in both directions, over connections of many blocks whose tables change their size.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::ops::ControlFlow;

use fastrand::Rng;
use httlib_hpack as other;
use janua_hpack::{Decoder, Encoder, Indexing};

const CONNECTIONS: u64 = 40;
const BLOCKS: usize = 100;

type Field = (Vec<u8>, Vec<u8>, Indexing);

/// Names and values that repeat, so that tables are of use, and some that do not.
fn field(random: &mut Rng) -> Field {
    const NAMES: [&str; 12] = [
        ":method",
        ":path",
        ":status",
        "accept-encoding",
        "cookie",
        "date",
        "via",
        "www-authenticate",
        "x-a",
        "x-b",
        "x-request-id",
        "x-a-name-that-is-longer-than-others",
    ];
    const VALUES: [&str; 10] = [
        "",
        "GET",
        "/",
        "/index.html",
        "200",
        "gzip, deflate",
        "a",
        "b",
        "no-cache",
        "Mon, 21 Oct 2013 20:13:21 GMT",
    ];
    let bytes = |random: &mut Rng, longest| -> Vec<u8> {
        let length = random.usize(..longest);
        std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect()
    };
    let name = match random.u8(..8) {
        0 => bytes(random, 20).to_ascii_lowercase(),
        _ => random.choice(NAMES).unwrap().as_bytes().to_vec(),
    };
    let value = match random.u8(..100) {
        0 => bytes(random, 5000),
        1..20 => bytes(random, 200),
        _ => random.choice(VALUES).unwrap().as_bytes().to_vec(),
    };
    let indexing = [
        Indexing::Add,
        Indexing::Add,
        Indexing::Without,
        Indexing::Never,
    ];
    (name, value, random.choice(indexing).unwrap())
}

fn fields(random: &mut Rng) -> Vec<Field> {
    let count = random.usize(..20);
    std::iter::repeat_with(|| field(random))
        .take(count)
        .collect()
}

#[test]
fn the_other_decodes_what_we_encode() {
    for seed in 0..CONNECTIONS {
        let mut random = Rng::with_seed(seed);
        let mut encoder = Encoder::new();
        let mut decoder = other::Decoder::default();
        for _ in 0..BLOCKS {
            if random.u8(..10) == 0 {
                for _ in 0..random.u8(1..4) {
                    let size = random.u32(..8192);
                    encoder.set_max_table_size(size as usize);
                    // The encoder's own limit is lower than this.
                    decoder.set_max_dynamic_size(8192);
                }
            }
            let sent = fields(&mut random);
            let mut block = Vec::new();
            encoder.begin(&mut block);
            for (name, value, indexing) in &sent {
                let name = match random.bool() {
                    true => name.to_ascii_uppercase(),
                    false => name.clone(),
                };
                encoder.field(&name, value, *indexing, &mut block);
            }
            let mut received = Vec::new();
            decoder.decode(&mut block, &mut received).unwrap();
            assert_eq!(received.len(), sent.len());
            for ((name, value, indexing), (read_name, read_value, flags)) in
                sent.iter().zip(received)
            {
                assert_eq!((name, value), (&read_name, &read_value));
                let never = flags & other::Decoder::NEVER_INDEXED != 0;
                assert_eq!(never, *indexing == Indexing::Never);
            }
        }
    }
}

#[test]
fn we_decode_what_the_other_encodes() {
    use other::Encoder as Other;
    for seed in 0..CONNECTIONS {
        let mut random = Rng::with_seed(seed);
        let mut encoder = Other::with_dynamic_size(4096);
        let mut decoder = Decoder::new(4096);
        let mut scratch = Vec::new();
        for _ in 0..BLOCKS {
            let mut block = Vec::new();
            if random.u8(..10) == 0 {
                for _ in 0..random.u8(1..=2) {
                    let size = random.u32(..=4096);
                    encoder.update_max_dynamic_size(size, &mut block).unwrap();
                }
            }
            let sent = fields(&mut random);
            for (name, value, indexing) in &sent {
                // Every representation and coding that there is.
                let codings = [0, Other::HUFFMAN_NAME, Other::HUFFMAN_VALUE];
                let found = match indexing {
                    Indexing::Never => 0,
                    _ => random.choice([0, Other::BEST_FORMAT]).unwrap(),
                };
                let flags = found
                    | random.choice(codings).unwrap()
                    | random.choice(codings).unwrap()
                    | match indexing {
                        Indexing::Add => Other::WITH_INDEXING,
                        Indexing::Without => 0,
                        Indexing::Never => Other::NEVER_INDEXED,
                    };
                let field = (name.clone(), value.clone(), flags);
                encoder.encode(field, &mut block).unwrap();
            }
            let mut received = Vec::new();
            let result = decoder.decode(&block, &mut scratch, |field| {
                received.push((
                    field.name.to_vec(),
                    field.value.to_vec(),
                    field.never_indexed,
                ));
                ControlFlow::Continue(())
            });
            assert_eq!(result, Ok(()));
            let never = |indexing: &Indexing| *indexing == Indexing::Never;
            let expected: Vec<_> = sent
                .iter()
                .map(|(name, value, indexing)| (name.clone(), value.clone(), never(indexing)))
                .collect();
            assert_eq!(received, expected);
            assert!(decoder.table_size() <= 4096);
        }
    }
}

/// Both have the same static table.
#[test]
fn static_tables_agree() {
    for index in 1..=62 {
        let block = [0x80 | index];
        let mut expected = Vec::new();
        let theirs = other::Decoder::default().decode(&mut block.to_vec(), &mut expected);
        let mut fields = Vec::new();
        let ours = Decoder::new(4096).decode(&block, &mut Vec::new(), |field| {
            fields.push((field.name.to_vec(), field.value.to_vec(), 0));
            ControlFlow::Continue(())
        });
        assert_eq!(ours.is_ok(), theirs.is_ok());
        assert_eq!(ours.is_ok(), index <= 61);
        assert_eq!(fields, expected);
    }
}
