//! The target `redirect`.

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead};

use crate::client::Origin;
use crate::snapshot::{Fixed, Piece};
use crate::verdict::Made;

const NO_HOST: &str = "the request names no host, and the redirect is to the host of the request";

/// A redirect with its `Location` filled in from the request.
///
/// # Errors
/// It is to the host of the request, and the request names none (HTTP/1.0, or
/// an empty `Host`): `https:///path` would lead nowhere.
pub(crate) fn redirect(
    status: u16,
    to: &[Piece],
    head: &RequestHead,
    origin: &Origin,
) -> Result<Made, Failure> {
    let mut location = Vec::new();
    for piece in to {
        match piece {
            Piece::Literal(text) => location.extend_from_slice(text.as_bytes()),
            Piece::Scheme => location.extend_from_slice(origin.scheme().as_bytes()),
            Piece::Host => match head.authority.host() {
                "" => return Err(Failure::with(Kind::BadRequest, NO_HOST)),
                host => location.extend_from_slice(host.as_bytes()),
            },
            Piece::Path => location.extend_from_slice(&head.path),
            Piece::Query => {
                if let Some(query) = &head.query {
                    location.push(b'?');
                    location.extend_from_slice(query);
                }
            }
        }
    }
    Ok(Made {
        status,
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
