//! A request that nobody sent, led to the decision that a real one would meet.
//!
//! What enters is a head; what leaves is how its request would end as far as the gateway decides. It meets the functions
//! that requests meet, in their order, and stops where a downstream would be asked. Nothing is sent to one.

use super::{Hooks, arrival::FirstLook};
use crate::{
    error::Refusal,
    pipeline::{Admission, Trail},
    sts::Peer,
    telemetry::Witness,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use pingora::http::RequestHeader;
use thiserror::Error;

/// The head of a request that nobody sent.
#[derive(Debug, Clone)]
pub struct ImaginedHead {
    /// The method.
    pub method: Method,
    /// Path and query as they would stand in the request line: nothing is normalised.
    pub target: Vec<u8>,
    /// The header fields, `Host` among them.
    pub fields: HeaderMap,
}

/// How a request would end as far as the gateway decides.
#[derive(Debug)]
pub enum Ending {
    /// With the on-behalf-of token, to the downstream.
    Forwarded,
    /// Without any token, to the downstream of a public route.
    ForwardedBare,
    /// With one of the gateway's own documents, or what its token service says to a request without a body.
    Document(StatusCode),
    /// With the answer to a browser's preflight, and these fields.
    Preflight(Vec<(HeaderName, HeaderValue)>),
    /// With a refusal.
    Refused(Refusal),
}

/// No request line could hold the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no request line can hold this path and query")]
pub struct NoRequest;

impl Hooks {
    /// Leads `imagined` to its ending; `trail` says what was met on the way.
    ///
    /// # Errors
    /// [`NoRequest`] where no such request can be.
    pub async fn rehearse(
        &self,
        imagined: &ImaginedHead,
        trail: &mut Trail<impl Witness>,
    ) -> Result<Ending, NoRequest> {
        let mut head = RequestHeader::build(imagined.method.clone(), &imagined.target, None)
            .map_err(|_| NoRequest)?;
        for (name, value) in &imagined.fields {
            head.append_header(name.clone(), value.clone())
                .map_err(|_| NoRequest)?;
        }
        let refusal = match self.first_look(&head) {
            FirstLook::Service => {
                let (peer, body) = (self.nobody(), Bytes::new());
                let request = Request::from_parts(head.as_owned_parts(), body);
                let answer = self.service.answer(request, &peer).await;
                return Ok(Ending::Document(answer.status()));
            }
            FirstLook::Refused(refusal) => refusal,
            FirstLook::Request => {
                match self
                    .pipeline
                    .admit(&head, self.ids.request_id(), trail)
                    .await
                {
                    Ok(Admission::Authorized(_)) => return Ok(Ending::Forwarded),
                    Ok(Admission::Public(..)) => return Ok(Ending::ForwardedBare),
                    Ok(Admission::Preflight) => {
                        let cors = trail.route.as_ref().and_then(|route| route.cors());
                        let origin = head.headers.get(header::ORIGIN);
                        let fields = cors.map(|cors| cors.preflight(origin));
                        return Ok(Ending::Preflight(fields.unwrap_or_default()));
                    }
                    Err(refusal) => refusal,
                }
            }
        };
        Ok(Ending::Refused(refusal))
    }

    /// Who sends what nobody sent.
    fn nobody(&self) -> Peer {
        Peer {
            address: None,
            certificate: None,
            id: self.ids.request_id(),
        }
    }
}
