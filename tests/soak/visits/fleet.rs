//! Requests to instances that come and go.

use janua_tests::Request;

use super::forwarded::is_content;
use super::length;
use crate::client::{Client, Visited, check, violation};
use crate::fleet::NAMES;
use crate::origin::digest;
use crate::scene::{Scene, content};

/// The requests of a client.
const REQUESTS: usize = 10;

/// A client stays with its instance, unless it is told of another one.
pub(super) async fn session(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    // The cookie, and who has answered then.
    let mut session: Option<(String, String)> = None;
    for n in number..number + REQUESTS {
        let size = length(n);
        let mut request = Request::get(&format!("/fleet/bytes/{size}"));
        if let Some((cookie, _)) = &session {
            request = request.header("Cookie", cookie);
        }
        let response = client.expect("/fleet/", &request, 200).await?;
        is_content(&response, size)?;
        let name = response.header("x-endpoint").unwrap_or("nobody").to_owned();
        let line = response.header("set-cookie");
        let cookie = line.and_then(|line| line.split(';').next());
        match (cookie, &session) {
            (Some(cookie), before) => {
                if before.is_some() {
                    scene.ledger.noted("sessions that moved");
                }
                session = Some((cookie.to_owned(), name));
            }
            (None, Some((_, home))) => check(*home == name, || {
                format!("a session at {home} is answered by {name}")
            })?,
            (None, None) => return Err(violation("a first response has no session")),
        }
    }
    Ok(())
}

/// Either upstream of a split answers, while copies are sent to another one.
pub(super) async fn split(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    for n in number..number + REQUESTS {
        let size = length(n);
        let body = &content()[..size];
        let request = match n % 2 {
            0 => Request::get(&format!("/split/bytes/{size}")),
            _ => Request::post("/split/digest", body),
        };
        let response = client.expect("/split/", &request, 200).await?;
        match n % 2 {
            0 => is_content(&response, size)?,
            _ => {
                let expected = format!("{size} {}", digest(body));
                check(response.body == expected.as_bytes(), || {
                    format!("{} instead of {expected}", response.body.escape_ascii())
                })?;
            }
        }
        let name = response.header("x-endpoint").unwrap_or("nobody");
        check(NAMES[..2].contains(&name), || format!("{name} answers"))?;
    }
    Ok(())
}
