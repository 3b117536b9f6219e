//! The response to a call: its head has been received, its body not yet.

use std::rc::Rc;
use std::time::Duration;

use janua_http::{Failure, ResponseHead};
use janua_upstream::Picked;
use tokio::time::Instant;

use super::search::EndpointConnection;
use super::{Call, connect};
use crate::clock::Moment;
use crate::incoming::Incoming;
use crate::snapshot::LocalUpstream;
use crate::upload::{Upload, UploadState};
use crate::upstream_connection::UpstreamConnection;
use crate::worker::Worker;

/// A response whose body is still to be read. If it is dropped before the end of
/// the body, the connection is closed.
pub(crate) struct UpstreamResponse {
    pub(crate) connection: Box<UpstreamConnection>,
    /// How much of the request has been sent. The rest is sent while the body of
    /// the response is read.
    pub(crate) upload: UploadState,
    /// The longest time between two reads or writes.
    pub(crate) idle_timeout: Duration,
    /// When all of it has to be there; none for no limit.
    pub(crate) ends_at: Option<Instant>,
    /// The protocol that a `101` switches the connection to.
    pub(crate) protocol: Option<Vec<u8>>,
    upstream: Rc<LocalUpstream>,
    picked: Picked,
    /// The client is to be given a cookie for its session.
    needs_cookie: bool,
}

impl UpstreamResponse {
    pub(super) fn new(
        open: EndpointConnection,
        call: &Call<'_>,
        upload: UploadState,
        protocol: Option<Vec<u8>>,
    ) -> Self {
        let course = call.course;
        let is_sticky = course.forwarding().sticky.is_some();
        Self {
            needs_cookie: is_sticky && call.tie.needs_cookie(open.picked.index),
            connection: open.connection,
            upload,
            idle_timeout: course.idle_timeout,
            ends_at: open.ends_at,
            protocol,
            upstream: Rc::clone(&course.upstream),
            picked: open.picked,
        }
    }

    /// The body of the response, and the upload of the rest of the request.
    pub(crate) fn split<'a>(
        &'a mut self,
        request: &'a mut Incoming,
    ) -> (&'a mut Incoming, Upload<'a>) {
        let upload = Upload::new(
            Some(request),
            &mut self.connection.outgoing,
            &mut self.upload,
        );
        (&mut self.connection.incoming, upload)
    }

    /// The value of a field `Set-Cookie` that ties the client to the endpoint that has answered;
    /// none if the client has such a cookie, or its upstream has no sessions.
    pub(crate) fn session_cookie(&self, is_https: bool, unix_seconds: u64) -> Option<Vec<u8>> {
        let sticky = self.upstream.forwarding.sticky.as_ref();
        let sticky = sticky.filter(|_| self.needs_cookie)?;
        sticky.set_cookie(self.picked.index, is_https, unix_seconds)
    }

    /// Returns the connection to the pool. The whole request must have been sent
    /// and the whole response received.
    pub(crate) fn put_back(self, worker: &Worker, head: &ResponseHead, now: Moment) {
        let forwarding = &self.upstream.forwarding;
        connect::put(worker, forwarding, &self.picked, self.connection, head, now);
    }

    /// Reports to the endpoint's passive health check that the response could not
    /// be read to its end.
    pub(crate) fn fail(&self, worker: &Worker, failure: &Failure) {
        connect::report(worker, &self.upstream.forwarding, &self.picked, failure);
    }

    /// The connection, which now uses another protocol, and the guard that counts
    /// it as a connection of the endpoint.
    pub(crate) fn into_parts(self) -> (Box<UpstreamConnection>, Picked) {
        (self.connection, self.picked)
    }
}
