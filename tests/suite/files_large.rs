//! Files: large ones, slow clients, and changes of a file while it is being
//! sent.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::Duration;

use janua_tests::{
    Framing, Gateway, ReadError, Request, Settings, Wire, assert_eventually, filler,
    filler_difference, is_over_http2,
};

use crate::files::Disk;

/// More than the socket buffers of both sides hold.
const LARGE: usize = 20 * 1024 * 1024 + 7;

fn disk() -> Disk {
    let disk = Disk::with(&[("small.txt", "small")]);
    disk.write("large.bin", filler(0, LARGE));
    disk
}

/// A client that has read only the head of the large file.
async fn begun(gateway: &Gateway) -> Wire {
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/large.bin").to_bytes()).await;
    let head = wire.receive_head("GET").await.unwrap();
    assert_eq!((head.status, head.framing), (200, Framing::Length(LARGE)));
    wire
}

#[tokio::test]
async fn a_large_file_comes_whole() {
    // HTTP/1.0.
    if is_over_http2() {
        return;
    }
    let disk = disk();
    let gateway = disk.serve("files = \"{root}\"").await;
    let mut wire = gateway.connect().await;
    // Both requests at once: the second response must begin where the first
    // ends.
    let two = [
        Request::get("/large.bin").to_bytes(),
        Request::get("/small.txt").to_bytes(),
    ];
    wire.send(two.concat()).await;
    let large = wire.receive("GET").await;
    assert_eq!((large.status, large.body.len()), (200, LARGE));
    assert_eq!(filler_difference(0, &large.body), None);
    assert_eq!(wire.receive("GET").await.text(), "small");
    let middle = 9_000_001;
    let range = format!("bytes={middle}-");
    let part = wire
        .exchange(&Request::get("/large.bin").header("Range", &range))
        .await;
    assert_eq!((part.status, part.body.len()), (206, LARGE - middle));
    assert_eq!(filler_difference(middle, &part.body), None);
    let old = gateway.send(Request::get("/large.bin").http10()).await;
    assert_eq!(old.body.len(), LARGE);
    let line = gateway.log_line("/large.bin").await;
    assert_eq!(
        (&line["bytes_out"], &line["answered_by"]),
        (&LARGE.into(), &"files".into())
    );
}

/// With a single worker.
#[tokio::test]
async fn slow_clients_do_not_delay_others() {
    let disk = disk();
    let gateway = disk
        .serve_with(Settings::new().workers(1), "", "files = \"{root}\"")
        .await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(begun(&gateway).await);
    }
    for _ in 0..100 {
        assert_eq!(gateway.get("/small.txt").await.text(), "small");
    }
    assert_eq!(gateway.get("/large.bin").await.body.len(), LARGE);
    for mut wire in slow {
        let (body, _) = wire.take_body(Framing::Length(LARGE)).await.unwrap();
        assert_eq!(filler_difference(0, &body), None);
        // The connection can be used again.
        assert_eq!(
            wire.exchange(&Request::get("/small.txt")).await.text(),
            "small"
        );
    }
}

/// The announced length cannot be sent: the client must notice that.
#[tokio::test]
async fn a_file_that_is_cut_short_breaks_the_connection() {
    let disk = disk();
    let gateway = disk
        .serve_with(Settings::new().workers(1), "", "files = \"{root}\"")
        .await;
    let mut wire = begun(&gateway).await;
    let file = File::options()
        .write(true)
        .open(disk.below("large.bin"))
        .unwrap();
    file.set_len(1000).unwrap();
    let broken = wire.take_body(Framing::Length(LARGE)).await;
    assert!(
        matches!(broken, Err(ReadError::Incomplete(_))),
        "it did not end early"
    );
    let line = gateway.log_line("/large.bin").await;
    assert_eq!(line["status"], 200);
    assert!(line["failure"].is_string(), "{line}");
    // Other requests are not affected, and the new length is used soon; until
    // the next lookup, the old length is still announced.
    assert_eq!(gateway.get("/small.txt").await.text(), "small");
    let length = async || {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/large.bin").to_bytes()).await;
        let response = wire.try_receive("GET").await;
        response.map_or(0, |response| response.body.len())
    };
    assert_eventually!(length().await == 1000);
}

/// A download in progress continues with the same content, whatever happens to
/// the name.
#[tokio::test]
async fn a_download_outlives_its_name() {
    let disk = disk();
    let gateway = disk.serve("files = \"{root}\"").await;
    let mut replaced = begun(&gateway).await;
    let mut removed = begun(&gateway).await;
    fs::write(disk.path("next.bin"), "another").unwrap();
    fs::rename(disk.path("next.bin"), disk.below("large.bin")).unwrap();
    assert_eventually!(gateway.get("/large.bin").await.body == b"another");
    fs::remove_file(disk.below("large.bin")).unwrap();
    assert_eventually!(gateway.get("/large.bin").await.status == 404);
    for wire in [&mut replaced, &mut removed] {
        let (body, _) = wire.take_body(Framing::Length(LARGE)).await.unwrap();
        assert_eq!(filler_difference(0, &body), None);
    }
}

/// Content that is added meanwhile is not sent.
#[tokio::test]
async fn a_file_that_grows_is_sent_as_long_as_it_was() {
    let disk = disk();
    let gateway = disk.serve("files = \"{root}\"").await;
    let mut wire = begun(&gateway).await;
    let mut file = File::options()
        .append(true)
        .open(disk.below("large.bin"))
        .unwrap();
    file.write_all(b"some more").unwrap();
    let (body, _) = wire.take_body(Framing::Length(LARGE)).await.unwrap();
    assert_eq!(filler_difference(0, &body), None);
    let after = wire.exchange(&Request::get("/small.txt")).await;
    assert_eq!(after.text(), "small");
    assert_eventually!(gateway.get("/large.bin").await.body.len() == LARGE + 9);
}

#[tokio::test]
async fn a_download_outlives_a_reload() {
    let disk = disk();
    let mut gateway = disk.serve("files = \"{root}\"").await;
    let mut wire = begun(&gateway).await;
    gateway
        .reload(disk.config("", "respond = { status = 204 }"))
        .await;
    assert_eq!(gateway.get("/large.bin").await.status, 204);
    let (body, _) = wire.take_body(Framing::Length(LARGE)).await.unwrap();
    assert_eq!(filler_difference(0, &body), None);
    // The connection is reused, with the new configuration.
    assert_eq!(wire.exchange(&Request::get("/large.bin")).await.status, 204);
}

#[tokio::test]
async fn disconnected_clients_leak_nothing() {
    let disk = disk();
    let gateway = disk.serve("files = \"{root}\"").await;
    // The descriptor held open for the file counts too.
    gateway.get("/large.bin").await;
    gateway.settled().await;
    let open = || {
        fs::read_dir(format!("/proc/{}/fd", gateway.pid()))
            .unwrap()
            .count()
    };
    let before = open();
    for _ in 0..30 {
        begun(&gateway).await.reset();
    }
    gateway.settled().await;
    assert_eventually!(open() <= before, "{} of {before} are open", open());
}

/// A client that stops reading is disconnected eventually, and its file is
/// closed.
#[tokio::test]
async fn a_client_that_stops_reading_is_given_up() {
    let disk = disk();
    let gateway = disk
        .serve("idle_timeout = \"1s\"\nfiles = \"{root}\"")
        .await;
    let mut wire = begun(&gateway).await;
    gateway.settled().await;
    let broken = wire.take_body(Framing::Length(LARGE)).await;
    assert!(matches!(broken, Err(ReadError::Incomplete(_))));
    let line = gateway.log_line("/large.bin").await;
    assert!(line["failure"].is_string(), "{line}");
    // A client that reads slowly is not.
    let mut wire = begun(&gateway).await;
    let mut at = 0;
    while at < 10 * 1024 * 1024 {
        let piece = wire.take(256 * 1024).await.unwrap();
        assert_eq!(filler_difference(at, &piece), None);
        at += piece.len();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Files held open for speed take no descriptors that are needed elsewhere.
#[tokio::test]
async fn open_files_leave_room_for_connections() {
    let disk = Disk::new();
    for number in 0..150 {
        disk.write(&number.to_string(), vec![0; 70 * 1024]);
    }
    let settings = Settings::new().open_files(128);
    let gateway = disk.serve_with(settings, "", "files = \"{root}\"").await;
    let mut first = gateway.connect().await;
    for number in 0..100 {
        let response = first.exchange(&Request::get(&format!("/{number}"))).await;
        assert_eq!(response.status, 200, "{number}");
    }
    // Without limits, files would use more descriptors than are left for these.
    let mut others = Vec::new();
    for _ in 0..50 {
        let mut wire = gateway.connect().await;
        assert_eq!(wire.exchange(&Request::get("/0")).await.status, 200);
        others.push(wire);
    }
    // Now only their own descriptors are left. Not all of these are accepted.
    for _ in 0..40 {
        others.push(Wire::connect(gateway.address()).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    for number in 100..150 {
        let response = first.exchange(&Request::get(&format!("/{number}"))).await;
        assert_eq!(response.status, 200, "{number}");
    }
}
