//! One keep-alive connection of a client that reads every response completely.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A deadline that no operation exceeds, even on a busy machine without optimization.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    stream: TcpStream,
    host: SocketAddr,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// `true` if the gateway announced that it closes the connection after this response (RFC 9112 §9.6).
    pub fn announces_close(&self) -> bool {
        self.head.to_lowercase().contains("\r\nconnection: close")
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address,
        })
    }

    /// Sends a request. After a failure there is no response.
    pub async fn send(&mut self, path: &str, token: &str) {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.host
        );
        let _ = self.stream.write_all(head.as_bytes()).await;
    }

    /// Returns the next response, or `None` if the connection ends without one.
    pub async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read())
            .await
            .expect("neither a response nor a close")
    }

    pub async fn request(&mut self, path: &str, token: &str) -> Option<Answer> {
        self.send(path, token).await;
        self.answer().await
    }

    /// Closes the connection with a reset.
    pub fn abort(self) {
        self.stream.set_zero_linger().unwrap();
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut received = Vec::with_capacity(1024);
        loop {
            let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8(received[..end + 2].to_vec()).unwrap();
                let length = content_length(&head);
                if received.len() >= end + 4 + length {
                    return Some(Answer {
                        status: head[9..12].parse().unwrap(),
                        head,
                        body: String::from_utf8(received.split_off(end + 4)).unwrap(),
                    });
                }
            }
            match self.stream.read_buf(&mut received).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().unwrap())
        })
        .unwrap_or(0)
}
