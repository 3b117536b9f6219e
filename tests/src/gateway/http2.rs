//! Connections of HTTP/2 to the gateway: by ALPN if its listeners have TLS, otherwise with prior
//! knowledge.

use super::Gateway;
use crate::http2::{Frames, Http2Client, adapt};
use crate::tls::{OverTls, TlsError};
use crate::wire::Wire;

impl Gateway {
    /// Connects to the only listener by HTTP/2; the test speaks HTTP/1.1, which is translated.
    pub async fn connect_http2(&self) -> Wire {
        adapt(self.open_http2().await)
    }

    /// A client of HTTP/2, connected to the only listener.
    pub async fn http2(&self) -> Http2Client {
        Http2Client::over(self.open_http2().await).await
    }

    /// A client of frames, connected to the only listener, that has sent its preface and empty
    /// settings.
    pub async fn frames(&self) -> Frames {
        let mut frames = Frames::over(self.open_http2().await);
        frames.open().await;
        frames
    }

    /// A connection to the only listener on which HTTP/2 is to be spoken, and nothing has been
    /// sent yet.
    pub async fn open_http2(&self) -> Wire {
        let opened = self.secure_http2(Wire::connect(self.address()).await).await;
        opened.unwrap_or_else(|error| panic!("no connection for HTTP/2: {error}"))
    }

    pub(super) async fn secure_http2(&self, wire: Wire) -> Result<Wire, TlsError> {
        if self.settings.is_over_tls() {
            OverTls::get().secure_for_http2(wire).await
        } else {
            Ok(wire)
        }
    }
}
