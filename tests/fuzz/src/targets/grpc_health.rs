//! What endpoints answer to the gRPC health protocol: [`serving_status`], and the text of
//! `grpc-message`: [`decoded`].

use janua_health::grpc_message::{decoded, request, serving_status};

pub(crate) const WORDS: &[&str] = &[
    "\0\0\0\0\u{2}\u{8}\u{1}",
    "\0\0\0\0\u{2}\u{8}\u{2}",
    "\u{8}\u{1}",
    "\u{8}\u{2}",
    "\u{12}\u{2}ok",
    "\u{15}\0\0\0\0",
    "\u{19}\0\0\0\0\0\0\0\0",
    "\u{b}",
    "\u{c}",
    "%41",
    "%zz",
    "%+1",
    "%C3%A9",
];

/// The field `status = 1`, a number.
const STATUS: u64 = 1 << 3;

pub(crate) fn run(input: &[u8]) {
    assert_eq!(serving_status(input), framed(input), "reference");
    let whole = [input, b"\0"].concat();
    assert!(
        serving_status(input).is_none() || serving_status(&whole).is_none(),
        "a byte behind the message"
    );
    // The same bytes as a message, and as two messages: the later one has the last word.
    let status = of_message(input);
    let (first, second) = input.split_at(input.len() / 2);
    if let (Some(_), Some(said)) = (of_message(first), of_message(second)) {
        let has_status = said != 0 || fields(second).is_some_and(|it| it.contains(&(STATUS, 0)));
        let expected = if has_status {
            Some(said)
        } else {
            of_message(first)
        };
        assert_eq!(status, expected, "merged");
    }
    let serving = of_message(&[input, &[8, 1]].concat());
    assert!(status.is_none() || serving == Some(1), "the last one");

    check_text(input);
    if let Ok(service) = std::str::from_utf8(input) {
        check_request(service);
    }
}

fn of_message(message: &[u8]) -> Option<u64> {
    serving_status(&prefixed(message))
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// The status of a body, found in the simplest way: all fields, and of them the last status.
fn framed(body: &[u8]) -> Option<u64> {
    let [0, a, b, c, d, message @ ..] = body else {
        return None;
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    let fields = fields(message).filter(|_| length == message.len())?;
    let last = fields.iter().rfind(|(key, _)| *key == STATUS);
    Some(last.map_or(0, |(_, value)| *value))
}

/// The fields of a message: their keys, and their values if they are numbers.
fn fields(message: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let key = number(message, &mut at)?;
        let mut value = 0;
        match key & 7 {
            0 => value = number(message, &mut at)?,
            1 => at += 8,
            2 => {
                let length = number(message, &mut at)?;
                at = at.checked_add(usize::try_from(length).ok()?)?;
            }
            5 => at += 4,
            _ => return None,
        }
        if at > message.len() || key < 8 {
            return None;
        }
        fields.push((key, value));
    }
    Some(fields)
}

/// A number in groups of seven bits, the lowest first; ten of them at most.
fn number(message: &[u8], at: &mut usize) -> Option<u64> {
    let rest = message.get(*at..)?;
    let length = 1 + rest.iter().position(|byte| byte & 0x80 == 0)?;
    *at += length;
    let groups = rest.get(..length).filter(|groups| groups.len() <= 10)?;
    let number = groups.iter().rev().fold(0_u128, |number, group| {
        (number << 7) | u128::from(group & 0x7f)
    });
    u64::try_from(number & u128::from(u64::MAX)).ok()
}

/// A text that is encoded as a whole is the same again; and what is no escape stays.
fn check_text(input: &[u8]) {
    let encoded: String = input.iter().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(decoded(encoded.as_bytes()), String::from_utf8_lossy(input));
    let digits = |pair: &[u8]| pair.iter().all(u8::is_ascii_hexdigit);
    let has_escape = |it: &[u8]| it[0] == b'%' && digits(&it[1..]);
    if !input.windows(3).any(has_escape) {
        assert_eq!(decoded(input), String::from_utf8_lossy(input));
    }
}

/// The server reads the service that was asked about.
fn check_request(service: &str) {
    let request = request(service);
    let message = &request[5..];
    assert_eq!(request, prefixed(message), "the prefix");
    let fields = fields(message).expect("a message");
    assert_eq!(fields.len(), usize::from(!service.is_empty()));
    assert!(message.ends_with(service.as_bytes()));
    assert!(fields.iter().all(|(key, _)| *key == 0x0a));
}
