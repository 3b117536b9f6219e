//! Input in parts is the input as a whole.

use janua_h2::{Connection, Limits, PREFACE, Settings};

use crate::kit::*;

/// What a connection makes of the input: what it writes, its requests, and their bodies.
fn outcome(input: &[u8], mut size: impl FnMut() -> usize) -> (Vec<u8>, String) {
    let mut connection = Connection::new(Settings::default(), Limits::default(), 0);
    let mut requests = Requests::default();
    let mut rest = input;
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (part, after) = rest.split_at(size().clamp(1, rest.len()));
        result = connection.receive(part, 0, &mut requests);
        rest = after;
    }
    let written = connection.output().to_vec();
    let mut client = Client {
        connection,
        requests,
        now: 0,
    };
    let mut text = format!("{result:?}");
    for (key, head, received) in std::mem::take(&mut client.requests.all) {
        let body = client.read(key);
        let end = client.read(key);
        let trailers = client
            .connection
            .take_trailers(key)
            .map(|fields| fields.len());
        let fields: Vec<_> = head.fields.iter().map(|field| field.2.len()).collect();
        text += &format!("\n{key:?} {received:?} {fields:?} {body:?} {end:?} {trailers:?}");
    }
    (written, text)
}

fn inputs() -> Vec<Vec<Vec<u8>>> {
    let block = section(
        &[
            &GET[..],
            &[("priority", "u=1"), ("cookie", "a"), ("cookie", "b")],
        ]
        .concat(),
    );
    let begin = settings(&[(4, 1_000), (3, 7)]);
    let ack = frame(4, ACK, 0, &[]);
    vec![
        vec![begin.clone(), ack.clone(), get(1), get(3), ping()],
        vec![
            begin.clone(),
            post_with(1, &[("content-length", "300")]),
            data(1, 0, &[b'x'; 200]),
            data(1, PADDED, &[&[9][..], &[b'y'; 50], &[0; 9]].concat()),
            ack,
            window_update(0, 5),
            data(1, END_STREAM, &[b'z'; 50]),
        ],
        vec![
            begin.clone(),
            frame(1, END_STREAM, 1, &block[..7]),
            frame(9, 0, 1, &block[7..20]),
            frame(9, END_HEADERS, 1, &block[20..]),
            post(3),
            data(3, 0, b"body"),
            headers(3, WHOLE, &[("x", "1")]),
            frame(0x77, 3, 1, &[1; 30]),
            reset(1),
        ],
        vec![
            begin.clone(),
            post_with(1, &[("content-length", "3")]),
            data(1, 0, b"four"),
            get(3),
        ],
        vec![
            begin.clone(),
            post(1),
            data(1, PADDED, &[200, 1, 2]),
            get(3),
        ],
        vec![
            begin.clone(),
            headers(1, WHOLE, &[("X", "1")]),
            get(1),
            data(9, 0, b"x"),
        ],
        vec![
            begin,
            get(1),
            window_update(1, 0),
            data(1, 0, b"late"),
            frame(7, 0, 0, &[0; 12]),
        ],
    ]
}

#[test]
fn any_parts_are_the_whole() {
    let mut random = fastrand::Rng::with_seed(1);
    for frames in inputs() {
        let input = [&PREFACE[..], &frames.concat()].concat();
        let whole = outcome(&input, || usize::MAX);
        assert_eq!(outcome(&input, || 1), whole, "byte by byte");
        for most in [2, 5, 9, 10, 30, 100] {
            for _ in 0..20 {
                assert_eq!(outcome(&input, || random.usize(1..=most)), whole);
            }
        }
        // A damaged input, too.
        for _ in 0..200 {
            let mut input = input.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(24..input.len());
                input[at] = random.u8(..);
            }
            let whole = outcome(&input, || usize::MAX);
            assert_eq!(outcome(&input, || 1), whole, "{input:?}");
        }
    }
}
