//! Requests that are forwarded to the pair, whose endpoints die.

use janua_tests::{Framing, Request, Response};

use super::length;
use crate::client::{Client, Visited, check};
use crate::origin::digest;
use crate::scene::{Scene, content};

/// The requests of a connection.
const REQUESTS: usize = 20;

pub(super) async fn kept_alive(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    several(&mut client, number).await
}

/// Several requests over one connection, which stays open until the client closes it.
pub(super) async fn several(client: &mut Client<'_>, number: usize) -> Visited {
    for n in number..number + REQUESTS {
        bytes(client, n).await?;
        check(!client.is_over(), || "a connection is ended".to_owned())?;
    }
    Ok(())
}

async fn bytes(client: &mut Client<'_>, number: usize) -> Visited {
    let size = length(number);
    let request = Request::get(&format!("/app/bytes/{size}"));
    let response = client.expect("/app/", &request, 200).await?;
    check(response.framing == Framing::Length(size), || {
        format!("{:?} instead of {size}", response.framing)
    })?;
    is_content(&response, size)
}

/// The body is the beginning of the content.
pub(super) fn is_content(response: &Response, size: usize) -> Visited {
    check(response.body == content()[..size], || {
        format!("{} bytes are not the {size} expected", response.body.len())
    })
}

pub(super) async fn fresh(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let size = length(number);
    let request = Request::get(&format!("/app/bytes/{size}")).header("Connection", "close");
    let response = client.expect("/app/", &request, 200).await?;
    is_content(&response, size)?;
    client.expect_end().await
}

pub(super) async fn uploads(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    for n in number..number + 5 {
        let body = &content()[n % 1000..][..length(n)];
        let request = if n.is_multiple_of(2) {
            Request::post("/app/digest", body)
        } else {
            let chunks: Vec<&[u8]> = body.chunks(4000).collect();
            Request::new("POST", "/app/digest").chunked(&chunks, &[])
        };
        let response = client.expect("/app/", &request, 200).await?;
        let expected = format!("{} {}", body.len(), digest(body));
        check(response.body == expected.as_bytes(), || {
            format!("{} instead of {expected}", response.body.escape_ascii())
        })?;
    }
    Ok(())
}

pub(super) async fn chunked(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let size = length(number);
    let request = Request::get(&format!("/app/chunked/{size}"));
    let response = client.expect("/app/", &request, 200).await?;
    is_content(&response, size)?;
    let digest = digest(&content()[..size]);
    let trailers = [("X-Digest".to_owned(), digest)];
    check(
        response.framing == Framing::Chunked && response.trailers == trailers,
        || format!("{:?}, trailers {:?}", response.framing, response.trailers),
    )
}
