//! The target `redirect`.

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::exchange::Exchange;
use crate::snapshot::{Fixed, Redirect};
use crate::verdict::Made;

/// A redirect with its `Location` filled in from the request.
///
/// # Errors
/// A value of the request does not fit into it: it names no host (HTTP/1.0, or an empty `Host`)
/// where the redirect is to that host, or a value would make another address of it.
pub(crate) fn redirect(exchange: &Exchange, redirect: &Redirect) -> Result<Made, Failure> {
    let request = &exchange.heads.request;
    let view = exchange.view(None);
    let location = redirect.to.write(&view, &request.path, &request.authority);
    let location =
        location.map_err(|unwritten| Failure::with(Kind::BadRequest, unwritten.words()))?;
    Ok(Made {
        status: redirect.status,
        headers: vec![((*b"Location").into(), location.into())],
        body: Box::default(),
    })
}

impl From<&Fixed> for Made {
    fn from(fixed: &Fixed) -> Self {
        let field = |(name, value): &(Box<str>, Box<str>)| {
            (name.as_bytes().into(), value.as_bytes().into())
        };
        Self {
            status: fixed.status,
            headers: fixed.headers.iter().map(field).collect(),
            body: fixed.body.clone(),
        }
    }
}
