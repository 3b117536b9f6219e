use super::*;

fn read(fields: &[(&str, &str)]) -> Result<Vec<(String, String)>, SectionError> {
    let mut trailers = Fields::default();
    trailers.append(b"left", b"over");
    let mut section = TrailerSection::new(&mut trailers);
    for (name, value) in fields {
        section.field(name.as_bytes(), value.as_bytes());
    }
    section.finish()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = trailers.iter();
    Ok(lines
        .map(|(_, name, value)| (text(name), text(value)))
        .collect())
}

#[test]
fn forbidden_trailers_are_dropped() {
    let fields = [
        ("grpc-status", "0"),
        ("content-length", "5"),
        ("authorization", "x"),
        ("host", "a"),
        ("x_y", "1"),
    ];
    let kept = vec![("grpc-status".to_owned(), "0".to_owned())];
    assert_eq!(read(&fields), Ok(kept));
    assert_eq!(read(&[]), Ok(Vec::new()));
}

#[test]
fn malformed_trailers_are_refused() {
    for (name, value, words) in [
        (":status", "200", "bad field name"),
        ("Upper", "1", "bad field name"),
        ("", "1", "bad field name"),
        ("a", "x\r", "bad field value"),
        ("a", "x ", "bad field value"),
        ("connection", "x", "connection-specific field"),
        ("te", "trailers", "connection-specific field"),
        ("transfer-encoding", "chunked", "connection-specific field"),
    ] {
        let error = Err(SectionError::Malformed(words));
        assert_eq!(read(&[(name, value)]), error, "{name}: {value}");
    }
}

#[test]
fn trailers_are_limited() {
    let long = "x".repeat(MAX_TRAILERS - 32);
    let error = Err(SectionError::Head(HeadError::TooLarge));
    assert_eq!(read(&[("a", &long)]), error);
    let error = Err(SectionError::Head(HeadError::TooManyFields));
    assert_eq!(read(&[("a", ""); MAX_TRAILER_LINES + 1]), error);
    assert!(read(&[("a", ""); MAX_TRAILER_LINES]).is_ok());
}
