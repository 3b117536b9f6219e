use janua_http::Framing;
use tokio::time::{Instant, sleep, sleep_until};

use super::*;
use crate::testing::{Peer, connection, eventually, run, settle};
use crate::upload::UploadState;

const PATIENCE: Duration = Duration::from_secs(60);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A request without a body that was sent, of a client that still waits.
struct Sent {
    incoming: Incoming,
    outgoing: crate::outgoing::Outgoing,
    state: UploadState,
    deadline: Deadline,
    begin: Instant,
    _upstream: Peer,
}

impl Sent {
    fn new() -> (Self, Peer) {
        let (incoming, _, client) = connection(1024);
        let (_, outgoing, _upstream) = connection(1024);
        let sent = Self {
            incoming,
            outgoing,
            state: UploadState::Sending,
            deadline: Deadline::new(PATIENCE),
            begin: Instant::now(),
            _upstream,
        };
        (sent, client)
    }

    async fn race<T>(
        &mut self,
        pace: &Pace,
        progress: &Progress,
        main: impl Future<Output = T>,
    ) -> (Raced<T>, Duration) {
        let mut upload = Upload::new(
            Some(&mut self.incoming),
            &mut self.outgoing,
            &mut self.state,
        );
        let racing = race(&mut self.deadline, pace, &mut upload, progress, main);
        let raced = eventually(racing).await;
        (raced, self.begin.elapsed())
    }
}

/// Bytes that move at these seconds, and then nothing for ever.
async fn moving(progress: &Progress, at: &[u64]) {
    let begin = Instant::now();
    for (total, at) in (1..).zip(at) {
        sleep_until(begin + seconds(*at)).await;
        progress.set(total);
    }
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_body_move_the_deadline() {
    let (mut sent, _client) = Sent::new();
    let progress = Progress::default();
    let main = moving(&progress, &[50, 100]);
    let (raced, took) = sent.race(&Pace::of_body(PATIENCE), &progress, main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, seconds(100) + PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_without_a_byte_does_not_move_it() {
    let (mut sent, _client) = Sent::new();
    let main = async {
        for _ in 0..600 {
            sleep(seconds(1)).await;
        }
    };
    let pace = Pace::of_body(PATIENCE);
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn once_all_is_sent_the_whole_head_has_one_patience() {
    let (mut sent, _client) = Sent::new();
    let progress = Progress::default();
    let main = moving(&progress, &[20, 40, 50]);
    let (raced, took) = sent
        .race(&Pace::until_head(PATIENCE), &progress, main)
        .await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn the_patience_for_the_head_begins_when_all_is_sent() {
    let (mut sent, mut client) = Sent::new();
    sent.incoming.begin(Framing::Length(3));
    let sending = async {
        for _ in 0..3 {
            sleep(seconds(50)).await;
            client.send("x").await;
        }
        std::future::pending::<()>().await;
    };
    let pace = Pace::until_head(PATIENCE);
    let (raced, took) = sent.race(&pace, &Progress::default(), sending).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, seconds(150) + PATIENCE);
    assert!(pace.is_uploaded.get());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stands_still_has_the_same_patience() {
    let (mut sent, mut client) = Sent::new();
    sent.incoming.begin(Framing::Length(3));
    client.send("x").await;
    let pace = Pace::until_head(PATIENCE);
    let main = std::future::pending::<()>();
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, PATIENCE);
    assert!(!pace.is_uploaded.get());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closed_its_side_is_given_ten_seconds() {
    let (mut sent, mut client) = Sent::new();
    let main = async {
        sleep(seconds(30)).await;
        client.close();
        std::future::pending::<()>().await;
    };
    let pace = Pace::of_body(PATIENCE);
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::HalfClosed));
    assert_eq!(took, seconds(30) + HALF_CLOSED_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn and_ten_more_after_each_byte() {
    let (mut sent, mut client) = Sent::new();
    client.close();
    let progress = Progress::default();
    let main = moving(&progress, &[8, 16]);
    let (raced, took) = sent.race(&Pace::of_body(PATIENCE), &progress, main).await;
    assert!(matches!(raced, Raced::HalfClosed));
    assert_eq!(took, seconds(16) + HALF_CLOSED_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_patience_stays_shorter() {
    let (mut sent, mut client) = Sent::new();
    client.close();
    let pace = Pace::of_body(seconds(3));
    sent.deadline.set(seconds(3));
    let main = std::future::pending::<()>();
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, seconds(3));
}

#[tokio::test(start_paused = true)]
async fn closing_its_side_gains_a_client_no_time() {
    let (mut sent, mut client) = Sent::new();
    let main = async {
        sleep(seconds(55)).await;
        client.close();
        std::future::pending::<()>().await;
    };
    let pace = Pace::until_head(PATIENCE);
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: false }));
    assert_eq!(took, PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_cap_ends_it_whatever_moves() {
    let (mut sent, _client) = Sent::new();
    sent.deadline.set_cap(Some(sent.begin + seconds(70)));
    let progress = Progress::default();
    let main = moving(&progress, &[20, 40, 60]);
    let (raced, took) = sent.race(&Pace::of_body(PATIENCE), &progress, main).await;
    assert!(matches!(raced, Raced::Elapsed { capped: true }));
    assert_eq!(took, seconds(70));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resets_ends_it_at_once() {
    let (mut sent, client) = Sent::new();
    let main = async {
        sleep(seconds(5)).await;
        client.reset();
        std::future::pending::<()>().await;
    };
    let pace = Pace::of_body(PATIENCE);
    let (raced, took) = sent.race(&pace, &Progress::default(), main).await;
    let Raced::UploadFailed(failure) = raced else {
        panic!("not ended by the client");
    };
    assert_eq!((failure.kind, took), (Kind::ClientGone, seconds(5)));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_wins_over_a_deadline_of_the_same_moment() {
    let (mut sent, _client) = Sent::new();
    let main = async {
        sleep(PATIENCE).await;
        7
    };
    let pace = Pace::of_body(PATIENCE);
    let (raced, _) = sent.race(&pace, &Progress::default(), main).await;
    assert!(matches!(raced, Raced::Finished(7)));
}

/// What `watched` says of a client while another task is waited for, and when.
async fn watch(
    cap: Option<u64>,
    client_does: impl AsyncFnOnce(Peer),
    comes_after: u64,
) -> (Result<u32, Kind>, u64) {
    let begin = Instant::now();
    let (mut incoming, _, client) = connection(1024);
    let mut deadline = Deadline::new(PATIENCE);
    deadline.set_cap(cap.map(|cap| begin + seconds(cap)));
    let waiting = async {
        sleep(seconds(comes_after)).await;
        7
    };
    let watched = async {
        let watched = watched(&mut incoming, &mut deadline, waiting).await;
        (
            watched.map_err(|failure| failure.kind),
            begin.elapsed().as_secs(),
        )
    };
    tokio::join!(watched, client_does(client)).0
}

#[tokio::test(start_paused = true)]
async fn another_task_is_waited_for_as_long_as_its_own_deadlines_say() {
    let stays = async |client| {
        sleep(seconds(500)).await;
        drop(client);
    };
    assert_eq!(watch(None, stays, 400).await, (Ok(7), 400));
    let (failed, at) = watch(Some(30), stays, 400).await;
    assert_eq!((failed, at), (Err(Kind::WholeTimeout), 30));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_does_not_wait_for_it() {
    let closes = async |mut client: Peer| {
        sleep(seconds(5)).await;
        client.close();
        sleep(seconds(500)).await;
    };
    assert_eq!(watch(None, closes, 14).await, (Ok(7), 14));
    assert_eq!(watch(None, closes, 16).await, (Err(Kind::ClientGone), 15));
    let resets = async |client: Peer| {
        sleep(seconds(5)).await;
        client.reset();
    };
    assert_eq!(watch(None, resets, 400).await, (Err(Kind::ClientGone), 5));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_ends_by_a_reset_and_not_by_a_closed_side() {
    run(async {
        for (resets, expected) in [(false, Ok(7)), (true, Err(Kind::ClientGone))] {
            let (mut incoming, _, mut client) = connection(1024);
            let (done, wait) = tokio::sync::oneshot::channel();
            let leaving = async {
                match resets {
                    true => client.reset(),
                    false => client.close(),
                }
                settle().await;
                let _ = done.send(7);
            };
            let main = async { Ok(wait.await.unwrap()) };
            let delivered = unless_reset(Some(&mut incoming), main);
            let (delivered, ()) = tokio::join!(delivered, leaving);
            assert_eq!(delivered.map_err(|failure| failure.kind), expected);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_paced_lasts_as_long_as_bytes_move() {
    let begin = Instant::now();
    let mut deadline = Deadline::new(PATIENCE);
    let progress = Progress::default();
    let main = moving(&progress, &[50, 100]);
    let ended = paced(&mut deadline, PATIENCE, &progress, main).await;
    assert_eq!(ended, Err(Elapsed));
    assert_eq!(begin.elapsed(), seconds(100) + PATIENCE);
}
