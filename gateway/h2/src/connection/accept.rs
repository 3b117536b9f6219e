//! Who takes the requests of a connection.

use janua_http::{HeadError, RequestHead};

use crate::streams::StreamKey;

/// Takes the requests of a connection. It is called within
/// [`Connection::receive`](crate::Connection::receive), and so cannot use the connection.
pub trait Accept {
    /// The head for the next request, which is cleared and filled. Called once or several times
    /// before each [`Self::request`], and must return the same head until then.
    fn head(&mut self) -> &mut RequestHead;

    /// Takes a request; its head is the one that [`Self::head`] has returned. After an error the
    /// head is incomplete, and the request should be answered with that error.
    ///
    /// The stream is held until it is [released](crate::Connection::release).
    fn request(&mut self, key: StreamKey, received: Result<(), HeadError>);
}
