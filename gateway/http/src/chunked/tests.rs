use super::*;

/// All data, and what is left over, feeding `step` bytes at a time.
fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, Decoder), BadChunk> {
    let mut decoder = Decoder::default();
    let (mut data, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let window = &input[at..input.len().min(at + step)];
        match decoder.next(window)? {
            Piece::Syntax(n) => at += n,
            Piece::Data(n) => {
                data.extend_from_slice(&window[..n]);
                at += n;
            }
            Piece::End(n) => return Ok((data, at + n, decoder)),
        }
    }
    Err(BadChunk("unfinished"))
}

#[test]
fn reads_at_any_cut() {
    let input =
        b"5;x=\"y\"\r\nhello\r\n00A\r\n, world...\r\n0\r\nX-T: 1\r\nContent-Length: 9\r\n\r\nNEXT";
    for step in 1..input.len() {
        let (data, end, decoder) = decode(input, step).unwrap();
        assert_eq!(data, b"hello, world...");
        assert_eq!(&input[end..], b"NEXT");
        let mut trailers = Fields::default();
        decoder.trailers(&mut trailers).unwrap();
        assert_eq!(trailers.iter().count(), 1);
        assert_eq!(trailers.get(b"x-t"), Some(&b"1"[..]));
    }
}

#[test]
fn refusals() {
    for input in [
        &b"\r\n"[..],
        b"g\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"1\nx\r\n0\r\n\r\n",
        b"1\r\nxx\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\r\r\nx\r\n",
        b";\r\n",
        b"1;\0\r\n",
        b"11111111111111111\r\n",
        b"5;\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5 GARBAGE\r\nhello\r\n",
        b"5;bad[=x\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b"5;a=b \r\nhello\r\n",
        b"5;a b\r\nhello\r\n",
        b"5;a;;b\r\nhello\r\n",
        b"5;=b\r\nhello\r\n",
        b"5;a=;b\r\nhello\r\n",
        b"5;a=\"b\x07\"\r\nhello\r\n",
        b"5;a=\"b\r\nhello\r\n",
        b"5;a=\"b\"c\r\nhello\r\n",
        b"5;a=\x80\r\nhello\r\n",
        b"5;a\x1b\r\nhello\r\n",
        b"0\r\n\n",
        b"0\r\n\r\r",
        b"0\r\nX: y\n",
        b"0\r\nX: y\rZ",
        b"0\r\nX: \0",
    ] {
        assert!(
            matches!(decode(input, 1), Err(BadChunk(why)) if why != "unfinished"),
            "{input:?}"
        );
    }
    let long = [b"1;".to_vec(), vec![b'x'; 5000]].concat();
    assert!(decode(&long, 4096).is_err());
    let trailers = [b"0\r\n".to_vec(), b"X: y\r\n".repeat(4000)].concat();
    assert!(decode(&trailers, 4096).is_err());
}

#[test]
fn extensions_to_the_letter_are_dropped() {
    for line in [
        "5;a",
        "5;a=b",
        "5 ; a = b",
        "5\t;\ta;b=\"c;d\"",
        "5;a=\"\\\"\u{e4}\"",
        "5;a=\"\" ;b",
        "05",
    ] {
        let body = format!("{line}\r\nhello\r\n0;last\r\n\r\n");
        let (data, _, _) =
            decode(body.as_bytes(), 1).unwrap_or_else(|bad| panic!("{line}: {bad:?}"));
        assert_eq!(data, b"hello", "{line}");
    }
}

#[test]
fn what_a_body_could_do_without_is_limited_for_all_of_it() {
    let extension = format!("1;{}\r\nx\r\n", "a".repeat(4000)).repeat(4);
    assert_eq!(
        decode(extension.as_bytes(), 4096).err(),
        Some(BadChunk("unfinished"))
    );
    for surplus in [
        ";a".repeat(400),
        " ".repeat(400) + ";a",
        ";a=\"".to_owned() + &"b".repeat(400) + "\"",
    ] {
        let body = format!("1{surplus}\r\nx\r\n").repeat(100);
        let refused = decode(body.as_bytes(), 4096).err();
        assert_eq!(
            refused,
            Some(BadChunk("too many bytes of chunk framing")),
            "{surplus}"
        );
    }
    let zeros = format!("{:016x}\r\nx\r\n", 1).repeat(2000);
    assert!(matches!(decode(zeros.as_bytes(), 4096), Err(BadChunk(why)) if why != "unfinished"));
    let plain = "1\r\nx\r\n".repeat(100_000) + "0\r\n\r\n";
    assert_eq!(decode(plain.as_bytes(), 4096).unwrap().0.len(), 100_000);
}

#[test]
fn a_front_is_checked_as_far_as_it_goes() {
    for front in ["", "5", "5\r\nhel", "5\r\nhello\r\n0\r\n\r\nNEXT"] {
        assert_eq!(check(front.as_bytes()), Ok(()), "{front}");
    }
    for front in ["x", "5\r\nhello0", "5\r\nhello\r\n0\r\n: x\r\n\r\n"] {
        assert!(check(front.as_bytes()).is_err(), "{front}");
    }
}

#[test]
fn announced_is_what_is_passed_on() {
    let passes = |name: &[u8]| !name.eq_ignore_ascii_case(b"x-request-id");
    for (trailer, expected) in [
        ("Expires, X-Sum", Some("Expires, X-Sum")),
        ("Content-Length, X-Sum,Authorization", Some("X-Sum")),
        ("X-Request-Id", None),
        ("", None),
    ] {
        let kept = announced(trailer.as_bytes(), passes);
        assert_eq!(kept.as_deref(), expected.map(str::as_bytes), "{trailer}");
    }
}

#[test]
fn writes_what_it_reads() {
    for size in [1, 15, 16, 255, 256, 65_536] {
        let mut out = Vec::new();
        write_size(&mut out, size);
        out.extend(std::iter::repeat_n(b'x', size));
        out.extend_from_slice(b"\r\n");
        write_end(&mut out, &Fields::default());
        let (data, end, _) = decode(&out, 1000).unwrap();
        assert_eq!((data.len(), end), (size, out.len()));
    }
}
