//! Replays the decision about an imagined request, for `explain`.
//!
//! The request passes through the same functions as a real one, in the same order, and stops before the upstream.
//! Nothing is sent to an upstream.

use super::Hooks;
use crate::{
    error::Refusal,
    pipeline::{Decision, Forward, RequestRecord, Respond},
    sts::Peer,
    telemetry::DecisionObserver,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use pingora::http::RequestHeader;
use thiserror::Error;

/// The head of an imagined request.
#[derive(Debug, Clone)]
pub struct ImaginedHead {
    /// The request method.
    pub method: Method,
    /// Path and query as they would be in the request line; they are not normalized.
    pub target: Vec<u8>,
    /// The header fields, including `Host`.
    pub fields: HeaderMap,
}

/// How the gateway would handle a request.
#[derive(Debug)]
pub enum RehearsedOutcome {
    /// It would forward the request to the upstream, with an on-behalf-of token.
    Forwarded,
    /// It would forward the request to the upstream of a public route, without a token.
    ForwardedBare,
    /// It would send one of its own documents, or the response of its token service to a request without a body.
    Document(StatusCode),
    /// It would respond to a browser's preflight request, with these fields.
    Preflight(Vec<(HeaderName, HeaderValue)>),
    /// It would refuse the request.
    Refused(Refusal),
}

impl From<Forward> for RehearsedOutcome {
    fn from(forward: Forward) -> Self {
        match forward {
            Forward::OnBehalfOf(_) => Self::Forwarded,
            Forward::Public(..) => Self::ForwardedBare,
        }
    }
}

/// The target cannot be part of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a request line cannot contain this path and query")]
pub struct NoRequest;

impl Hooks {
    /// Decides on `imagined` and returns the result; `record` records the steps of the decision.
    ///
    /// # Errors
    /// [`NoRequest`] if such a request cannot exist.
    pub async fn rehearse(
        &self,
        imagined: &ImaginedHead,
        record: &mut RequestRecord<impl DecisionObserver>,
    ) -> Result<RehearsedOutcome, NoRequest> {
        let mut head = RequestHeader::build(imagined.method.clone(), &imagined.target, None)
            .map_err(|_| NoRequest)?;
        for (name, value) in &imagined.fields {
            head.append_header(name.clone(), value.clone())
                .map_err(|_| NoRequest)?;
        }
        let respond = match self.decide(&head, self.ids.request_id(), record) {
            Decision::Forward(forward) => return Ok(RehearsedOutcome::from(forward)),
            Decision::Exchange(pending) => {
                match self.pipeline.conclude(&head, pending, record).await {
                    Ok(forward) => return Ok(RehearsedOutcome::from(forward)),
                    Err(refusal) => Respond::Refusal(refusal),
                }
            }
            Decision::Respond(respond) => respond,
        };
        Ok(match respond {
            Respond::TokenService => {
                let (peer, body) = (self.nobody(), Bytes::new());
                let request = Request::from_parts(head.as_owned_parts(), body);
                let response = self.service.respond(request, &peer).await;
                RehearsedOutcome::Document(response.status())
            }
            Respond::Preflight => {
                let cors = record.route.as_ref().and_then(|route| route.cors());
                let origin = head.headers.get(header::ORIGIN);
                let fields = cors.map(|cors| cors.preflight(origin));
                RehearsedOutcome::Preflight(fields.unwrap_or_default())
            }
            Respond::Refusal(refusal) => RehearsedOutcome::Refused(refusal),
        })
    }

    /// Returns the peer of an imagined request.
    fn nobody(&self) -> Peer {
        Peer {
            address: None,
            certificate: None,
            id: self.ids.request_id(),
        }
    }
}
