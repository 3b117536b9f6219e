//! An encoder and a decoder over thousands of blocks, while the size of the table changes.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::ops::ControlFlow;

use fastrand::Rng;
use janua_hpack::{Decoder, Encoder, Indexing};

const BLOCKS: usize = 20_000;

fn fields(random: &mut Rng) -> Vec<(String, String)> {
    let field = |random: &mut Rng| {
        let name = match random.u8(..4) {
            0 => format!("X-Name-{}", random.u8(..40)),
            1 => "Content-Type".to_owned(),
            2 => "cookie".to_owned(),
            _ => "date".to_owned(),
        };
        let value = match random.u8(..=50) {
            0 => "v".repeat(random.usize(..6000)),
            number => format!("value-{}", number * random.u8(..4)),
        };
        (name, value)
    };
    let count = random.usize(..12);
    std::iter::repeat_with(|| field(random))
        .take(count)
        .collect()
}

#[test]
fn tables_remain_in_step() {
    let mut random = Rng::with_seed(3);
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4096);
    let mut scratch = Vec::new();
    let (mut limit, mut evicted) = (4096, 0);
    for _ in 0..BLOCKS {
        // The SETTINGS are acknowledged before the next block is sent.
        for _ in 0..random.u8(..50).saturating_sub(46) {
            limit = random.usize(..=4096);
            decoder.set_max_table_size(limit);
            encoder.set_max_table_size(limit);
        }
        let sent = fields(&mut random);
        let mut block = Vec::new();
        encoder.begin(&mut block);
        let status = random.u16(100..600);
        encoder.status(status, &mut block);
        let before = encoder.table_size();
        for (name, value) in &sent {
            let indexing = Indexing::of(name.as_bytes(), value.as_bytes());
            encoder.field(name.as_bytes(), value.as_bytes(), indexing, &mut block);
        }
        evicted += usize::from(encoder.table_size() < before);
        let mut received = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let result = decoder.decode(&block, &mut scratch, |field| {
            received.push((text(field.name), text(field.value)));
            ControlFlow::Continue(())
        });
        assert_eq!(result, Ok(()));
        let mut expected = vec![(":status".to_owned(), status.to_string())];
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        expected.extend(sent.into_iter().map(lower));
        assert_eq!(received, expected);
        assert_eq!(encoder.table_size(), decoder.table_size());
        assert!(decoder.table_size() <= limit);
        assert!(decoder.capacity() <= 4 * 4096, "{}", decoder.capacity());
        assert!(
            encoder.capacity() <= 4 * 4096 + 1024,
            "{}",
            encoder.capacity()
        );
    }
    assert!(evicted > BLOCKS / 100, "nothing was evicted");
}
