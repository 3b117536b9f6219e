//! Files with ranges and conditions, and responses that the gateway compresses.

use janua_tests::Request;

use super::forwarded::is_content;
use crate::client::{Client, Visited, check, violation};
use crate::coded;
use crate::scene::{FILES, Scene, content};

const ROUTE: &str = "/files/";

pub(super) async fn visit(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let (name, size) = FILES[number % FILES.len()];
    let target = format!("/files/{name}");
    let whole = client.expect(ROUTE, &Request::get(&target), 200).await?;
    is_content(&whole, size)?;
    let head = Request::new("HEAD", &target);
    let head = client.expect(ROUTE, &head, 200).await?;
    check(
        head.header("content-length") == Some(&size.to_string()),
        || format!("HEAD {name}: {:?}", head.fields),
    )?;

    let tag = whole.header("etag").unwrap_or_default().to_owned();
    let same = Request::get(&target).header("If-None-Match", &tag);
    client.expect(ROUTE, &same, 304).await?;
    let date = whole.header("last-modified").unwrap_or_default();
    let same = Request::get(&target).header("If-Modified-Since", date);
    client.expect(ROUTE, &same, 304).await?;
    let other = Request::get(&target).header("If-Match", "\"other\"");
    client.expect(ROUTE, &other, 412).await?;

    let first = number * 7919 % size;
    let last = (first + number * 31 % 5000).min(size - 1);
    let range = Request::get(&target)
        .header("Range", &format!("bytes={first}-{last}"))
        .header("If-Range", &tag);
    let part = client.expect(ROUTE, &range, 206).await?;
    let expected = format!("bytes {first}-{last}/{size}");
    check(
        part.header("content-range") == Some(&expected) && part.body == content()[first..=last],
        || format!("{expected} of {name}: {:?}", part.fields),
    )?;
    let beyond = Request::get(&target).header("Range", &format!("bytes={size}-"));
    client.expect(ROUTE, &beyond, 416).await?;
    Ok(())
}

pub(super) async fn compressed(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let coding = ["gzip", "br", "zstd"][number % 3];
    let lengths = [2000, 30_000, 120_000];
    for (route, target, length) in [
        (ROUTE, "/files/page.txt".to_owned(), 30_000),
        (
            "/text/",
            format!("/text/{}", lengths[number / 3 % 3]),
            lengths[number / 3 % 3],
        ),
    ] {
        let request = Request::get(&target).header("Accept-Encoding", coding);
        let response = client.expect(route, &request, 200).await?;
        let found = response.header("content-encoding");
        if found != Some(coding) {
            return Err(violation(format!("{target}: {found:?} and not {coding}")));
        }
        let (body, is_whole) = coded::decode(coding, &response.body);
        check(is_whole && body == coded::text(length).as_bytes(), || {
            format!("{target} in {coding} has another body")
        })?;
    }
    Ok(())
}
