//! The target `files`: serves the files below a directory.

use janua_files::{Lookup, Opened};
use janua_http::Failure;
use janua_http::accept_encoding::Accepted;
use janua_http::failure::Kind;

use crate::answer::{Answer, Body};
use crate::content::{Content, Piece};
use crate::course::strip;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::representation::Representation;
use crate::snapshot::Tree;
use crate::verdict::Made;

/// Answers with a file, a redirect or a listing, or with [`Body::Missing`].
///
/// # Errors
/// The method is not allowed, or the file cannot be read.
pub(crate) async fn files(exchange: &mut Exchange, tree: &Tree) -> Result<Answer, Failure> {
    if !matches!(&*exchange.heads.request.method, b"GET" | b"HEAD") {
        return Err(Failure::with(Kind::MethodNotAllowed, "GET, HEAD"));
    }
    let by = AnsweredBy::Files;
    match look_up(exchange, tree).await {
        Lookup::File(opened) => {
            write_head(exchange, &opened);
            let whole = Representation::File(opened);
            Ok(Answer::fresh(by, Body::Whole(whole)))
        }
        Lookup::Redirect => {
            let made = with_slash(exchange);
            Ok(Answer::made(exchange, made, by))
        }
        Lookup::Listing(page) => {
            let response = &mut exchange.heads.response;
            response.clear();
            response.status = 200;
            response
                .fields
                .append(b"Content-Type", b"text/html; charset=utf-8");
            let content = Content::whole(Piece::Bytes(page));
            Ok(Answer::settled(by, Body::Content(content)))
        }
        Lookup::Missing => {
            exchange.heads.response.clear();
            exchange.heads.response.status = 404;
            let failure = Kind::NoFile.into();
            Ok(Answer::settled(by, Body::Missing(failure)))
        }
        Lookup::Denied => Err(Kind::FileDenied.into()),
        Lookup::Busy => Err(Kind::FilesBusy.into()),
        Lookup::Failed(error) => Err(Failure::with(Kind::FileFailed, error.kind().to_string())),
    }
}

/// Looks up the path: without waiting if that was done less than a second ago, otherwise
/// in the thread pool.
async fn look_up(exchange: &Exchange, tree: &Tree) -> Lookup {
    let request = &exchange.heads.request;
    let path = strip(&request.path, tree.strip_prefix.as_deref());
    let accepted = &Accepted::of(&request.fields);
    let files = &exchange.worker.estate.files;
    let now_ms = exchange.now.monotonic_ms;
    let mut lookup = match files.find_now(&tree.root, path, accepted, now_ms) {
        Some(lookup) => lookup,
        None => files.find(&tree.root, path, accepted, now_ms).await,
    };
    // Files that are held open for speed have been closed by then, but others may have been
    // quicker to use their descriptors.
    while lookup.lacks_descriptors() && exchange.worker.estate.reserve.give() {
        lookup = files.find(&tree.root, path, accepted, now_ms).await;
    }
    lookup
}

fn write_head(exchange: &mut Exchange, opened: &Opened) {
    let response = &mut exchange.heads.response;
    response.clear();
    response.status = 200;
    let fields = &mut response.fields;
    fields.append(b"Content-Type", &opened.content_type);
    let length = itoa::Buffer::new().format(opened.length).to_owned();
    fields.append(b"Content-Length", length.as_bytes());
    fields.append(b"Last-Modified", &opened.last_modified);
    fields.append(b"ETag", &opened.etag);
    fields.append(b"Accept-Ranges", b"bytes");
    if let Some(coding) = opened.coding {
        fields.append(b"Content-Encoding", coding.token().as_bytes());
    }
    if opened.varies {
        fields.append(b"Vary", b"Accept-Encoding");
    }
}

/// A redirect to the same path with a slash at its end, so that relative links of an
/// index page resolve correctly. `Location` is relative, because a proxy in front of the
/// gateway may use another scheme and host.
pub(crate) fn with_slash(exchange: &Exchange) -> Made {
    let request = &exchange.heads.request;
    let mut location = request.path.clone();
    location.push(b'/');
    if let Some(query) = &request.query {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    Made {
        status: 301,
        headers: vec![((*b"Location").into(), location.into())],
        body: Box::default(),
    }
}
