use tokio::time::Instant;

use super::*;
use crate::testing::{Kit, run, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";

/// A gateway that answers everything itself: `respond` has these fields.
fn kit(respond: &str) -> Kit {
    Kit::of(&format!(
        "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
         [[sites]]\nhosts = [\"*\"]\n\
         [[sites.routes]]\nmax_body = \"1MiB\"\nrespond = {{ {respond} }}\n"
    ))
}

fn small() -> Kit {
    kit("status = 404, body = \"no\"")
}

/// All that a client gets for a request, without `Date`.
async fn answered(kit: &Kit, request: &str) -> String {
    let (mut client, _served) = kit.client();
    client.send(request).await;
    let all = client.so_far().await;
    let lines = all.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("Date: ")).collect()
}

#[tokio::test(start_paused = true)]
async fn each_client_learns_where_the_body_ends() {
    let cases = [
        ("GET / HTTP/1.1", "Content-Length: 2\r\n\r\nno"),
        ("HEAD / HTTP/1.1", "Content-Length: 2\r\n\r\n"),
        (
            "GET / HTTP/1.0",
            "Content-Length: 2\r\nConnection: close\r\n\r\nno",
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive",
            "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nno",
        ),
    ];
    run(async {
        let kit = small();
        for (request, expected) in cases {
            let request = format!("{request}\r\nHost: site.example\r\n\r\n");
            let all = answered(&kit, &request).await;
            assert_eq!(
                all,
                format!("HTTP/1.1 404 Not Found\r\n{expected}"),
                "{request}"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_status_that_rules_a_body_out_has_no_length_either() {
    run(async {
        let all = answered(&kit("status = 204"), GET).await;
        assert_eq!(all, "HTTP/1.1 204 No Content\r\n\r\n");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_nobody_read_is_dropped_and_the_connection_goes_on() {
    run(async {
        let kit = small();
        let (mut client, served) = kit.client();
        client
            .send("POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\nGE")
            .await;
        // The answer does not wait for it.
        assert!(client.head().await.starts_with("HTTP/1.1 404 "));
        client.expect("no").await;
        client.send("T ").await;
        client.send(GET).await;
        assert!(client.head().await.starts_with("HTTP/1.1 404 "));
        client.expect("no").await;
        assert!(!served.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_come_closes_the_connection() {
    run(async {
        let kit = small();
        let (mut client, served) = kit.client();
        client
            .send("POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n")
            .await;
        let begin = Instant::now();
        client.head().await;
        client.expect("no").await;
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert_eq!(begin.elapsed(), DRAIN_PATIENCE);
    })
    .await;
}

/// A large body, one of unknown length, and one that waits for a `100` that no
/// longer comes: nobody knows what to read of it.
#[tokio::test(start_paused = true)]
async fn other_bodies_that_nobody_read_close_it_at_once() {
    let cases = [
        "Content-Length: 65537\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    ];
    run(async {
        for fields in cases {
            let kit = small();
            let (mut client, served) = kit.client();
            client
                .send(format!("POST / HTTP/1.1\r\nHost: site.example\r\n{fields}"))
                .await;
            let begin = Instant::now();
            let head = client.head().await;
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            client.expect("no").await;
            assert_eq!(served.await.unwrap(), Fate::Close, "{fields}");
            assert_eq!(begin.elapsed(), Duration::ZERO);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_body_is_bounded_by_what_was_announced() {
    run(async {
        let kit = small();
        let (mut client, served) = kit.client();
        client
            .send("POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 65536\r\n\r\n")
            .await;
        client.send(vec![b'x'; 65_536]).await;
        client.head().await;
        client.expect("no").await;
        settle().await;
        client.send(GET).await;
        client.head().await;
        assert!(!served.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_given_up() {
    run(async {
        let large = "x".repeat(10_000);
        let kit = kit(&format!("status = 200, body = \"{large}\""));
        let (session, mut client) = kit.session_with(256);
        let served = kit.serve(session);
        let begin = Instant::now();
        client.send(GET).await;
        client.head().await;
        assert_eq!(served.await.unwrap(), Fate::Abort);
        assert_eq!(begin.elapsed(), PATIENCE);
        client.until_reset().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_reads_slowly_gets_all_of_it() {
    run(async {
        let large = "x".repeat(10_000);
        // More slowly than the minimum rate, which is tested elsewhere.
        let kit = Kit::of(&format!(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\nmin_rate = false\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nrespond = {{ status = 200, body = \"{large}\" }}\n"
        ));
        let (session, mut client) = kit.session_with(2500);
        let served = kit.serve(session);
        client.send(GET).await;
        client.head().await;
        for _ in 0..4 {
            // Not more slowly than the minimum rate of 250 bytes a second.
            tokio::time::sleep(Duration::from_secs(9)).await;
            client.expect(&large[..2500]).await;
        }
        assert_eq!(served.await.unwrap(), Fate::Close);
    })
    .await;
}
