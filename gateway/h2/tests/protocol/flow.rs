//! Flow control in both directions, and the order in which streams send.

use std::sync::Arc;
use std::task::{Poll, Waker};

use janua_h2::{Limits, Settings, StreamKey};

use crate::kit::*;

#[test]
fn windows_are_returned_as_bodies_are_read() {
    let settings = Settings {
        stream_window: 40_000,
        connection_window: 100_000,
        ..Settings::default()
    };
    let mut client = Client::with(settings, Limits::default());
    client.send(&post(1)).unwrap();
    let key = client.key(1);
    client
        .send_all(&[data(1, 0, &[0; 15_000]), data(1, 0, &[0; 15_000])])
        .unwrap();
    assert_eq!(client.take(), [""; 0], "nothing was read");
    assert_eq!(
        client.read(key).map_ok(|data| data.len()),
        Poll::Ready(Ok(30_000))
    );
    assert_eq!(client.take(), ["WINDOW_UPDATE 1 30000"]);
    client
        .send_all(&[data(1, 0, &[0; 16_000]), data(1, PADDED, &[255; 10_000])])
        .unwrap();
    assert_eq!(client.take(), ["WINDOW_UPDATE 0 30256"; 0]);
    client.read(key).is_ready().then_some(()).unwrap();
    assert_eq!(
        client.take(),
        ["WINDOW_UPDATE 0 56000", "WINDOW_UPDATE 1 26000"]
    );
    // What is dropped unread is returned on the connection.
    client
        .send_all(&[data(1, 0, &[0; 16_000]), data(1, 0, &[0; 16_000])])
        .unwrap();
    client.connection.release(key);
    client
        .send_all(&[data(1, 0, &[0; 16_000]), data(1, 0, &[0; 16_000])])
        .unwrap();
    let frames = client.take();
    assert_eq!(
        frames,
        ["RST_STREAM 1 INTERNAL_ERROR", "WINDOW_UPDATE 0 64000"]
    );
}

#[test]
fn a_whole_stream_needs_no_window() {
    let settings = Settings {
        stream_window: 65_535,
        ..Settings::default()
    };
    let mut client = Client::with(settings, Limits::default());
    client.send(&post(1)).unwrap();
    let mut body: Vec<_> = (0..3).map(|_| data(1, 0, &[0; 16_384])).collect();
    body.push(data(1, END_STREAM, &[0; 16_383]));
    client.send_all(&body).unwrap();
    let key = client.key(1);
    assert_eq!(
        client.read(key).map_ok(|data| data.len()),
        Poll::Ready(Ok(65_535))
    );
    assert_eq!(client.take(), [""; 0]);
}

#[test]
fn until_the_settings_are_acknowledged_the_initial_window_counts() {
    let small = Settings {
        stream_window: 100,
        ..Settings::default()
    };
    let mut client = Client::unsettled(small, Limits::default());
    client.send(janua_h2::PREFACE).unwrap();
    client.send(&settings(&[])).unwrap();
    client
        .send_all(&[post(1), data(1, 0, &[0; 16_000])])
        .unwrap();
    client.send(&frame(4, ACK, 0, &[])).unwrap();
    client.take();
    client.send_all(&[post(3), data(3, 0, &[0; 101])]).unwrap();
    assert_eq!(client.take(), ["RST_STREAM 3 FLOW_CONTROL_ERROR"]);
}

#[test]
fn data_waits_for_windows() {
    let mut client = Client::new();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let key = client.open(1);
    client.send(&settings(&[(4, 100)])).unwrap();
    assert_eq!(client.respond(key, 250), Poll::Ready(Ok(100)));
    assert_eq!(client.respond_as(key, 150, &waker), Poll::Pending);
    client.send(&window_update(1, 70)).unwrap();
    assert_eq!(woken.count(), 1);
    assert_eq!(client.respond(key, 150), Poll::Ready(Ok(70)));
    assert_eq!(client.respond_as(key, 80, &waker), Poll::Pending);
    // A smaller initial size makes the window negative.
    client.send(&settings(&[(4, 30)])).unwrap();
    client.send(&window_update(1, 70)).unwrap();
    assert_eq!(
        (woken.count(), client.respond_as(key, 80, &waker)),
        (1, Poll::Pending)
    );
    client.send(&settings(&[(4, 120)])).unwrap();
    assert_eq!(
        (woken.count(), client.respond(key, 80)),
        (2, Poll::Ready(Ok(80)))
    );
}

#[test]
fn data_waits_for_the_window_of_the_connection() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 1 << 20)])).unwrap();
    let (one, other) = (client.open(1), client.open(3));
    let mut sent = 0;
    while let Poll::Ready(count) = client.respond(one, 100_000 - sent) {
        sent += count.unwrap();
        client.bytes();
    }
    assert_eq!(sent, 65_535);
    assert_eq!(client.respond(other, 10), Poll::Pending);
    client.send(&window_update(0, 5)).unwrap();
    assert_eq!(client.respond(other, 10), Poll::Pending, "it was not first");
    assert_eq!(client.respond(one, 5), Poll::Ready(Ok(5)));
    client.send(&window_update(0, 10)).unwrap();
    assert_eq!(client.respond(other, 10), Poll::Ready(Ok(10)));
}

/// Which stream each data frame is of, while all of them always have data.
fn order(client: &mut Client, keys: &[StreamKey], frames: usize) -> Vec<u32> {
    let mut order = Vec::new();
    client.send(&settings(&[(4, (1 << 31) - 1)])).unwrap();
    client.send(&window_update(0, 1 << 30)).unwrap();
    client.take();
    let wakers: Vec<_> = keys.iter().map(|_| Arc::new(Woken::default())).collect();
    let mut seen = vec![None; keys.len()];
    while order.len() < frames {
        for (at, &key) in keys.iter().enumerate() {
            let waker = Waker::from(Arc::clone(&wakers[at]));
            // A task runs when it was woken, and until it is pending.
            if seen[at] == Some(wakers[at].count()) {
                continue;
            }
            while client.respond_as(key, 100_000, &waker).is_ready() {}
            seen[at] = Some(wakers[at].count());
        }
        // The transport takes a part at a time.
        let whole = client.connection.output().to_vec();
        let mut count = 0;
        while count < whole.len().min(20_000) {
            let length = usize::from(whole[count + 1]) << 8 | usize::from(whole[count + 2]);
            let stream = u32::from_be_bytes(whole[count + 5..count + 9].try_into().unwrap());
            if whole[count] == 0 && whole[count + 3] == 0 {
                order.push(stream);
            }
            count += 9 + length;
        }
        client.connection.advance(count);
    }
    order
}

#[test]
fn streams_take_turns() {
    let mut client = Client::new();
    let keys = [1, 3, 5, 7].map(|stream| client.open(stream));
    let order = order(&mut client, &keys, 404);
    // The first has filled the output before the others had asked.
    for stream in [1, 3, 5, 7] {
        let count = order[4..].iter().filter(|&&other| other == stream).count();
        assert!((95..=105).contains(&count), "{stream}: {count}");
    }
    for four in order[8..200].chunks(4) {
        let mut four = four.to_vec();
        four.sort_unstable();
        assert_eq!(four, [1, 3, 5, 7]);
    }
}

#[test]
fn urgent_streams_are_first() {
    let mut client = Client::new();
    let keys = [(1, "u=5"), (3, "u=1"), (5, "u=1, i")].map(|(stream, priority)| {
        client
            .send(&post_with(stream, &[("priority", priority)]))
            .unwrap();
        client.begin(stream)
    });
    let found = order(&mut client, &keys, 60);
    assert!(!found[10..].contains(&1), "{found:?}");
    // A priority may change.
    client.send(&frame(16, 0, 0, b"\0\0\0\x01u=0")).unwrap();
    let found = order(&mut client, &keys, 60);
    assert!(found[20..].iter().all(|&stream| stream == 1), "{found:?}");
}

#[test]
fn a_turn_that_is_not_used_is_taken_away() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 1 << 20)])).unwrap();
    client.send(&window_update(0, 1 << 20)).unwrap();
    let keys = [1, 3, 5, 7, 9, 11].map(|stream| client.open(stream));
    while client.respond(keys[0], 100_000).is_ready() {}
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for &key in &keys[1..5] {
        assert_eq!(client.respond(key, 100_000), Poll::Pending);
    }
    assert_eq!(client.respond_as(keys[5], 100_000, &waker), Poll::Pending);
    client.bytes();
    assert_eq!(
        woken.count(),
        0,
        "four others, and the first, are before it"
    );
    assert_eq!(client.connection.deadline(10), Some(1_010));
    client.connection.on_timer(1_010).unwrap();
    assert_eq!(woken.count(), 1);
    assert!(client.respond(keys[5], 100_000).is_ready());
}

#[test]
fn a_stream_that_is_released_leaves_the_queue() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 1 << 20)])).unwrap();
    client.send(&window_update(0, 1 << 20)).unwrap();
    let keys = [1, 3, 5].map(|stream| client.open(stream));
    for &key in &keys {
        while client.respond(key, 100_000).is_ready() {}
    }
    client.bytes();
    client.connection.release(keys[0]);
    client.connection.release(keys[1]);
    assert!(client.respond(keys[2], 10).is_ready());
    assert!(client.respond(keys[2], 10).is_ready());
}
