//! As much of HPACK (RFC 7541) as a client of single frames needs: field lines are encoded as
//! literals, without either table and without Huffman's code; of what is received, only the
//! status is decoded.

/// A block with these fields in this order, which need not be valid.
pub(super) fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal without indexing, with a new name (section 6.2.2).
        block.push(0);
        string(&mut block, name.as_bytes());
        string(&mut block, value.as_bytes());
    }
    block
}

/// The status with which the block of a response begins. None if it begins with another field,
/// or refers to the dynamic table, which servers do after they have sent a status there.
pub(super) fn status(block: &[u8]) -> Option<u16> {
    let mut bytes = block.iter().copied();
    let mut first = bytes.next()?;
    // Changes of the size of the table come first (section 6.3).
    while first & 0xe0 == 0x20 {
        if first & 0x1f == 0x1f {
            bytes.by_ref().find(|byte| byte & 0x80 == 0)?;
        }
        first = bytes.next()?;
    }
    match first {
        0x88..=0x8e => {
            let indexed = [200, 204, 206, 304, 400, 404, 500];
            indexed.get(usize::from(first - 0x88)).copied()
        }
        // Literals with the name `:status`, index 8, with all kinds of indexing.
        0x48 | 0x08 | 0x18 => {
            let length = bytes.next()?;
            let text: Vec<u8> = bytes.take(usize::from(length & 0x7f)).collect();
            match length & 0x80 {
                0 => std::str::from_utf8(&text).ok()?.parse().ok(),
                _ => Some(digits(&text)),
            }
        }
        _ => None,
    }
}

fn string(block: &mut Vec<u8>, text: &[u8]) {
    // An integer with a prefix of 7 bits (section 5.1).
    let mut length = text.len();
    if length < 0x7f {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(0x7f);
        length -= 0x7f;
        while length >= 0x80 {
            block.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text);
}

/// Three digits in Huffman's code (appendix B): 0, 1 and 2 have 5 bits, the others 6.
fn digits(text: &[u8]) -> u16 {
    let mut bits = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let mut take = |code, count| {
            bits.by_ref()
                .take(count)
                .fold(code, |code, bit| code << 1 | bit)
        };
        let digit = match take(0, 5) {
            code @ 0..=2 => code,
            code => take(code, 1) - 0x19 + 3,
        };
        number = number * 10 + digit;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_literals() {
        assert_eq!(encode(&[(":a", "b")]), b"\x00\x02:a\x01b");
        let long = "x".repeat(300);
        let block = encode(&[("a", &long)]);
        assert_eq!(&block[..6], b"\x00\x01a\x7f\xad\x01");
        assert_eq!(block.len(), 306);
    }

    #[test]
    fn statuses() {
        let table: [(&[u8], Option<u16>); 7] = [
            (b"\x88", Some(200)),
            (b"\x20\x8d", Some(404)),
            (b"\x20\x3f\xe1\x07\x88", Some(200)),
            (b"\x08\x03431", Some(431)),
            // RFC 7541, appendix C.6.1 and C.6.2.
            (b"\x48\x82\x64\x02\x58\x85", Some(302)),
            (b"\x48\x83\x64\x0e\xff", Some(307)),
            (b"\x00\x01a\x01b", None),
        ];
        for (block, expected) in table {
            assert_eq!(status(block), expected, "{block:x?}");
        }
    }
}
