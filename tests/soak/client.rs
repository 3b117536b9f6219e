//! A client that counts what it does, and to which every failure is a violation unless the
//! ledger explains it.

use std::fmt;
use std::time::Instant;

use janua_tests::{Request, Response, TlsClient, TlsError, Wire};

use crate::scene::Scene;

/// A connection to the gateway.
pub(crate) struct Client<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) wire: Wire,
    is_over: bool,
}

/// Why a visit ended before its time.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// An endpoint died, and this request is one of those that this may fail.
    Explained,
    /// This should not have happened.
    Violation(String),
}

/// The result of a visit, or of a part of it.
pub(crate) type Visited<T = ()> = Result<T, Trouble>;

impl<'a> Client<'a> {
    /// Connects without TLS.
    pub(crate) async fn clear(scene: &'a Scene) -> Self {
        scene.ledger.connected("clear");
        Self::over(
            scene,
            Wire::connect(scene.gateway.address_of("clear")).await,
        )
    }

    /// Connects with TLS to a host. The certificate must be the current one, or a newer one: as
    /// soon as the operator has seen a certificate, no full handshake shows an older one.
    pub(crate) async fn secure(scene: &'a Scene, tls: &TlsClient, host: &str) -> Visited<Self> {
        let oldest = scene.certificates.seen();
        scene.ledger.connected("secure");
        let wire = tls.connect(scene.gateway.address_of("secure"), host).await;
        let wire = wire.map_err(|error: TlsError| violation(format!("handshake: {error}")))?;
        let done = wire.handshake();
        scene.ledger.shook_hands(&done.version, done.is_resumed);
        let shown = done.certificate.as_deref();
        let number = shown.and_then(|der| scene.certificates.number(der));
        match number {
            None => Err(violation("a certificate that was never installed")),
            Some(number) if number < oldest && !done.is_resumed => Err(violation(format!(
                "certificate {number} after certificate {oldest} was served"
            ))),
            Some(_) => Ok(Self::over(scene, wire)),
        }
    }

    fn over(scene: &'a Scene, wire: Wire) -> Self {
        let is_over = false;
        Self {
            scene,
            wire,
            is_over,
        }
    }

    /// Whether the gateway has announced the end of the connection.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends a request for a route, and reads the whole response.
    pub(crate) async fn ask(
        &mut self,
        route: &'static str,
        request: &Request,
    ) -> Visited<Response> {
        let sent = Instant::now();
        self.send(request).await?;
        let mut response = self.head(route, request.method()).await?;
        let ledger = &self.scene.ledger;
        match self.wire.take_body(response.framing).await {
            Ok((body, trailers)) => (response.body, response.trailers) = (body, trailers),
            Err(error) => {
                let endpoint = response.header("x-endpoint");
                if endpoint.is_some() && ledger.was_dying_since(endpoint, sent) {
                    ledger.noted("cut with their endpoint");
                    return Err(Trouble::Explained);
                }
                return Err(violation(format!(
                    "{route}: {error}; {:?}",
                    response.fields
                )));
            }
        }
        let is_reset =
            (response.status, response.proxy_error()) == (502, Some("connection_terminated"));
        if is_reset && request.method() == "POST" && ledger.was_dying_since(None, sent) {
            ledger.noted("not repeated");
            return Err(Trouble::Explained);
        }
        self.is_over = response.header("connection") == Some("close");
        Ok(response)
    }

    /// The same, for a response that must have this status.
    pub(crate) async fn expect(
        &mut self,
        route: &'static str,
        request: &Request,
        status: u16,
    ) -> Visited<Response> {
        let response = self.ask(route, request).await?;
        check(response.status == status, || {
            format!(
                "{route}: {} instead of {status}: {:?} {}",
                response.status,
                response.fields,
                response.body[..response.body.len().min(200)].escape_ascii()
            )
        })?;
        Ok(response)
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &Request) -> Visited {
        let sent = self.wire.try_send(request.to_bytes()).await;
        sent.map_err(|error| violation(format!("sending a request: {error}")))
    }

    /// Reads the head of a final response, and counts it.
    pub(crate) async fn head(&mut self, route: &'static str, method: &str) -> Visited<Response> {
        loop {
            let head = self.wire.receive_head(method).await;
            let head = head.map_err(|error| violation(format!("{route}: {method}: {error}")))?;
            if head.status >= 200 || head.status == 101 {
                self.scene.ledger.answered(route, head.status);
                return Ok(head);
            }
        }
    }

    /// The gateway closes the connection, with nothing left to read.
    pub(crate) async fn expect_end(&mut self) -> Visited {
        let is_closed = self.wire.is_closed().await;
        check(is_closed, || "the connection stays open".to_owned())
    }
}

/// Something that should not have happened.
pub(crate) fn violation(what: impl Into<String>) -> Trouble {
    Trouble::Violation(what.into())
}

/// A violation unless the condition holds.
pub(crate) fn check(holds: bool, what: impl FnOnce() -> String) -> Visited {
    if holds {
        Ok(())
    } else {
        Err(Trouble::Violation(what()))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explained => formatter.write_str("an endpoint died"),
            Self::Violation(what) => formatter.write_str(what),
        }
    }
}
