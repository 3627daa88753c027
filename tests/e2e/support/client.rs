//! A client that writes exact bytes.

use super::{
    PATIENCE,
    wire::{Kind, Message, Reader},
};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A request to be written.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    pub target: String,
    pub host: String,
    pub fields: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Ask {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: "api.example.com".to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut ask = Self::new("POST", target);
        ask.body = Some(body.into());
        ask
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.field("Authorization", &format!("Bearer {token}"))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            self.method, self.target, self.host
        );
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = format!("{text}\r\n").into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// A response.
pub type Answer = Message;

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns `error` of a body that the gateway itself wrote.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    pub fn challenge(&self) -> Option<&str> {
        self.field("www-authenticate")
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    reader: Reader,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            reader: Reader::new(),
        }
    }

    /// Writes `bytes`. If the other side has closed the connection, the missing response shows it.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Returns the next response that is not informational, or `None` if the connection ends first.
    pub async fn answer(&mut self, kind: Kind) -> Option<Answer> {
        timeout(PATIENCE, async {
            loop {
                let answer = self
                    .reader
                    .next(&mut self.stream, kind, &mut |_| {})
                    .await?;
                if !(100..200).contains(&answer.status()) || answer.status() == 101 {
                    return Some(answer);
                }
            }
        })
        .await
        .expect("neither a response nor a close")
    }

    pub async fn ask(&mut self, ask: &Ask) -> Option<Answer> {
        self.send(&ask.bytes()).await;
        let kind = if ask.method == "HEAD" {
            Kind::ResponseWithoutBody
        } else {
            Kind::Response
        };
        self.answer(kind).await
    }

    /// Returns `true` if the other side ends the connection without another byte.
    pub async fn ends(&mut self) -> bool {
        let mut rest = self.reader.held.clone();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        // a reset ends it as well
        let _ = read.expect("the connection stays open");
        rest.is_empty()
    }

    /// Returns everything that was received until the end of the connection (or a reset) and not read as a response.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = self.reader.held.clone();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        let _ = read.expect("the connection stays open");
        rest
    }

    /// Returns the bytes that were received and not yet read as a response.
    pub fn rest_so_far(&self) -> &[u8] {
        &self.reader.held
    }

    /// Reads until the received bytes contain `wanted`.
    pub async fn until_received(&mut self, wanted: &[u8]) {
        let reading = async {
            while super::wire::find(&self.reader.held, wanted).is_none() {
                assert_ne!(
                    self.stream.read_buf(&mut self.reader.held).await.unwrap(),
                    0
                );
            }
        };
        timeout(PATIENCE, reading).await.expect("it never came");
    }
}
