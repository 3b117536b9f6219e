//! TLS: full and resumed handshakes of both versions, certificates of clients, and requests over
//! a connection whose certificate is renewed meanwhile.

use janua_tests::Request;

use super::forwarded::several;
use crate::client::{Client, Visited, check};
use crate::config::{HOST, MUTUAL};
use crate::scene::Scene;

/// Connects twice with one client, so that the second handshake can resume the session of the
/// first. After a reload the gateway may ask for a full one.
pub(super) async fn handshakes(scene: &Scene, number: usize) -> Visited {
    let version = ["1.2", "1.3"][number % 2];
    let tls = scene.certificates.client().version(version);
    for _ in 0..2 {
        let mut client = Client::secure(scene, &tls, HOST).await?;
        let done = &client.wire.handshake().version;
        check(done == version, || format!("{done} instead of {version}"))?;
        // The tickets of 1.3 come with the response.
        let request = Request::get("/steady/x");
        let response = client.expect("/steady/", &request, 200).await?;
        check(response.body == b"/steady/x", || {
            "another body over TLS".to_owned()
        })?;
    }
    Ok(())
}

pub(super) async fn mutual(scene: &Scene, number: usize) -> Visited {
    let version = ["1.2", "1.3"][number % 2];
    let tls = scene.certificates.mutual_client().version(version);
    let mut client = Client::secure(scene, &tls, MUTUAL).await?;
    let request = Request::get("/mutual").host(MUTUAL);
    let response = client.expect("/mutual", &request, 200).await?;
    check(response.body == b"mutual", || "another body".to_owned())
}

pub(super) async fn kept_alive(scene: &Scene, number: usize) -> Visited {
    let tls = scene.certificates.client();
    let mut client = Client::secure(scene, &tls, HOST).await?;
    several(&mut client, number).await
}
