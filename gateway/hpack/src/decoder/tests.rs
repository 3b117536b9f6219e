use super::*;

type Fields = Vec<(String, String, bool)>;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Error> {
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(block, &mut Vec::new(), |field| {
        fields.push((text(field.name), text(field.value), field.never_indexed));
        ControlFlow::Continue(())
    })?;
    Ok(fields)
}

/// A decoder with `a: b` at index 62.
fn decoder() -> Decoder {
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, b"\x40\x01a\x01b").unwrap();
    decoder
}

#[test]
fn representations() {
    let table: [(&[u8], &str, &str, bool); 9] = [
        (b"\x82", ":method", "GET", false),
        (b"\xbe", "a", "b", false),
        (b"\x40\x01C\x00", "C", "", false),
        (b"\x00\x00\x01d", "", "d", false),
        (b"\x10\x81\x1f\x01d", "a", "d", true),
        (b"\x04\x02/a", ":path", "/a", false),
        (b"\x14\x02/a", ":path", "/a", true),
        (b"\x0f\x2f\x01c", "a", "c", false),
        (b"\x7e\x01c", "a", "c", false),
    ];
    for (block, name, value, never_indexed) in table {
        let expected = (name.to_owned(), value.to_owned(), never_indexed);
        assert_eq!(
            decode(&mut decoder(), block),
            Ok(vec![expected]),
            "{block:x?}"
        );
        for cut in 1..block.len() {
            let part = decode(&mut decoder(), &block[..cut]);
            assert_eq!(part, Err(Error::Truncated), "{block:x?} to {cut}");
        }
    }
    assert_eq!(decode(&mut decoder(), b""), Ok(Vec::new()));
}

#[test]
fn malformed_blocks() {
    let table: [(&[u8], Error); 21] = [
        (b"\x80", Error::NoSuchEntry),
        (b"\xbf", Error::NoSuchEntry),
        (b"\xff\x00", Error::NoSuchEntry),
        (b"\xff\xff\xff\xff\x7f", Error::NoSuchEntry),
        (b"\x7f\x00\x01a", Error::NoSuchEntry),
        (b"\x0f\x30\x01a", Error::NoSuchEntry),
        (b"\x1f\x30\x01a", Error::NoSuchEntry),
        (b"\xff\x80\x80\x80\x80\x00", Error::IntegerTooLarge),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            Error::IntegerTooLarge,
        ),
        (b"\x00\x7f\xff\xff\xff\xff\xff\x01", Error::IntegerTooLarge),
        (b"\x00\x7f\xff\xff\xff\x7f", Error::Truncated),
        (b"\x00\x01a\x02b", Error::Truncated),
        (b"\x00\x81\x18\x00", Error::Padding),
        (b"\x00\x01a\x82\x1f\xff", Error::Padding),
        (b"\x00\x84\xff\xff\xff\xff\x00", Error::EndOfString),
        (b"\x3f\xe2\x1f", Error::SizeUpdateTooLarge),
        (b"\x3f\x80\x80\x80\x80\x01", Error::IntegerTooLarge),
        (b"\x20\x20\x20", Error::TooManySizeUpdates),
        (b"\x82\x20", Error::SizeUpdateMisplaced),
        (b"\x20\x82\x20", Error::SizeUpdateMisplaced),
        // The entry is no longer there after the update.
        (b"\x20\xbe", Error::NoSuchEntry),
    ];
    for (block, error) in table {
        assert_eq!(decode(&mut decoder(), block), Err(error), "{block:x?}");
    }
}

#[test]
fn size_updates() {
    let mut decoder = decoder();
    assert_eq!(decoder.table_size(), 34);
    assert_eq!(
        decode(&mut decoder, b"\x3f\x03\x3f\xe1\x1f\xbe")
            .unwrap()
            .len(),
        1
    );
    assert_eq!(decode(&mut decoder, b"\x3f\x02"), Ok(Vec::new()));
    assert_eq!(decoder.table_size(), 0);
    // Too large for the table, and no error.
    assert_eq!(decode(&mut decoder, b"\x40\x01a\x01b").unwrap().len(), 1);
    assert_eq!(decoder.table_size(), 0);
}

/// RFC 9113 §4.3.1.
#[test]
fn an_acknowledged_reduction_must_be_followed() {
    type Row = (&'static [usize], &'static [u8], Result<(), Error>);
    let table: [Row; 11] = [
        (&[100], b"\x82", Err(Error::SizeUpdateMissing)),
        (&[100], b"", Err(Error::SizeUpdateMissing)),
        (&[100], b"\x3f\x46\x82", Err(Error::SizeUpdateTooLarge)),
        (&[100], b"\x3f\x45\x82", Ok(())),
        (&[100], b"\x20\x82", Ok(())),
        (&[100], b"\x20\x3f\x45\x82", Ok(())),
        // The smallest one counts, even if it was raised again.
        (
            &[0, 4096],
            b"\x3f\xe1\x1f\x82",
            Err(Error::SizeUpdateMissing),
        ),
        (&[0, 4096], b"\x20\x3f\xe1\x1f\x82", Ok(())),
        (
            &[100, 0, 100],
            b"\x3f\x45\x82",
            Err(Error::SizeUpdateMissing),
        ),
        (&[4096], b"\x82", Ok(())),
        (&[9000], b"\x82", Ok(())),
    ];
    for (limits, block, expected) in table {
        let mut decoder = decoder();
        for &limit in limits {
            decoder.set_max_table_size(limit);
        }
        let result = decode(&mut decoder, block).map(|_| ());
        assert_eq!(result, expected, "{limits:?} {block:x?}");
        if result.is_ok() {
            assert_eq!(
                decode(&mut decoder, b"\x82").map(|fields| fields.len()),
                Ok(1)
            );
        }
    }
}

/// A table may be larger than the default, but begins with that.
#[test]
fn a_larger_table_is_used_after_an_update() {
    let mut decoder = Decoder::new(65536);
    let field = [b"\x40\x01a\x7f\xa1\x1e".to_vec(), vec![b'b'; 4000]].concat();
    let decode_twice = |decoder: &mut Decoder| {
        decode(decoder, &field).unwrap();
        decode(decoder, &field).unwrap();
        decoder.table_size()
    };
    assert_eq!(decode_twice(&mut decoder), 4033);
    decode(&mut decoder, b"\x3f\xe1\xff\x03").unwrap();
    assert_eq!(decode_twice(&mut decoder), 3 * 4033);
}

#[test]
fn what_the_sink_says() {
    let block = b"\x82\x40\x01c\x01d\x84";
    let mut decoder = decoder();
    let mut count = 0;
    let stopped = decoder.decode(block, &mut Vec::new(), |_| {
        count += 1;
        match count {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!((stopped, count), (Err(Error::Stopped), 2));
}
