//! Sends the portal's requests: one GET per connection to an address on this machine, with limits on time and size. The
//! response ends when the connection ends.

use crate::token::RawToken;
use serde_json::Value;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(10);
const MAX_ANSWER: u64 = 1 << 20;

/// A response.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

/// Sends a GET request for `path` to `address`, with `token` in the Authorization field.
pub(super) async fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&RawToken>,
) -> io::Result<Answer> {
    let mut request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n").into_bytes();
    if let Some(token) = token {
        request.extend_from_slice(b"Authorization: Bearer ");
        // the only place where the portal sends the token
        request.extend_from_slice(token.expose());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&request).await?;
        let mut bytes = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
        io::Result::Ok(bytes)
    };
    let bytes = timeout(DEADLINE, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Answer::parse(&String::from_utf8_lossy(&bytes))
}

impl Answer {
    fn parse(text: &str) -> io::Result<Self> {
        let unusable = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP response");
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(unusable)?;
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(unusable)?;
        Ok(Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// Returns the first field with this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns the body as JSON, or null if it is not JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}
