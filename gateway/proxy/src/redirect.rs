//! The target `redirect`.

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead};

use crate::client::Origin;
use crate::snapshot::{Fixed, LocationPart};
use crate::verdict::Made;

const NO_HOST: &str = "the request names no host, and the redirect is to the host of the request";

/// A redirect with its `Location` filled in from the request.
///
/// # Errors
/// The redirect is to the host of the request, and the request names none (HTTP/1.0, or
/// an empty `Host`): `https:///path` is not a valid address.
pub(crate) fn redirect(
    status: u16,
    to: &[LocationPart],
    head: &RequestHead,
    origin: &Origin,
) -> Result<Made, Failure> {
    let mut location = Vec::new();
    for part in to {
        match part {
            LocationPart::Literal(text) => location.extend_from_slice(text.as_bytes()),
            LocationPart::Scheme => location.extend_from_slice(origin.scheme().as_bytes()),
            LocationPart::Host => match head.authority.host() {
                "" => return Err(Failure::with(Kind::BadRequest, NO_HOST)),
                host => location.extend_from_slice(host.as_bytes()),
            },
            LocationPart::Path => location.extend_from_slice(&head.path),
            LocationPart::Query => {
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
