//! The admin socket, used without the gateway's own client and by its commands.

use std::time::Duration;

use super::{Gateway, Ran, run};
use crate::message::{Request, Response};
use crate::wire::Wire;

/// A reload compiles components, with a low priority and for up to three minutes.
const PATIENCE: Duration = Duration::from_secs(200);

impl Gateway {
    /// Sends a request without a body to the admin socket.
    pub async fn ask(&self, method: &str, target: &str) -> Response {
        self.ask_with(&Request::new(method, target)).await
    }

    /// Sends a request to the admin socket.
    pub async fn ask_with(&self, request: &Request) -> Response {
        let path = self.directory().join("admin.sock");
        let wire = Wire::connect_unix(&path).await;
        let mut wire = wire.unwrap_or_else(|error| panic!("the admin socket: {error}"));
        wire.set_patience(PATIENCE);
        wire.exchange(request).await
    }

    /// Runs `janua` with these arguments and the admin socket of this gateway.
    pub async fn command(&self, arguments: &[&str]) -> Ran {
        let all = [arguments, &["--admin", "admin.sock"]].concat();
        run(self.directory(), &all).await
    }

    /// The same, which must succeed. Returns what it wrote to the standard output.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let ran = self.command(arguments).await;
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{arguments:?}");
        ran.stdout
    }

    /// Whether `/readyz` answers with 200.
    pub async fn is_ready(&self) -> bool {
        let path = self.directory().join("admin.sock");
        let Ok(mut wire) = Wire::connect_unix(&path).await else {
            return false;
        };
        let asked = wire.try_send(Request::get("/readyz").to_bytes()).await;
        asked.is_ok() && matches!(wire.try_receive("GET").await, Ok(ready) if ready.status == 200)
    }
}
