//! Sends the portal's requests: one GET per connection to an address on this machine, with limits on time and size.

use crate::{
    egress::{DirectClient, DirectLimits},
    token::RawToken,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde_json::Value;
use std::{io, net::SocketAddr, time::Duration};

const LIMITS: DirectLimits = DirectLimits {
    deadline: Duration::from_secs(10),
    body: 1 << 20,
};

/// A response.
pub(super) struct DemoResponse {
    pub(super) status: u16,
    pub(super) body: String,
    response: Response<Bytes>,
}

/// Sends a GET request for `path` to `address`, with `token` in the Authorization field.
pub(super) async fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&RawToken>,
) -> io::Result<DemoResponse> {
    let mut request = Request::get(path);
    if let Some(token) = token {
        // the only place where the portal sends the token
        let credential = [b"Bearer ", token.expose()].concat();
        let mut credential = HeaderValue::try_from(credential).map_err(io::Error::other)?;
        credential.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, credential);
    }
    let request = request.body(Bytes::new()).map_err(io::Error::other)?;
    let client = DirectClient::new(address, None, LIMITS)?;
    client.send(request).await.map(DemoResponse::of)
}

impl DemoResponse {
    fn of(response: Response<Bytes>) -> Self {
        Self {
            status: response.status().as_u16(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            response,
        }
    }

    /// Returns the first field with this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns the body as JSON, or null if it is not JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}
