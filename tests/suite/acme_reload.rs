//! Changes of the configuration while certificates are ordered.

use janua_tests::{Asked, Point, assert_eventually};

use crate::acme::{NAME, Scene, listed, served, site};

#[tokio::test]
async fn a_host_that_is_added() {
    let scene = Scene::new().await;
    let mut gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    gateway
        .reload(scene.by_http(&[site(&[NAME, "new.example.com"])]))
        .await;
    let client = scene.pebble.client().await;
    assert_eq!(served(&gateway, &client, NAME).await, first);
    scene.issued(&gateway, "new.example.com").await;
    assert_eq!(served(&gateway, &client, NAME).await, first);
    assert_eq!(scene.front.ordered(), [[NAME], ["new.example.com"]]);
    assert_eq!(scene.front.count(Asked::NewAccount), 1);
}

#[tokio::test]
async fn a_host_that_is_removed_and_comes_back() {
    let scene = Scene::new().await;
    let other = "other.example.com";
    let mut gateway = scene.start(&[NAME, other]).await;
    let first = scene.issued(&gateway, other).await;
    scene.issued(&gateway, NAME).await;
    gateway.reload(scene.by_http(&[site(&[NAME])])).await;
    assert_eventually!(listed(&gateway, other).await.is_none());
    gateway.reload(scene.by_http(&[site(&[NAME, other])])).await;
    // It was kept.
    assert_eq!(scene.issued(&gateway, other).await, first);
    assert_eq!(scene.front.orders().len(), 2);
}

/// An order in progress goes on through a reload, or begins again.
#[tokio::test]
async fn a_reload_in_mid_order() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Challenge, Point::Request);
    let mut gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    gateway
        .reload(scene.by_http(&[site(&[NAME, "new.example.com"])]))
        .await;
    hold.release();
    scene.issued(&gateway, NAME).await;
    scene.issued(&gateway, "new.example.com").await;
    assert_eq!(scene.front.orders().len(), 2);
}
