//! The response to a call: its head has come, its body is still to be read.

use std::rc::Rc;
use std::time::Duration;

use janua_http::{Failure, ResponseHead};
use janua_upstream::Picked;

use super::connect;
use super::search::Open;
use crate::clock::Moment;
use crate::course::Course;
use crate::incoming::Incoming;
use crate::snapshot::LocalUpstream;
use crate::upload::{self, Upload};
use crate::upstream_connection::UpstreamConnection;
use crate::worker::Worker;

/// A response on its way. Dropped before its end, its connection is closed.
pub(crate) struct UpstreamResponse {
    pub(crate) connection: Box<UpstreamConnection>,
    /// How far the request has come: what is left of it is sent while the body
    /// of the response is read.
    pub(crate) upload: upload::State,
    /// Between two reads or writes.
    pub(crate) idle_timeout: Duration,
    /// What a `101` changes the connection to.
    pub(crate) protocol: Option<Vec<u8>>,
    upstream: Rc<LocalUpstream>,
    picked: Picked,
}

impl UpstreamResponse {
    pub(super) fn new(
        open: Open,
        course: &Course,
        upload: upload::State,
        protocol: Option<Vec<u8>>,
    ) -> Self {
        Self {
            connection: open.connection,
            upload,
            idle_timeout: course.idle_timeout,
            protocol,
            upstream: Rc::clone(&course.upstream),
            picked: open.picked,
        }
    }

    /// The response's body, and the upload of what is left of the request.
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

    /// Keeps the connection for the next request, once all of this one was
    /// sent and all of its response has come.
    pub(crate) fn put_back(self, worker: &Worker, head: &ResponseHead, now: Moment) {
        let forwarding = &self.upstream.forwarding;
        connect::put(worker, forwarding, &self.picked, self.connection, head, now);
    }

    /// The response could not be read to its end: tells the endpoint's health.
    pub(crate) fn fail(&self, worker: &Worker, failure: &Failure) {
        connect::report(worker, &self.upstream.forwarding, &self.picked, failure);
    }

    /// Leaves the connection, which now speaks another protocol, and what keeps
    /// the endpoint's count of it.
    pub(crate) fn into_parts(self) -> (Box<UpstreamConnection>, Picked) {
        (self.connection, self.picked)
    }
}
