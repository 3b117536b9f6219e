//! Who permits certificates on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::message::{Received, Reply};
use crate::upstream::Upstream;

/// A server that answers `GET /allowed?domain=NAME`: 200 for the names that a test permits, and
/// 403 for all others.
#[derive(Debug)]
pub struct AskServer {
    server: Upstream,
    state: Arc<Mutex<State>>,
}

/// What is answered for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// 200.
    Granted,
    /// 403.
    Refused,
    /// Another status, such as 500.
    Status(u16),
    /// 302 to this URL.
    Redirected(String),
    /// Nothing, until the connection is closed.
    Hanging,
    /// 200, once the test permits it with [`Permission::Granted`].
    Awaited,
}

#[derive(Debug, Default)]
struct State {
    permissions: HashMap<String, Permission>,
    questions: Vec<String>,
    malformed: Vec<String>,
    in_flight: usize,
    most_in_flight: usize,
}

impl AskServer {
    /// Starts it, and permits nothing.
    pub async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let server = Upstream::http(move |request| answer(request, Arc::clone(&shared)));
        Self {
            server: server.await,
            state,
        }
    }

    /// Its URL, without the query.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/allowed", self.server.endpoint())
    }

    /// Sets what is answered for a name.
    pub fn set(&self, name: &str, permission: Permission) {
        let mut state = self.state.lock().unwrap();
        state.permissions.insert(name.to_owned(), permission);
    }

    /// The names that were asked for, in order of arrival.
    #[must_use]
    pub fn questions(&self) -> Vec<String> {
        self.state.lock().unwrap().questions.clone()
    }

    /// Requests that were no questions.
    #[must_use]
    pub fn malformed(&self) -> Vec<String> {
        self.state.lock().unwrap().malformed.clone()
    }

    /// How many questions there were at once.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }

    /// Stops it: connections are refused from then on.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Counts a question as long as it is there: a client that goes away ends its task.
struct InFlight(Arc<Mutex<State>>);

impl InFlight {
    fn count(state: &Arc<Mutex<State>>) -> Self {
        let mut counts = state.lock().unwrap();
        counts.in_flight += 1;
        counts.most_in_flight = counts.most_in_flight.max(counts.in_flight);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
    }
}

async fn answer(request: Received, state: Arc<Mutex<State>>) -> Reply {
    let name = request.target.strip_prefix("/allowed?domain=");
    let Some(name) = name.filter(|_| request.method == "GET") else {
        let line = format!("{} {}", request.method, request.target);
        state.lock().unwrap().malformed.push(line);
        return Reply::new(400);
    };
    let _in_flight = InFlight::count(&state);
    state.lock().unwrap().questions.push(name.to_owned());
    loop {
        let permission = state.lock().unwrap().permissions.get(name).cloned();
        match permission.unwrap_or(Permission::Refused) {
            Permission::Granted => return Reply::ok("yes"),
            Permission::Refused => return Reply::new(403),
            Permission::Status(status) => return Reply::new(status),
            Permission::Redirected(url) => return Reply::new(302).header("Location", &url),
            Permission::Hanging => std::future::pending().await,
            Permission::Awaited => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}
