//! One connection to a front.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::asked::RENEWAL_INFO;
use super::{Asked, Call, Fault, Point, State};
use crate::message::{Received, Reply, Request, Response};
use crate::upstream::Visit;

/// The connection ends with a reset.
struct Broken;

/// Serves the requests of one connection, one after the other.
pub(super) async fn serve(mut visit: Visit, state: Arc<State>) {
    while let Ok(request) = visit.request().await {
        if state.is_down.load(Ordering::SeqCst) {
            visit.wire.reset_on_drop();
            return;
        }
        let number = state.arrived(Call::of(&request));
        let Ok(reply) = state.answer(&request, number, &mut visit).await else {
            visit.wire.reset_on_drop();
            return;
        };
        let sent = visit.wire.try_send(reply.to_bytes(&request.method)).await;
        if sent.is_err() {
            return;
        }
    }
}

impl State {
    /// Notes a request, and returns its number.
    fn arrived(&self, call: Call) -> usize {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        calls.len() - 1
    }

    fn answered(&self, number: usize, reply: &Reply) {
        let mut calls = self.calls.lock().unwrap();
        calls[number].status = Some(reply.status());
        calls[number].answer = serde_json::from_slice(reply.content()).unwrap_or_default();
    }

    async fn answer(
        &self,
        request: &Received,
        number: usize,
        visit: &mut Visit,
    ) -> Result<Reply, Broken> {
        let asked = Asked::at(&request.target);
        self.pass(asked, Point::Request).await?;
        let fault = self.faults.lock().unwrap().take(asked);
        let reply = match fault {
            Some(Fault::Reset) => return Err(Broken),
            Some(Fault::Hang) => {
                let _ = visit.wire.take_rest().await;
                return Err(Broken);
            }
            Some(Fault::Page(status)) => Reply::new(status)
                .header("Content-Type", "text/html")
                .body("<html>not now</html>"),
            Some(Fault::Problem {
                status,
                problem,
                retry_after,
            }) => {
                let retry_after = retry_after.as_deref();
                self.problem(request, status, &problem, retry_after).await
            }
            Some(Fault::Processing { retry_after }) => {
                let mut answer = self.forward(request).await?;
                set_processing(&mut answer, retry_after);
                reply(answer)
            }
            None if asked == Asked::RenewalInfo => {
                self.renewals.lock().unwrap().answer(&request.target)
            }
            None => reply(self.forward(request).await?),
        };
        self.answered(number, &reply);
        self.pass(asked, Point::Answer).await?;
        Ok(reply)
    }

    async fn problem(
        &self,
        request: &Received,
        status: u16,
        problem: &Value,
        retry_after: Option<&str>,
    ) -> Reply {
        let mut reply = Reply::new(status)
            .header("Content-Type", "application/problem+json")
            .body(problem.to_string());
        if let Some(value) = retry_after {
            reply = reply.header("Retry-After", value);
        }
        // RFC 8555, section 6.5: an error has one too, which the client may use next.
        match self.nonce(request).await {
            Some(nonce) => reply.header("Replay-Nonce", &nonce),
            None => reply,
        }
    }

    async fn pass(&self, asked: Asked, point: Point) -> Result<(), Broken> {
        let passed = self.holds.lock().unwrap().pass(asked, point);
        if passed.await { Ok(()) } else { Err(Broken) }
    }

    /// The authority's answer, with what it does not have.
    async fn forward(&self, request: &Received) -> Result<Response, Broken> {
        let mut forwarded = Request::new(&request.method, &request.target);
        for (name, value) in &request.fields {
            forwarded = match name.to_ascii_lowercase().as_str() {
                "host" => forwarded.host(value),
                "content-length" | "transfer-encoding" | "connection" => forwarded,
                _ => forwarded.header(name, value),
            };
        }
        if request.method == "POST" {
            forwarded = forwarded.body(request.body.clone());
        }
        let mut answer = self.exchange(&forwarded).await.ok_or(Broken)?;
        self.extend(request, &mut answer);
        Ok(answer)
    }

    /// None if the authority cannot be reached.
    async fn exchange(&self, request: &Request) -> Option<Response> {
        let stream = TcpStream::connect(self.pebble).await.ok()?;
        let wire = self.client.connect_over(stream, "localhost").await;
        let mut wire = wire.ok()?;
        wire.try_send(request.to_bytes()).await.ok()?;
        wire.try_receive(request.method()).await.ok()
    }

    /// A nonce of the authority for an answer that it did not give.
    async fn nonce(&self, request: &Received) -> Option<String> {
        let host = request.header("host").unwrap_or_default();
        let ask = Request::new("HEAD", "/nonce-plz").host(host);
        let answer = self.exchange(&ask).await?;
        answer.header("replay-nonce").map(ToOwned::to_owned)
    }

    /// Adds what the authority does not have.
    fn extend(&self, request: &Received, answer: &mut Response) {
        let asked = Asked::at(&request.target);
        let is_order = matches!(asked, Asked::NewOrder | Asked::Order | Asked::Finalize);
        if asked != Asked::Directory && !is_order || answer.status >= 300 {
            return;
        }
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
            return;
        };
        if is_order {
            let url = answer.header("location").unwrap_or(&request.target);
            let mut wishes = self.wishes.lock().unwrap();
            if asked == Asked::NewOrder {
                wishes.note(url, &Call::of(request).payload);
            }
            wishes.reflect(url, &mut body);
        } else {
            self.extend_directory(request, &mut body);
        }
        answer.body = body.to_string().into_bytes();
    }

    fn extend_directory(&self, request: &Received, directory: &mut Value) {
        if self.renewals.lock().unwrap().are_offered() {
            let host = request.header("host").unwrap_or_default();
            directory["renewalInfo"] = json!(format!("https://{host}{RENEWAL_INFO}"));
        }
        if let Some(profiles) = &*self.profiles.lock().unwrap() {
            directory["meta"]["profiles"] = profiles.clone();
        }
    }
}

/// Makes an order that is valid one for which the certificate is still made.
fn set_processing(answer: &mut Response, retry_after: u64) {
    let Ok(mut order) = serde_json::from_slice::<Value>(&answer.body) else {
        return;
    };
    let Some(fields) = order.as_object_mut() else {
        return;
    };
    fields.insert("status".to_owned(), json!("processing"));
    fields.remove("certificate");
    answer.body = order.to_string().into_bytes();
    let field = ("Retry-After".to_owned(), retry_after.to_string());
    answer
        .fields
        .retain(|(name, _)| !name.eq_ignore_ascii_case("retry-after"));
    answer.fields.push(field);
}

fn reply(answer: Response) -> Reply {
    let mut reply = Reply::new(answer.status).body(answer.body);
    for (name, value) in &answer.fields {
        let name_in_lower_case = name.to_ascii_lowercase();
        // The length may have changed.
        if !["content-length", "transfer-encoding", "connection"]
            .contains(&name_in_lower_case.as_str())
        {
            reply = reply.header(name, value);
        }
    }
    reply
}
