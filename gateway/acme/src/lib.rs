//! Certificates by ACME (RFC 8555): ordered, kept, renewed, and shown without a reload.
//!
//! An [`Engine`] works on a thread of its own, never on one that serves clients. It is
//! given a [`Plan`], which says whom to ask for which names; a [`Store`], in which
//! accounts, keys and certificates outlive it; and a [`Door`], through which it shows
//! certificates to clients and answers to authorities.
//!
//! | module | what it knows |
//! |---|---|
//! | `settings` | what the operator wants |
//! | `keeper` | when something is due for which name; the only owner of state |
//! | `attempt` | one attempt: the lock, the test directory, the authorities in order |
//! | `order` | one order at one authority, from its placing to the stored chain |
//! | `delegation` | the records that the DNS needs for the gateway's own name server |
//! | `answers`, `solver`, `persist` | how challenges are answered |
//! | `accounts`, `http` | how authorities are talked to |
//! | `schedule`, `subject`, `budget` | times, without any input or output |
//! | `demand` | whether a name that a client asked for may have a certificate |
//! | `store`, `record` | what is kept, and where |
//!
//! ACME itself is spoken by instant-acme, which is the maintained client that has
//! renewal information and profiles, and leaves it to the caller when and how
//! challenges are answered. rustls-acme answers only those that need no
//! infrastructure, and keeps its own state.

mod accounts;
mod answers;
mod attempt;
mod budget;
mod delegation;
mod demand;
mod desk;
mod door;
mod engine;
mod failure;
mod http;
mod keeper;
mod keys;
mod order;
mod persist;
mod record;
mod schedule;
mod settings;
mod solver;
mod status;
mod store;
mod subject;

pub use delegation::{Delegation, delegations};
pub use door::Door;
pub use engine::Engine;
pub use failure::Failure;
pub use keeper::NoCertificate;
pub use schedule::Window;
pub use settings::{Authority, Challenge, Dns, DnsProvider, Eab, KeyType, Plan, Wanted};
pub use status::{Event, EventState, NameStatus, State};
pub use store::directory::Directory;
pub use store::{Lock, Store};
