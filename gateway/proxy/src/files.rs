//! The target `files`: what lies below a directory.

use std::sync::Arc;

use janua_files::{Lookup, Opened};
use janua_http::Failure;
use janua_http::accept_encoding::Accepted;
use janua_http::failure::Kind;

use crate::answer;
use crate::client::Client;
use crate::content::{Content, Piece};
use crate::exchange::{Exchange, Fate};
use crate::facts::AnsweredBy;
use crate::policies::{self, Instead};
use crate::represent;
use crate::representation::Representation;
use crate::request_head::strip;
use crate::snapshot::Tree;
use crate::verdict::Made;

/// Answers with a file, or says that there is none.
///
/// # Errors
/// No file, or one that cannot be read; a policy's failure.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    client: &mut Client,
    tree: Tree,
) -> Result<Fate, Failure> {
    if !matches!(&*exchange.heads.request.method, b"GET" | b"HEAD") {
        return Err(Failure::with(Kind::MethodNotAllowed, "GET, HEAD"));
    }
    let mut lookup = look_up(exchange, &tree).await;
    if matches!(lookup, Lookup::Missing) {
        exchange.heads.response.clear();
        exchange.heads.response.status = 404;
        match policies::instead(exchange, AnsweredBy::Files)? {
            None => {}
            Some(Instead::Made(made)) => {
                return answer::made(exchange, client, made, AnsweredBy::Policy).await;
            }
            Some(Instead::Path(path)) => {
                exchange.turn_to(path);
                lookup = look_up(exchange, &tree).await;
            }
        }
    }
    match lookup {
        Lookup::File(opened) => file(exchange, client, opened).await,
        Lookup::Redirect => {
            let made = with_slash(exchange);
            answer::made(exchange, client, made, AnsweredBy::Files).await
        }
        Lookup::Listing(page) => {
            let response = &mut exchange.heads.response;
            response.clear();
            response.status = 200;
            response
                .fields
                .append(b"Content-Type", b"text/html; charset=utf-8");
            exchange.write_additions();
            let content = Content::whole(Piece::Bytes(page));
            answer::held(exchange, client, content, AnsweredBy::Files).await
        }
        Lookup::Missing => Err(Kind::NoFile.into()),
        Lookup::Denied => Err(Kind::FileDenied.into()),
        Lookup::Busy => Err(Kind::FilesBusy.into()),
        Lookup::Failed(error) => Err(Failure::with(Kind::FileFailed, error.kind().to_string())),
    }
}

/// From what was looked up less than a second ago, without waiting; or in the
/// pool.
async fn look_up(exchange: &Exchange, tree: &Tree) -> Lookup {
    let request = &exchange.heads.request;
    let path = strip(&request.path, tree.strip_prefix.as_deref());
    let accepted = &Accepted::of(&request.fields);
    let files = &exchange.worker.estate.files;
    let now_ms = exchange.now.monotonic_ms;
    match files.find_now(&tree.root, path, accepted, now_ms) {
        Some(lookup) => lookup,
        None => files.find(&tree.root, path, accepted, now_ms).await,
    }
}

async fn file(
    exchange: &mut Exchange,
    client: &mut Client,
    opened: Arc<Opened>,
) -> Result<Fate, Failure> {
    write_head(exchange, &opened);
    if let Some(matched) = exchange.matched.clone()
        && !matched.route().fetched.is_empty()
    {
        if let Some(made) = policies::fetched_phase(exchange, &matched, AnsweredBy::Files)? {
            return answer::made(exchange, client, made, AnsweredBy::Policy).await;
        }
        exchange.write_lifetimes();
    }
    let content = represent::select(exchange, &Representation::File(opened))?;
    exchange.write_additions();
    answer::held(exchange, client, content, AnsweredBy::Files).await
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

/// Sends the client to the same path with a slash at its end, so that relative
/// links in what is there lead where they should. The address is relative: what
/// a proxy before this one has done with scheme and host stays as it is.
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
