//! What the tests of the stacks in `examples/` have in common. Each test is
//! named by the row of behaviour that it shows.

use janua_tests::{Request, Response};

/// What a browser asks for a page with.
pub(crate) const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A page, as a browser asks for it.
pub(crate) fn navigation(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", PAGE)
}

/// Something that a page asks for.
pub(crate) fn resource(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", "*/*")
}

/// True if the gateway's cache has answered by itself.
pub(crate) fn is_hit(response: &Response) -> bool {
    let status = response.header("cache-status");
    status.is_some_and(|status| status.starts_with("janua; hit"))
}

/// Whether a list of names, such as `Vary`, has this one.
pub(crate) fn has(response: &Response, field: &str, name: &str) -> bool {
    let list = response.header(field).unwrap_or_default();
    list.split(',')
        .any(|item| item.trim().eq_ignore_ascii_case(name))
}

/// Checks that this is the page that has this text.
pub(crate) fn expect_page(response: &Response, text: &str, target: &str) {
    assert_eq!(response.status, 200, "{target}");
    assert!(
        response.text().contains(text),
        "{target}: {}",
        response.text()
    );
    let kind = response.header("content-type");
    assert_eq!(kind, Some("text/html; charset=utf-8"), "{target}");
}
