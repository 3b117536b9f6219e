//! The crate h2 as the client, and our connection as the server, over a stream in memory: what
//! the one sends is what the other receives, in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use janua_h2::{Accept, Code, Connection, Limits, Settings, StreamError, StreamKey};
use janua_http::{Fields, HeadError, Known, RequestHead};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::{JoinSet, LocalSet, spawn_local};

type Shared = Rc<RefCell<Connection>>;

/// Takes requests, and starts a task for each.
#[derive(Default)]
struct Server {
    head: RequestHead,
    accepted: Vec<(StreamKey, RequestHead)>,
}

impl Accept for Server {
    fn head(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    fn request(&mut self, key: StreamKey, received: Result<(), HeadError>) {
        received.unwrap();
        self.accepted.push((key, std::mem::take(&mut self.head)));
    }
}

/// The connection's task: what the gateway does with a socket.
async fn serve(mut stream: DuplexStream, connection: Shared, chunk: usize) {
    let mut server = Server::default();
    let started = tokio::time::Instant::now();
    let mut scratch = vec![0; chunk];
    let mut timer = Box::pin(tokio::time::sleep(Duration::from_secs(3600)));
    poll_fn(|context| {
        loop {
            let now = started.elapsed().as_millis() as u64;
            let mut connection_mut = connection.borrow_mut();
            let mut progress = false;
            while connection_mut.has_output() {
                let written = Pin::new(&mut stream).poll_write(context, connection_mut.output());
                match written {
                    Poll::Ready(Ok(count)) => connection_mut.advance(count),
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            if connection_mut.is_finished() {
                return Poll::Ready(());
            }
            if connection_mut.wants_input() {
                let mut buffer = ReadBuf::new(&mut scratch);
                if let Poll::Ready(read) = Pin::new(&mut stream).poll_read(context, &mut buffer) {
                    read.unwrap();
                    progress = true;
                    if buffer.filled().is_empty() {
                        connection_mut.end_of_input();
                    } else {
                        let _ = connection_mut.receive(buffer.filled(), now, &mut server);
                    }
                }
            }
            connection_mut.register(context);
            if let Some(at) = connection_mut.deadline(now) {
                timer.as_mut().reset(started + Duration::from_millis(at));
                if timer.as_mut().poll(context).is_ready() {
                    let _ = connection_mut.on_timer(now.max(at));
                    progress = true;
                }
            }
            drop(connection_mut);
            for (key, head) in server.accepted.drain(..) {
                spawn_local(respond(Rc::clone(&connection), key, head));
            }
            if !progress && !connection.borrow().has_output() {
                return Poll::Pending;
            }
            if !progress {
                // The peer does not read.
                return Poll::Pending;
            }
        }
    })
    .await;
}

use std::future::Future as _;

/// Echoes the body, or does what the path says.
async fn respond(connection: Shared, key: StreamKey, head: RequestHead) {
    let answered = match &*head.path {
        b"/cancel" => cancel(&connection, key).await,
        _ => echo(&connection, key, &head).await,
    };
    let _ = answered;
    connection.borrow_mut().release(key);
}

async fn cancel(connection: &Shared, key: StreamKey) -> Result<(), StreamError> {
    read(connection, key).await?;
    connection.borrow_mut().reset(key, Code::CANCEL);
    Ok(())
}

async fn read(connection: &Shared, key: StreamKey) -> Result<Vec<u8>, StreamError> {
    let mut buffer = vec![0; 5_000];
    let read = poll_fn(|context| (connection.borrow_mut()).poll_data(key, context, &mut buffer));
    let count = read.await?;
    buffer.truncate(count);
    Ok(buffer)
}

async fn echo(connection: &Shared, key: StreamKey, head: &RequestHead) -> Result<(), StreamError> {
    let mut fields = Fields::default();
    fields.append(b"X-Path", &head.path);
    fields.append(b"Connection", b"close");
    let length = head.fields.get(b"content-length");
    if let Some(length) = length {
        fields.append(b"Content-Length", length);
    }
    let length: Option<u64> =
        length.map(|length| std::str::from_utf8(length).unwrap().parse().unwrap());
    {
        let mut connection = connection.borrow_mut();
        if head.path == b"/hints" {
            let hints = [(Known::Other, &b"Link"[..], &b"</a>"[..])];
            connection.send_head(key, 103, hints.into_iter(), false)?;
        }
        connection.send_head(key, 200, fields.iter(), length == Some(0))?;
        if let Some(length) = length {
            connection.expect_length(key, length);
        }
    }
    loop {
        let part = read(connection, key).await?;
        if part.is_empty() {
            break;
        }
        let (mut first, mut second) = part.split_at(part.len() / 3);
        while first.len() + second.len() > 0 {
            let sent =
                poll_fn(|context| (connection.borrow_mut()).poll_send(key, context, first, second));
            let count = sent.await?;
            let of_first = count.min(first.len());
            first = &first[of_first..];
            second = &second[count - of_first..];
        }
    }
    let trailers = connection.borrow_mut().take_trailers(key);
    poll_fn(|_| connection.borrow_mut().poll_finish(key, trailers.as_ref())).await
}

/// What a client sends, and expects to get back.
struct Case {
    path: &'static str,
    body: Vec<u8>,
    has_length: bool,
    has_trailers: bool,
    /// The client resets the stream after a part of the body.
    gives_up: bool,
}

impl Case {
    fn random(random: &mut fastrand::Rng) -> Self {
        let length = match random.u8(0..4) {
            0 => 0,
            1 => random.usize(0..100),
            2 => random.usize(0..20_000),
            _ => random.usize(0..300_000),
        };
        let mut body = vec![0; length];
        random.fill(&mut body);
        let has_length = random.bool();
        Self {
            path: random.choice(["/echo", "/hints", "/cancel"]).unwrap(),
            body,
            has_length,
            has_trailers: random.bool() && !has_length,
            gives_up: length > 0 && random.u8(0..5) == 0,
        }
    }
}

async fn ask(client: h2::client::SendRequest<Bytes>, case: Case, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut client = client.ready().await.unwrap();
    let uri = format!("https://example.com{}", case.path);
    let mut request = http::Request::post(uri);
    if case.has_length {
        request = request.header("content-length", case.body.len());
    }
    let is_empty = case.body.is_empty() && !case.has_trailers;
    let (response, mut sender) = client
        .send_request(request.body(()).unwrap(), is_empty)
        .unwrap();
    let is_reset = case.path == "/cancel" || case.gives_up;
    let body = case.body.clone();
    let sending = async move {
        let mut rest = Bytes::from(body);
        while !rest.is_empty() {
            if case.gives_up && random.u8(0..3) == 0 {
                sender.send_reset(h2::Reason::CANCEL);
                return;
            }
            let part = rest.split_to(random.usize(1..40_000).min(rest.len()));
            sender.reserve_capacity(part.len());
            let mut part = part;
            while !part.is_empty() {
                let capacity = poll_fn(|context| sender.poll_capacity(context)).await;
                let Some(Ok(capacity)) = capacity else {
                    assert!(is_reset);
                    return;
                };
                let now = part.split_to(capacity.min(part.len()));
                let is_last = rest.is_empty() && part.is_empty() && !case.has_trailers;
                if sender.send_data(now, is_last).is_err() {
                    assert!(is_reset);
                    return;
                }
                sender.reserve_capacity(part.len());
            }
        }
        if case.has_trailers {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-sum", "1".parse().unwrap());
            let _ = sender.send_trailers(trailers);
        }
    };
    let receiving = async {
        let response = response.await;
        if case.gives_up {
            // The response may have been complete before.
            if let Ok(response) = response {
                let mut body = response.into_body();
                while let Some(Ok(data)) = body.data().await {
                    let _ = body.flow_control().release_capacity(data.len());
                }
            }
            return;
        }
        if is_reset {
            let error = response.unwrap_err();
            assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
            return;
        }
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-path"], case.path);
        assert!(!response.headers().contains_key("connection"));
        let mut body = response.into_body();
        let mut received = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            received.extend_from_slice(&data);
        }
        assert_eq!(received.len(), case.body.len());
        assert!(received == case.body, "another body");
        let trailers = body.trailers().await.unwrap();
        assert_eq!(trailers.is_some(), case.has_trailers);
    };
    tokio::join!(sending, receiving);
}

/// Serves one client with many requests at once.
async fn run(seed: u64, requests: u64, window: u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (ours, theirs) = tokio::io::duplex(random.usize(100..200_000));
    let connection = Connection::new(Settings::default(), Limits::default(), 0);
    let connection = Rc::new(RefCell::new(connection));
    let chunk = random.usize(1..70_000);
    let serving = spawn_local(serve(ours, Rc::clone(&connection), chunk));
    let (client, driver) = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(window.max(65_535))
        .handshake(theirs)
        .await
        .unwrap();
    let driving = spawn_local(driver);
    let mut tasks = JoinSet::new();
    for number in 0..requests {
        let case = Case::random(&mut random);
        tasks.spawn_local(ask(client.clone(), case, seed + number));
    }
    while let Some(joined) = tasks.join_next().await {
        joined.unwrap();
    }
    drop(client);
    driving.await.unwrap().unwrap();
    serving.await.unwrap();
    let mut connection = connection.borrow_mut();
    assert_eq!(
        (connection.open_streams(), connection.held_streams()),
        (0, 0)
    );
    let counts: Vec<_> = connection.take_counts().collect();
    assert!(
        !counts.iter().any(|(abuse, _)| abuse.name() == "stalls"),
        "{counts:?}"
    );
}

#[tokio::test]
async fn bodies_trailers_and_resets() {
    LocalSet::new()
        .run_until(async {
            for seed in 0..20 {
                let window = [65_535, 1_000, 20_000, 1 << 20][seed as usize % 4];
                let running = run(seed, 60, window);
                let done = tokio::time::timeout(Duration::from_secs(60), running).await;
                assert!(done.is_ok(), "seed {seed} does not end");
            }
        })
        .await;
}
