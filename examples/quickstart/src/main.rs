//! `make run`: starts two demo upstreams with the gateway in front of them, and prints
//! curl commands to try.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::process::Command;

/// The addresses of the demo upstreams, as in `janua.toml`.
const UPSTREAMS: [&str; 2] = ["127.0.0.1:7101", "127.0.0.1:7102"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match quickstart().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn quickstart() -> Result<(), Box<dyn Error>> {
    for address in UPSTREAMS {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("the demo upstream cannot listen on {address}: {error}"))?;
        tokio::spawn(serve(listener, address));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gateway = Command::new(gateway()?)
        .arg("run")
        .arg("--config")
        .arg(folder.join("janua.toml"))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the gateway cannot be started: {error}"))?;
    tokio::select! {
        ended = gateway.wait() => return Err(format!("the gateway ended: {}", ended?).into()),
        answered = answers() => answered?,
    }
    print!("{}", hints(folder));
    // Ctrl-C reaches the gateway too, which then completes the requests in progress.
    tokio::signal::ctrl_c().await?;
    gateway.wait().await?;
    Ok(())
}

/// The path of the gateway's binary, in the directory of this one.
fn gateway() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("janua");
    if path.exists() {
        return Ok(path);
    }
    Err("the gateway is not built yet: run `make run`, which builds it first".into())
}

/// Waits until the gateway accepts connections.
async fn answers() -> Result<(), Box<dyn Error>> {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect("127.0.0.1:8080")
            .await
            .is_ok()
        {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Err("the gateway does not answer on 127.0.0.1:8080".into())
}

fn hints(folder: &Path) -> String {
    let socket = folder.join("admin.sock");
    let socket = socket.display();
    let certificate = folder.join("state/self-signed/_/self-signed.crt");
    let certificate = certificate.display();
    format!(
        "
Janua listens on 127.0.0.1:8080, and with TLS on 127.0.0.1:8443. Try, in another terminal:

  curl -i  localhost:8080/                                    a response of the gateway
  curl -i  localhost:8080/open                                forwarded, with security headers
  curl -i  localhost:8080/api/hello                           401: no key
  curl -i  -H 'x-api-key: demo-key' localhost:8080/api/hello  forwarded; the sixth in a second is 429
  curl -i  'localhost:8080/old?x=1'                           redirected
  curl -i  --cacert {certificate} https://localhost:8443/

  target/debug/janua status --admin {socket}
  target/debug/janua certs --admin {socket}

Edit examples/quickstart/janua.toml: the change takes effect by itself.

Stop with Ctrl-C. The access log follows.

"
    )
}

async fn serve(listener: TcpListener, name: &'static str) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(move |request| echo(request, name));
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Responds with the request that the upstream received.
async fn echo(request: Request<Incoming>, name: &str) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut text = format!(
        "upstream {name} got:\n{} {}\n",
        request.method(),
        request.uri()
    );
    for (field, value) in request.headers() {
        let _ = writeln!(
            text,
            "{field}: {}",
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    Ok(Response::new(Full::new(Bytes::from(text))))
}
