//! The HTTP client for authorities, and for those who decide about names.
//!
//! It follows no redirects: an authority has none, and whoever may decide about
//! names is the one that the operator named.

use std::cell::Cell;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use janua_tls::{ClientSettings, Roots, SystemRoots};

use crate::failure::{Causes, Failure};
use crate::persist;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read: a chain of certificates has some KiB.
const LARGEST: usize = 1024 * 1024;
/// The largest revocation list that is read.
const LARGEST_LIST: usize = 16 * 1024 * 1024;
/// The longest time that an authority may want to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// RFC 8555, section 6.1: a client says who it is, and what it speaks ACME with.
const AGENT: &str = concat!("janua/", env!("CARGO_PKG_VERSION"), " instant-acme");
/// For others than authorities.
const PLAIN_AGENT: &str = concat!("janua/", env!("CARGO_PKG_VERSION"));

type Boxed = Box<dyn std::error::Error + Send + Sync>;

tokio::task_local! {
    static LAST_WAIT: Cell<Option<Duration>>;
}

/// Does something in which [`last_wait`] is known: what others do at the same time with the
/// same client does not count.
pub(crate) async fn noticing_waits<T>(work: impl Future<Output = T>) -> T {
    LAST_WAIT.scope(Cell::new(None), work).await
}

/// The `Retry-After` of the last answer (RFC 9110, section 10.2.3).
pub(crate) fn last_wait() -> Option<Duration> {
    LAST_WAIT.try_with(Cell::get).ok().flatten()
}

/// Sends requests. Clones share connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// What the authority calls itself in the records of dns-persist-01.
    issuers: Arc<Mutex<Vec<String>>>,
}

impl Http {
    /// A client that trusts the authorities of a file, or those of the system.
    pub(crate) fn new(roots: Option<&Path>) -> Result<Self, Failure> {
        let settings = ClientSettings {
            roots: roots.map_or(Roots::System, |file| Roots::File(file.to_owned())),
            ..ClientSettings::default()
        };
        let tls = janua_tls::Client::new(&settings, &SystemRoots::default())
            .map_err(|error| Failure::new("settings", error))?;
        let mut config = rustls::ClientConfig::clone(tls.config());
        // The connector sets the protocols.
        config.alpn_protocols.clear();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: HyperClient::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(15))
                .build(connector),
            issuers: Arc::default(),
        })
    }

    /// What the authority calls itself in the records of dns-persist-01; none if it has
    /// not offered that challenge.
    pub(crate) fn issuers(&self) -> Vec<String> {
        let issuers = self.issuers.lock();
        issuers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks by GET, and returns the status.
    pub(crate) async fn status(&self, url: &str, patience: Duration) -> Result<u16, String> {
        let request = Request::get(url)
            .header(USER_AGENT, PLAIN_AGENT)
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(patience, self.send(request)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
            Ok(Err(error)) => Err(Causes(&*error).to_string()),
            Err(_) => Err("it did not answer in time".to_owned()),
        }
    }

    /// Fetches what may be larger than other answers: a revocation list.
    pub(crate) async fn list(&self, url: &str) -> Result<Bytes, String> {
        let request = Request::get(url)
            .header(USER_AGENT, PLAIN_AGENT)
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let fetched = async {
            let answer = self.client.request(request).await?;
            if answer.status() != http::StatusCode::OK {
                return Err(format!("it answered {}", answer.status()).into());
            }
            Ok::<_, Boxed>(
                Limited::new(answer, LARGEST_LIST)
                    .collect()
                    .await?
                    .to_bytes(),
            )
        };
        match tokio::time::timeout(PATIENCE, fetched).await {
            Ok(fetched) => fetched.map_err(|error| Causes(&*error).to_string()),
            Err(_) => Err("it did not answer in time".to_owned()),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Boxed> {
        let answer = self.client.request(request).await?;
        let (head, body) = answer.into_parts();
        // Outside of a scope nobody wants to know.
        let _ = LAST_WAIT.try_with(|last| last.set(retry_after(&head.headers)));
        let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
        if let Some(issuers) = persist::issuers(&body) {
            *self.issuers.lock().unwrap_or_else(PoisonError::into_inner) = issuers;
        }
        Ok(Response::from_parts(head, body))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let http = self.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let agent = HeaderValue::from_static(AGENT);
            head.headers.insert(USER_AGENT, agent);
            // It is in memory, and its error type has no values.
            let body = body
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            let request = Request::from_parts(head, Full::new(body.unwrap_or_default()));
            let late = || instant_acme::Error::Other("it did not answer in time".into());
            let answer = tokio::time::timeout(PATIENCE, http.send(request))
                .await
                .map_err(|_| late())?
                .map_err(instant_acme::Error::Other)?;
            let (mut head, body) = answer.into_parts();
            bound_retry_after(&mut head.headers);
            Ok(BytesResponse {
                parts: head,
                body: Box::new(body),
            })
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let wait = date.duration_since(SystemTime::now()).unwrap_or_default();
    Some(wait.min(LONGEST_WAIT))
}

/// The client of ACME adds what it is told to the present time, and panics if there is no
/// such time.
fn bound_retry_after(headers: &mut HeaderMap) {
    if let Some(wait) = retry_after(headers) {
        headers.insert(RETRY_AFTER, wait.as_secs().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_so_long_that_it_overflows() {
        for (value, expected) in [
            ("120", "120"),
            ("18446744073709551615", "31536000"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", "31536000"),
            ("Fri, 31 Dec 1999 23:59:59 GMT", "0"),
            ("soon", "soon"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            bound_retry_after(&mut headers);
            assert_eq!(headers.get(RETRY_AFTER).unwrap(), expected);
        }
    }
}
