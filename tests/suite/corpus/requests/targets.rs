//! Whom a request is for: hosts, forms of the request target, paths and their escapes.

use super::case;
use crate::corpus::scene::Case;

/// Field lines that say the host.
const HOSTS: &[(&str, &str)] = &[
    ("none", ""),
    ("empty", "Host:\r\n"),
    ("two", "Host: a.example\r\nHost: b.example\r\n"),
    ("two equal", "Host: a.example\r\nhost: a.example\r\n"),
    ("capitals", "HOST: A.EXAMPLE\r\n"),
    ("port", "Host: a.example:8080\r\n"),
    ("port 80", "Host: a.example:80\r\n"),
    ("empty port", "Host: a.example:\r\n"),
    ("port of a word", "Host: a.example:http\r\n"),
    ("port too large", "Host: a.example:65536\r\n"),
    ("two ports", "Host: a.example:1:2\r\n"),
    ("final dot", "Host: a.example.\r\n"),
    ("underscore", "Host: a_b.example\r\n"),
    ("IPv4", "Host: 192.0.2.1\r\n"),
    ("IPv6", "Host: [2001:db8::1]:8080\r\n"),
    ("IPv6 without brackets", "Host: 2001:db8::1\r\n"),
    ("IPv6 unclosed", "Host: [2001:db8::1\r\n"),
    ("space", "Host: a b\r\n"),
    ("slash", "Host: a.example/b\r\n"),
    ("user", "Host: user@a.example\r\n"),
    ("list", "Host: a.example, b.example\r\n"),
    ("query", "Host: a.example?b\r\n"),
    ("fragment", "Host: a.example#b\r\n"),
    ("escape", "Host: a%2eexample\r\n"),
    ("quotes", "Host: \"a.example\"\r\n"),
    ("high byte", "Host: \u{e9}.example\r\n"),
    ("spaces around", "Host: \t a.example \t\r\n"),
    ("dot alone", "Host: .\r\n"),
    ("two dots", "Host: a..example\r\n"),
];

/// What follows the path of the target.
const PATHS: &[(&str, &str)] = &[
    ("slash", "/"),
    ("query", "?a=b&c=%20d"),
    ("empty query", "?"),
    ("two question marks", "?a?b"),
    ("fragment", "#b"),
    ("query and fragment", "?a#b"),
    ("doubled slashes", "//x///y"),
    ("dot", "/./x"),
    ("dots within", "/x/../y"),
    ("dots to the root", "/../../x"),
    ("dots beyond the root", "/../../../../../x"),
    ("final dot", "/x/."),
    ("final dots", "/x/.."),
    ("escaped dots", "/%2e%2E/x"),
    ("half-escaped dots", "/.%2e/x"),
    ("escaped slash", "/x%2Fy"),
    ("escaped slash and dots", "/..%2f..%2fx"),
    ("escaped backslash", "/x%5c..%5cy"),
    ("backslash", "/x\\y"),
    ("escaped NUL", "/x%00.html"),
    ("escaped line end", "/x%0d%0aX-Injected:%201"),
    ("escaped letters", "/%61%62%63"),
    ("escaped tilde", "/%7Ex"),
    ("escaped percent", "/x%252e%252e/y"),
    ("escaped space", "/x%20y"),
    ("escaped UTF-8", "/z%C3%A9"),
    ("escaped bytes that are no UTF-8", "/z%E9%FF"),
    ("overlong escape", "/%c0%ae%c0%ae/x"),
    ("small escapes", "/x%3a%3A"),
    ("half an escape", "/x%4"),
    ("percent alone", "/x%"),
    ("escape that is none", "/x%zz"),
    ("UTF-8", "/z\u{e9}"),
    ("sub-delimiters", "/!$&'()*+,;=:@"),
    ("brackets", "/x[1]{2}"),
    ("quotes", "/\"x\"<y>"),
    ("pipe and caret", "/x|y^z`"),
    ("parameters", "/x;a=b/..;/y"),
];

/// Request lines of other forms than a path.
const FORMS: &[(&str, &str)] = &[
    (
        "absolute",
        "GET http://a.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute with another host",
        "GET http://b.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute without host",
        "GET http://a.example{p} HTTP/1.1\r\n\r\n",
    ),
    (
        "absolute in HTTP/1.0",
        "GET http://a.example{p} HTTP/1.0\r\n\r\n",
    ),
    (
        "absolute with port",
        "GET http://a.example:8080{p}?q HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
    ),
    (
        "absolute in capitals",
        "GET HTTP://A.EXAMPLE{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute with https",
        "GET https://a.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute with ftp",
        "GET ftp://a.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute with user",
        "GET http://u:p@a.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute without path",
        "GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute with query only",
        "GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "absolute without authority",
        "GET http://{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "two slashes",
        "GET //a.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    ("without slash", "GET a HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("asterisk", "GET * HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    (
        "asterisk of OPTIONS",
        "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "asterisk with path",
        "OPTIONS *{p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "authority",
        "GET a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "CONNECT",
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    ),
    (
        "CONNECT with path",
        "CONNECT {p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "no route",
        "GET /nowhere HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "method without route",
        "POST /only-get HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "folder without slash",
        "GET /files/folder HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "folder",
        "GET /files/folder/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    ("listing", "GET /files/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    (
        "no such file",
        "GET /files/none HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "hidden file",
        "GET /files/.hidden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "file with space",
        "GET /files/a%20b.txt HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "empty file",
        "GET /files/empty HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "slash behind a file",
        "GET /files/a.txt/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
];

/// All cases of targets.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in ["/forward", "/strip", "/redirect"] {
        for (name, fields) in HOSTS {
            let message = format!("GET {{p}} HTTP/1.1\r\n{fields}\r\n");
            cases.push(case("host", name, target, message));
        }
    }
    for target in ["/forward", "/strip", "/edited", "/files", "/redirect"] {
        for (name, path) in PATHS {
            let message = format!("GET {{p}}{path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            cases.push(case("path", name, target, message));
        }
    }
    for (name, message) in FORMS {
        cases.push(case("form", name, "/forward", message));
    }
    cases
}
