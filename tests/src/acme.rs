//! Everything around automatic certificates (ACME, RFC 8555) that is not the gateway: an
//! authority, what stands between it and the gateway, and the servers that both ask.
//!
//! | what | where |
//! |---|---|
//! | an authority that issues: `pebble`, as a process | [`Pebble`], [`PebbleSettings`] |
//! | what a test sees, delays and spoils of the requests to it | [`Front`], [`Asked`], [`Call`], [`Fault`], [`Hold`] |
//! | the windows in which certificates are to be renewed (RFC 9773) | [`Renewal`] |
//! | the DNS that the authority and the gateway ask | [`StubDns`], [`Question`], [`Challtestsrv`] |
//! | a provider of DNS behind a webhook | [`DnsWebhook`], [`WebhookCall`] |
//! | who permits certificates on demand | [`AskServer`] |
//! | ports that are known before anything listens on them | [`ReservedPort`] |
//!
//! Nothing of it leaves the loopback address. `pebble` validates on the ports that its
//! configuration says, so that several authorities and gateways run at once.

mod ask_server;
mod challtestsrv;
mod child;
mod dns_webhook;
mod front;
mod pebble;
mod pebble_settings;
mod reserved_port;
mod stub_dns;

pub use ask_server::{AskServer, Permission};
pub use challtestsrv::Challtestsrv;
pub use dns_webhook::{DnsWebhook, WebhookCall};
pub use front::{Asked, Call, Fault, Front, Hold, Point, Renewal};
pub use pebble::Pebble;
pub use pebble_settings::PebbleSettings;
pub use reserved_port::ReservedPort;
pub use stub_dns::{Question, StubDns};
