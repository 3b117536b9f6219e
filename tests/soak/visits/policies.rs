//! A policy that traps at each request, beside others.

use janua_tests::Request;

use crate::client::{Client, Visited, check};
use crate::scene::Scene;

/// The route of the policy that traps gets 503. Another policy of the same component, and one
/// whose component is replaced meanwhile, do not notice; nor does the connection.
pub(super) async fn traps(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let failed = client.expect("/trap", &Request::get("/trap"), 503).await?;
    check(failed.proxy_error() == Some("proxy_internal_error"), || {
        format!("{:?}", failed.fields)
    })?;
    scene.ledger.noted("traps");
    check(!client.is_over(), || {
        "a trap ends the connection".to_owned()
    })?;
    let calm = Request::get("/calm").header("X-Misbehave", &(number % 100).to_string());
    let calm = client.expect("/calm", &calm, 200).await?;
    check(calm.body == b"/calm", || "another body".to_owned())?;
    let swapped = client
        .expect("/swapped", &Request::get("/swapped"), 200)
        .await?;
    check(
        swapped.header("x-swapped") == Some("yes") && swapped.body == b"swapped",
        || format!("{:?}", swapped.fields),
    )
}
