//! Soak: mixed traffic over a long time, while everything that may change does so again and
//! again. No request fails that should not, and the gateway ends as it began.
//!
//! | what | where |
//! |---|---|
//! | how long, and how much at most | [`plan`] |
//! | the gateway with its configuration, certificates, files and upstreams | [`scene`], [`config`], [`origin`], [`calls`] |
//! | the traffic, a file for each kind of client | [`visits`], over [`client`] |
//! | what changes meanwhile | [`operator`], [`outages`], [`fleet`] |
//! | what is counted, and which failures are explained | [`ledger`] |
//! | what is measured, and what is compared at the end | [`vitals`], [`accounts`], [`summary`] |
//!
//! `make soak` runs `long`, ten minutes by default; `make test` runs `short`, the same code for
//! two turns of all changes, so that it keeps working.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "these are tests"
)]

mod accounts;
mod calls;
mod client;
#[allow(dead_code, reason = "the suite uses more of it")]
#[path = "../suite/coded.rs"]
mod coded;
mod config;
mod fleet;
mod ledger;
mod operator;
mod origin;
mod outages;
mod plan;
mod run;
mod scene;
mod summary;
mod visits;
mod vitals;

use plan::Plan;

/// Bounded by counted work, and not by time: it does as much on a busy machine.
#[tokio::test]
async fn short() {
    run::soak(Plan::turns(2)).await;
}

/// Bounded by time: `JANUA_SOAK_SECONDS`, ten minutes by default.
#[tokio::test]
#[ignore = "takes ten minutes: run it by `make soak`"]
async fn long() {
    run::soak(Plan::seconds_of_environment()).await;
}
