//! What a shared cache may do, as pure functions: no clock, no input or
//! output; each time is an argument.
//!
//! In the order of a request: [`asked`] reads what the request says of caching,
//! [`judge()`] decides about what is stored, [`validate`] makes the request
//! conditional, [`admit()`] decides whether the answer is stored and under which
//! [`terms`], [`stored`] which of its fields are, [`update`] what a 304 or the
//! answer to a `HEAD` changes, [`invalidate`] what an unsafe method makes stale.
//! [`status`], [`detail`] and [`outcome`] hold the words in which all of it is
//! told.
//!
//! RFC 9111 leaves room. Where it does, the choice is the one that shows fewer
//! stale or foreign answers, and each is stated where it is made. What
//! implementers of other caches find surprising:
//!
//! - An `Age` that is no number makes the response stale, although RFC 9111 §5.1
//!   would ignore it: whoever sent it is a cache that we do not understand.
//! - `max-age` is the first one, and quotes around its number are accepted; what
//!   is not a number at all is zero (§4.2.1).
//! - `s-maxage` forbids stale answers (§5.2.2.10), yet gives way to a
//!   `stale-while-revalidate` or `stale-if-error` of the same response.
//! - `Pragma` is ignored, in requests and in responses (§5.4 deprecates it).
//! - A response with `Set-Cookie` is stored only if it says that it is for all.
//! - A 304 that names another strong tag than was asked about updates nothing.

pub mod admit;
pub mod asked;
pub mod control;
pub mod detail;
pub mod freshness;
pub mod invalidate;
pub mod judge;
pub mod outcome;
pub mod rule;
pub mod status;
pub mod stored;
pub mod targeted;
pub mod terms;
pub mod update;
pub mod validate;
pub mod vary;

pub use admit::admit;
pub use asked::Asked;
pub use detail::Detail;
pub use freshness::Times;
pub use judge::{Judgement, judge, may_serve_on_error};
pub use outcome::Outcome;
pub use rule::{Rule, Storage};
pub use status::CacheStatus;
pub use terms::{Source, Terms};
pub use vary::Vary;
