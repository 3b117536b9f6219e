use proptest::prelude::*;

use super::{UrlError, UrlWriter};

/// What is appended.
#[derive(Clone, Debug)]
enum Part<'a> {
    Text(&'a str),
    Value(&'a [u8]),
    Host(&'a str),
    Path(&'a str),
    Query(Option<&'a str>),
    EndHost,
    Port(u16),
}
use Part::{EndHost, Host, Path, Port, Query, Text, Value};

fn write(mut writer: UrlWriter, parts: &[Part<'_>]) -> Result<String, UrlError> {
    for part in parts {
        match *part {
            Text(text) => writer.text(text.as_bytes()),
            Value(value) => writer.value(value),
            Host(host) => writer.host(host.as_bytes()),
            Path(path) => writer.path(path.as_bytes()),
            Query(query) => writer.query(query.map(str::as_bytes)),
            EndHost => writer.end_host(),
            Port(port) => writer.port(port),
        }
    }
    Ok(String::from_utf8(writer.finish()?).unwrap())
}

#[test]
fn each_value_is_encoded_for_its_place() {
    let https = || UrlWriter::of_host(b"https:");
    let path = UrlWriter::of_path;
    for (writer, parts, expected) in [
        (
            https(),
            &[Host("a.example"), EndHost, Path("/x"), Query(Some("y=1"))][..],
            "https://a.example/x?y=1",
        ),
        (
            https(),
            &[Host("[::1]"), Port(8443), Path("/")],
            "https://[::1]:8443/",
        ),
        (
            UrlWriter::of_host(b""),
            &[Text("a"), EndHost, Text("/x")],
            "//a/x",
        ),
        (
            https(),
            &[Value(b"shop-1"), Text(".example"), EndHost, Path("/")],
            "https://shop-1.example/",
        ),
        (
            path(),
            &[Text("/u/"), Value(b"a/b?c#d%\\\t"), Text("/x")],
            "/u/a%2Fb%3Fc%23d%25%5C%09/x",
        ),
        (path(), &[Text("/v2"), Path("/x")], "/v2/x"),
        (path(), &[Text("/v2/"), Path("/x")], "/v2/x"),
        (
            path(),
            &[Text("/s?q="), Value(b"a&b=c d"), Text("&x")],
            "/s?q=a%26b%3Dc%20d&x",
        ),
        (path(), &[Text("/s?at="), Path("/x/y")], "/s?at=%2Fx%2Fy"),
        (path(), &[Text("/s?a=1&"), Query(Some("b=2"))], "/s?a=1&b=2"),
        (path(), &[Path("/x"), Query(None)], "/x"),
        (path(), &[Path("/x"), Query(Some(""))], "/x?"),
        (
            path(),
            &[Path("/x"), Query(Some("a=\"<\u{e9}[]"))],
            "/x?a=%22%3C%C3%A9[]",
        ),
        (path(), &[Text("/caf\u{e9} 1")], "/caf%C3%A9%201"),
        (path(), &[Text("/x"), Host("a.example")], "/xa.example"),
    ] {
        assert_eq!(write(writer, parts).as_deref(), Ok(expected), "{parts:?}");
    }
}

#[test]
fn no_value_makes_an_authority_or_climbs() {
    let path = UrlWriter::of_path;
    for (parts, expected) in [
        (&[Text("/"), Path("/evil.example")][..], "/evil.example"),
        (&[Path("/"), Text("/index.html")], "/index.html"),
        (
            &[Text("/"), Value(b""), Text("/evil.example")],
            "/evil.example",
        ),
        (&[Text("/"), Value(b"/evil.example")], "/%2Fevil.example"),
        (&[Text("/"), Value(b"\\evil.example")], "/%5Cevil.example"),
        (
            &[Text("/"), Value(b"\t/evil.example")],
            "/%09%2Fevil.example",
        ),
        (&[Path("/%5Cevil.example")], "/%5Cevil.example"),
        (&[Value(b"x")], "/x"),
    ] {
        assert_eq!(write(path(), parts).as_deref(), Ok(expected), "{parts:?}");
    }
    let https = || UrlWriter::of_host(b"https:");
    for (writer, parts, fault) in [
        (
            path(),
            &[Text("/a/"), Value(b"..")][..],
            UrlError::DotSegment,
        ),
        (
            path(),
            &[Text("/a/."), Value(b"."), Text("/b")],
            UrlError::DotSegment,
        ),
        (
            path(),
            &[Text("/a/"), Value(b"."), Query(Some("x"))],
            UrlError::DotSegment,
        ),
        (https(), &[Host(""), EndHost, Path("/x")], UrlError::NoHost),
        (
            https(),
            &[Value(b""), Text(".a"), EndHost],
            UrlError::NoHost,
        ),
        (
            https(),
            &[Value(b"evil.example/"), Text(".a")],
            UrlError::BadHost,
        ),
        (https(), &[Value(b"evil@"), Text(".a")], UrlError::BadHost),
        (https(), &[Value(b"a:80"), Text(".a")], UrlError::BadHost),
        (https(), &[Value(b"%2f"), Text(".a")], UrlError::BadHost),
        (https(), &[Value(b"."), Text(".a")], UrlError::BadHost),
        (https(), &[Value(b"a."), Text(".a")], UrlError::BadHost),
        (https(), &[Text("www."), Host("[::1]")], UrlError::BadHost),
        (https(), &[Host("a b"), EndHost], UrlError::BadHost),
        (https(), &[Host("a:80"), EndHost], UrlError::BadHost),
    ] {
        assert_eq!(write(writer, parts), Err(fault), "{parts:?}");
    }
}

/// Everything behind the scheme that a browser takes for the authority: it reads `\` as `/`,
/// and drops tabs and line ends (WHATWG URL, section 4.4).
fn authority(url: &str) -> Option<String> {
    let url: String = url.chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    let url = url.replace('\\', "/");
    let rest = url.split_once(':').map_or(&*url, |(scheme, rest)| {
        match scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => rest,
            false => &*url,
        }
    });
    let rest = rest.strip_prefix("//")?;
    Some(rest.split(['/', '?', '#']).next().unwrap().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_a_client_sends_the_authority_is_that_of_the_text(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 4),
        hostile in prop::collection::vec("[/\\\\.@:?#%a\t]{0,4}", 4),
        raw in "[/\\\\.;%a-c]{0,8}",
    ) {
        let mut normal = Vec::new();
        if crate::path::normalise(format!("/{raw}").as_bytes(), &mut normal).is_err() {
            normal = b"/".to_vec();
        }
        let normal = String::from_utf8(normal).unwrap();
        for values in [values, hostile.iter().map(|it| it.as_bytes().to_vec()).collect()] {
            let [a, b, c, d] = values.as_slice() else { unreachable!() };
            for shape in [
                &[Text("/"), Path(&normal), Value(a)][..],
                &[Path(&normal), Text("/"), Value(a), Text("/"), Value(b)],
                &[Text("/"), Value(a), Value(b), Text("//"), Value(c), Path(&normal)],
                &[Text("/x?"), Value(a), Text("="), Value(d)],
            ] {
                if let Ok(url) = write(UrlWriter::of_path(), shape) {
                    prop_assert_eq!(authority(&url), None, "{} {:?}", url, shape);
                    prop_assert!(url.starts_with('/') && url.is_ascii());
                }
                let begin = [Value(d), Text(".shop.example"), EndHost];
                let parts = [&begin, shape].concat();
                if let Ok(url) = write(UrlWriter::of_host(b"https:"), &parts) {
                    let host = authority(&url).unwrap();
                    prop_assert!(host.ends_with(".shop.example"), "{} {:?}", url, parts);
                    prop_assert!(!host.contains(['@', '%', ':']), "{} {:?}", url, parts);
                }
            }
        }
    }
}
