//! The rules of a shared cache (RFC 9111) as pure functions. They do no I/O and read
//! no clock: each time is an argument.
//!
//! In the order in which a request needs them:
//!
//! - [`request_control`] reads the request's cache directives.
//! - [`judge()`] decides whether a stored response may be served.
//! - [`validate`] makes the request to the upstream conditional.
//! - [`admit()`] decides whether the response is stored, and under which [`terms`].
//! - [`stored`] selects the fields that are stored.
//! - [`update`] applies a 304 or the response to a `HEAD` to a stored response.
//! - [`invalidate`] finds the stored responses that an unsafe method makes invalid.
//! - [`status`], [`detail`] and [`outcome`] hold the words that report all this.
//!
//! Where RFC 9111 leaves a choice, these rules prefer the one that serves fewer stale
//! responses and shares fewer responses between users. Each choice is documented where
//! it is made. These differ from other caches:
//!
//! - An invalid `Age` makes the response stale. RFC 9111 §5.1 would ignore it, but a
//!   cache that sends one cannot be trusted with the rest.
//! - The first of several `max-age` counts, its number may be quoted, and an invalid
//!   number is zero (§4.2.1).
//! - `s-maxage` forbids serving stale (§5.2.2.10), unless the same response has
//!   `stale-while-revalidate` or `stale-if-error`.
//! - `Pragma` is ignored in requests and in responses (§5.4 deprecates it).
//! - A response with `Set-Cookie` is stored only if it is explicitly shared.
//! - A 304 with a strong entity tag other than the stored one updates nothing.

pub mod admit;
pub mod control;
pub mod detail;
pub mod freshness;
pub mod invalidate;
pub mod judge;
pub mod outcome;
pub mod request_control;
pub mod rule;
pub mod status;
pub mod stored;
pub mod targeted;
pub mod terms;
pub mod update;
pub mod validate;
pub mod vary;

pub use admit::admit;
pub use detail::Detail;
pub use freshness::Times;
pub use judge::{Judgement, judge, may_serve_on_error};
pub use outcome::CacheOutcome;
pub use request_control::RequestControl;
pub use rule::{Rule, Storage};
pub use status::CacheStatus;
pub use terms::{Source, Terms};
pub use vary::Vary;
