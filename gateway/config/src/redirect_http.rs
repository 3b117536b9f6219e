//! `redirect_http` of a site: requests over `http` are redirected to `https`.

use crate::macros::{table, words};
use crate::redirect::RedirectCode;
use crate::span::Spanned;

table! {
    /// A redirect of all requests whose scheme is `http` to `https`. Path and
    /// query are kept. Behind `trusted_proxies` the scheme is the one that the
    /// proxy states, so that a proxy which ends TLS causes no loop.
    pub struct RedirectHttp("a status such as 301, or a table such as `{ code = 301, to = \"first\" }`") {
        /// The status code: 301 and 308 are permanent, 302, 303 and 307 are
        /// temporary; 307 and 308 keep the method.
        code: RedirectCode = default("308");
        /// The host that is redirected to: the request's own (`"host"`), or the
        /// first of the site (`"first"`).
        to: Spanned<RedirectHost> = default("\"host\"");
    }
    short code
}

words! {
    /// The host that is redirected to.
    pub enum RedirectHost {
        /// The host of the request.
        Host = "host",
        /// The first host of the site.
        First = "first",
    }
}
