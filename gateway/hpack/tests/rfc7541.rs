//! The examples of RFC 7541, appendix C.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::ops::ControlFlow;

use janua_hpack::{Decoder, Encoder, Indexing};

type Fields = &'static [(&'static str, &'static str)];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Decodes the blocks, which are of one connection, and compares the size of the table after each.
fn check_decoder(table_size: usize, blocks: &[(&str, Fields, usize)]) {
    let mut decoder = Decoder::new(table_size);
    for (hex, expected, size) in blocks {
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| str::from_utf8(bytes).unwrap().to_owned();
        let result = decoder.decode(&bytes(hex), &mut Vec::new(), |field| {
            fields.push((text(field.name), text(field.value)));
            ControlFlow::Continue(())
        });
        assert_eq!(result, Ok(()));
        let fields: Vec<_> = fields.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(fields, *expected);
        assert_eq!(decoder.table_size(), *size);
    }
}

/// The encoder chooses the representations of the examples with Huffman codes.
fn check_encoder(table_size: usize, blocks: &[(&str, Fields, usize)]) {
    let mut encoder = Encoder::new();
    encoder.set_max_table_size(table_size);
    encoder.begin(&mut Vec::new());
    for (hex, fields, size) in blocks {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        for (name, value) in *fields {
            match *name {
                ":status" => encoder.status(value.parse().unwrap(), &mut block),
                _ => encoder.field(name.as_bytes(), value.as_bytes(), Indexing::Add, &mut block),
            }
        }
        assert_eq!(block, bytes(hex));
        assert_eq!(encoder.table_size(), *size);
    }
}

/// C.2: one field each.
#[test]
fn fields() {
    let blocks: [(&str, Fields, usize); 4] = [
        (
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            &[("custom-key", "custom-header")],
            55,
        ),
        (
            "040c 2f73 616d 706c 652f 7061 7468",
            &[(":path", "/sample/path")],
            0,
        ),
        (
            "1008 7061 7373 776f 7264 0673 6563 7265 74",
            &[("password", "secret")],
            0,
        ),
        ("82", &[(":method", "GET")], 0),
    ];
    for block in blocks {
        check_decoder(4096, &[block]);
    }
}

const REQUESTS: [Fields; 3] = [
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
        ("cache-control", "no-cache"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ],
];
const REQUEST_SIZES: [usize; 3] = [57, 110, 164];

/// C.3.
#[test]
fn requests() {
    let blocks = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    check_decoder(4096, &rows(blocks, REQUESTS, REQUEST_SIZES));
}

/// C.4.
#[test]
fn requests_with_huffman_codes() {
    let blocks = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    let rows = rows(blocks, REQUESTS, REQUEST_SIZES);
    check_decoder(4096, &rows);
    check_encoder(4096, &rows);
}

/// The dynamic table has 256 bytes, so that entries are evicted.
const RESPONSES: [Fields; 3] = [
    &[
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ],
    &[
        (":status", "307"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ],
    &[
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        (
            "set-cookie",
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ],
];
const RESPONSE_SIZES: [usize; 3] = [222, 222, 215];

/// C.5.
#[test]
fn responses() {
    let blocks = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032
         303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63
         6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0
         5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851
         5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    check_decoder(256, &rows(blocks, RESPONSES, RESPONSE_SIZES));
}

/// C.6.
#[test]
fn responses_with_huffman_codes() {
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b
         ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad
         94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160
         65c0 03ed 4ee5 b106 3d50 07",
    ];
    check_decoder(256, &rows(blocks, RESPONSES, RESPONSE_SIZES));
    // The code of `307` is not shorter than itself, so that it is written as in C.5.
    let [first, _, third] = blocks;
    let blocks = [first, "4803 3330 37c1 c0bf", third];
    check_encoder(256, &rows(blocks, RESPONSES, RESPONSE_SIZES));
}

fn rows(
    blocks: [&'static str; 3],
    fields: [Fields; 3],
    sizes: [usize; 3],
) -> Vec<(&'static str, Fields, usize)> {
    let rows = blocks.into_iter().zip(fields).zip(sizes);
    rows.map(|((block, fields), size)| (block, fields, size))
        .collect()
}
