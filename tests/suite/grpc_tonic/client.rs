//! A client of the service `test.Test`: tonic over its own connections, or as a client of
//! gRPC-Web over HTTP/1.1.

use std::net::SocketAddr;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request as HttpRequest, Response as HttpResponse};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{IntoRequest, Request, Response, Status, Streaming};
use tonic_web::GrpcWebClientService;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::codec::BytesCodec;

/// The host that calls are for.
pub(crate) const HOST: &str = "a.example";

/// A client. A method is the last part of a path of `test.Test`, or a whole path.
#[derive(Clone)]
pub(crate) struct Client {
    grpc: Grpc<Transport>,
}

type Transport = BoxCloneSyncService<HttpRequest<Body>, HttpResponse<Body>, Status>;

impl Client {
    /// Connects with prior knowledge of HTTP/2.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        Self::over(endpoint.connect().await.expect("a connection"))
    }

    /// Connects with TLS, and demands a certificate of this authority (PEM) and HTTP/2 by ALPN.
    pub(crate) async fn connect_tls(address: SocketAddr, authority: &str) -> Self {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority))
            .domain_name(HOST);
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap();
        let origin = format!("https://{HOST}").parse().unwrap();
        let connected = endpoint.origin(origin).connect().await;
        Self::over(connected.expect("a connection with TLS"))
    }

    /// A client of gRPC-Web in its binary form: that of tonic has no other.
    pub(crate) fn web(address: SocketAddr) -> Self {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        let transport = GrpcWebClientService::new(http)
            .map_response(|response: HttpResponse<_>| response.map(Body::new))
            .map_err(|error| Status::from_error(error.into()));
        let transport = Transport::new(transport);
        let origin = format!("http://{address}").parse().unwrap();
        Self {
            grpc: Grpc::with_origin(transport, origin),
        }
    }

    fn over(channel: Channel) -> Self {
        let transport = Transport::new(channel.map_err(|error| Status::from_error(error.into())));
        Self {
            grpc: Grpc::new(transport),
        }
    }

    /// Compresses what it sends, and accepts what is compressed.
    pub(crate) fn compressed(mut self) -> Self {
        self.grpc = self.grpc.send_compressed(Gzip).accept_compressed(Gzip);
        self
    }

    /// One message for one message.
    pub(crate) async fn unary(
        &self,
        method: &str,
        request: impl IntoRequest<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        let mut grpc = self.ready().await?;
        let request = request.into_request();
        grpc.unary(request, path(method), BytesCodec).await
    }

    /// Many messages for one.
    pub(crate) async fn client_streaming<S>(
        &self,
        method: &str,
        messages: S,
    ) -> Result<Response<Bytes>, Status>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let mut grpc = self.ready().await?;
        let request = Request::new(messages);
        grpc.client_streaming(request, path(method), BytesCodec)
            .await
    }

    /// One message for many.
    pub(crate) async fn server_streaming(
        &self,
        method: &str,
        request: impl IntoRequest<Bytes>,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        let mut grpc = self.ready().await?;
        let request = request.into_request();
        grpc.server_streaming(request, path(method), BytesCodec)
            .await
    }

    /// Many messages for many.
    pub(crate) async fn streaming<S>(
        &self,
        method: &str,
        request: Request<S>,
    ) -> Result<Response<Streaming<Bytes>>, Status>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let mut grpc = self.ready().await?;
        grpc.streaming(request, path(method), BytesCodec).await
    }

    async fn ready(&self) -> Result<Grpc<Transport>, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await?;
        Ok(grpc)
    }
}

/// Reads a stream to its end.
pub(crate) async fn read(stream: &mut Streaming<Bytes>) -> Result<Vec<Bytes>, Status> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// Reads a stream to its end, if it has begun.
pub(crate) async fn outcome(
    begun: Result<Response<Streaming<Bytes>>, Status>,
) -> Result<Vec<Bytes>, Status> {
    read(&mut begun?.into_inner()).await
}

fn path(method: &str) -> PathAndQuery {
    let path = match method.starts_with('/') {
        true => method.to_owned(),
        false => format!("/test.Test/{method}"),
    };
    path.parse().expect("a path")
}
