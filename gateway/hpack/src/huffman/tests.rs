use super::*;
use crate::Error;

fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(text, &mut out);
    assert_eq!(out.len(), encoded_len(text));
    out
}

fn decoded(coded: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    decode(coded, &mut out).map(|()| out)
}

/// The bits as bytes; what follows the last one is 0.
fn bytes(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').collect();
    let byte = |bits: &[u8]| {
        let number = bits.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0'));
        number << (8 - bits.len())
    };
    bits.chunks(8).map(byte).collect()
}

/// Some codes of RFC 7541, appendix B: the first and last of several lengths.
#[test]
fn codes_are_those_of_the_table() {
    let table = [
        (b'0', "00000"),
        (b't', "01001"),
        (b' ', "010100"),
        (b'u', "101101"),
        (b':', "1011100"),
        (b'z', "1111011"),
        (b'&', "11111000"),
        (b'Z', "11111101"),
        (b'!', "11111110 00"),
        (b'?', "11111111 00"),
        (b'|', "11111111 100"),
        (b'#', "11111111 1010"),
        (b'~', "11111111 11101"),
        (b'}', "11111111 111101"),
        (b'<', "11111111 1111100"),
        (b'\\', "11111111 11111110 000"),
        (195, "11111111 11111110 001"),
        (0, "11111111 11000"),
        (1, "11111111 11111111 1011000"),
        (249, "11111111 11111111 11111111 1110"),
        (10, "11111111 11111111 11111111 111100"),
        (22, "11111111 11111111 11111111 111110"),
    ];
    for (symbol, code) in table {
        let mut padded = code.replace(' ', "");
        while padded.len() % 8 > 0 {
            padded.push('1');
        }
        assert_eq!(encoded(&[symbol]), bytes(&padded), "{symbol}");
    }
}

#[test]
fn every_text_is_decoded_to_itself() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut texts: Vec<Vec<u8>> = vec![Vec::new(), (0..=255).collect()];
    texts.extend((0..=255).map(|symbol| vec![symbol]));
    for length in 0..300 {
        texts.push((0..length).map(|_| random.u8(..)).collect());
        texts.push((0..length).map(|_| random.u8(b' '..b'~')).collect());
        texts.push((0..length).map(|_| random.alphanumeric() as u8).collect());
    }
    for text in texts {
        assert_eq!(decoded(&encoded(&text)), Ok(text));
    }
}

#[test]
fn padding_and_the_end_are_checked() {
    let eos = "1".repeat(30);
    let table = [
        ("", Ok("")),
        // `0` with 3 bits of padding, which are not all ones.
        ("00000 111", Ok("0")),
        ("00000 110", Err(Error::Padding)),
        ("00000 011", Err(Error::Padding)),
        ("00000 000", Err(Error::Padding)),
        // 8 bits of padding, and 7.
        ("010100 010100 010100 010100", Ok("    ")),
        ("010100 010100 010100 010100 11111111", Err(Error::Padding)),
        ("00000 00000 00000 00000 00000 1111111", Ok("00000")),
        ("11111111", Err(Error::Padding)),
        ("11111111 11111111 11111111", Err(Error::Padding)),
        // The beginning of a long code.
        ("11111111 11111110", Err(Error::Padding)),
        ("00000 11111111 1110", Err(Error::Padding)),
        // EOS, alone, with padding, and with a text before or after it.
        (&*format!("{eos} 11"), Err(Error::EndOfString)),
        (&*format!("00000 {eos} 11111"), Err(Error::EndOfString)),
        (&*format!("{eos} 00000 11111"), Err(Error::EndOfString)),
        (
            &*format!("00000 00000 {eos} 00000 00000 111111"),
            Err(Error::EndOfString),
        ),
        (&*"1".repeat(64), Err(Error::EndOfString)),
    ];
    for (bits, expected) in table {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        assert_eq!(decoded(&bytes(bits)), expected, "{bits}");
    }
}
