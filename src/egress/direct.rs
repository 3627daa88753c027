//! Requests of the program's commands to one address: the admin listener, and the servers of the demo.

use super::PinnedTls;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header};
use reqwest::{Client, redirect, retry};
use rustls::crypto::CryptoProvider;
use std::{error::Error, io, net::SocketAddr, time::Duration};
use tokio::time::timeout;
use url::Url;

/// Stands for the address in URLs, because a URL cannot contain the scope of an IPv6 address. It is never resolved
/// (RFC 6761 §6.4) and never sent.
const NAME: &str = "address.invalid";

/// Sends requests to one address, without name resolution, redirects and proxies. Each has a connection of its own.
#[derive(Debug)]
pub struct DirectClient {
    client: Client,
    address: SocketAddr,
    scheme: &'static str,
    limits: DirectLimits,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct DirectLimits {
    /// Maximum time, from the connection to the last byte.
    pub deadline: Duration,
    /// Maximum size of a body, in bytes. Longer ones are cut.
    pub body: usize,
}

impl DirectClient {
    /// Creates a client for `address`. Without `tls` it sends plain text.
    ///
    /// # Errors
    /// The program has not installed a cryptography provider.
    pub fn new(
        address: SocketAddr,
        tls: Option<&PinnedTls>,
        limits: DirectLimits,
    ) -> io::Result<Self> {
        let unusable = || io::Error::other("TLS is not set up");
        // without it, reqwest would panic instead of returning an error
        CryptoProvider::get_default().ok_or_else(unusable)?;
        let builder = match tls {
            Some(tls) => Client::builder().tls_backend_preconfigured(tls.config().clone()),
            None => Client::builder().tls_certs_only(Vec::new()),
        };
        let client = builder
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .resolve(NAME, address)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            client,
            address,
            scheme: if tls.is_some() { "https" } else { "http" },
            limits,
        })
    }

    /// Sends `request`, whose URI is path and query, and returns the response. A body that ends early is returned as it
    /// is.
    ///
    /// # Errors
    /// There is no connection, no response in time, or one that is not HTTP.
    pub async fn send(&self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        timeout(self.limits.deadline, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn exchange(&self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        let (mut parts, body) = request.into_parts();
        let url = format!(
            "{}://{NAME}:{}{}",
            self.scheme,
            self.address.port(),
            parts.uri
        );
        let url = Url::parse(&url).map_err(io::Error::other)?;
        let host = self.address.to_string().try_into();
        let host: HeaderValue = host.map_err(io::Error::other)?;
        parts.headers.insert(header::HOST, host);
        parts
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        let sent = self
            .client
            .request(parts.method, url)
            .headers(parts.headers)
            .body(body)
            .send()
            .await;
        let mut response = sent.map_err(|error| cause(&error))?;
        let mut whole = Response::new(Bytes::new());
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Ok(Some(chunk)) = response.chunk().await
            && body.len() < self.limits.body
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(self.limits.body);
        *whole.body_mut() = body.freeze();
        Ok(whole)
    }
}

/// Returns the innermost cause if it comes from the connection. Everything else means that the response is not HTTP.
fn cause(error: &reqwest::Error) -> io::Error {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) => io::Error::new(error.kind(), error.to_string()),
        None => io::Error::new(io::ErrorKind::InvalidData, "the response is not HTTP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const LIMITS: DirectLimits = DirectLimits {
        deadline: Duration::from_secs(10),
        body: 4,
    };

    /// Returns what a client gets from a server that sends `response` and closes the connection, and the request.
    async fn asked(response: &'static [u8]) -> (io::Result<Response<Bytes>>, String) {
        // another test of this process may have installed it
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = DirectClient::new(address, None, LIMITS).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(response).await.unwrap();
            request.truncate(length);
            String::from_utf8(request)
                .unwrap()
                .replace(&address.to_string(), "ADDRESS")
        };
        let request = Request::get("/a?b=c").body(Bytes::new()).unwrap();
        tokio::join!(client.send(request), server)
    }

    #[tokio::test]
    async fn a_request_names_the_address_as_its_host() {
        let (response, request) = asked(b"HTTP/1.1 404 Not Found\r\nX-A: b\r\n\r\nabc").await;
        let response = response.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(response.body(), "abc");
        assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
        assert!(
            request.to_lowercase().contains("host: address\r\n"),
            "{request}"
        );
        assert!(!request.contains(NAME), "{request}");
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_is_too_long_is_cut() {
        let (response, _) = asked(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        assert_eq!(response.unwrap().body(), "abc");
        let (response, _) = asked(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde").await;
        assert_eq!(response.unwrap().body(), "abcd");
    }

    #[tokio::test]
    async fn an_error_says_what_happened_on_the_connection() {
        for other in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b""] {
            let (response, _) = asked(other).await;
            assert_eq!(
                response.unwrap_err().to_string(),
                "the response is not HTTP"
            );
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let client = DirectClient::new(address, None, LIMITS).unwrap();
        let refused = client.send(Request::new(Bytes::new())).await;
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .starts_with("Connection refused"),
            "the error of the operating system"
        );
    }
}
