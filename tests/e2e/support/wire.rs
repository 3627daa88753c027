//! HTTP/1.1 as bytes, so that no library between a test and the socket corrects them.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A complete message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Request or status line.
    pub start: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Fields after a chunked body.
    pub trailers: Vec<(String, String)>,
    /// `true` if the body ended as its framing specified.
    pub complete: bool,
}

impl Message {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }

    /// Returns the text after `Bearer `.
    pub fn bearer(&self) -> Option<&str> {
        self.field("authorization")?.strip_prefix("Bearer ")
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    /// The response to HEAD.
    ResponseWithoutBody,
}

/// Reads one message after another from a stream, and keeps the bytes that were read ahead.
#[derive(Debug)]
pub struct Reader {
    pub held: Vec<u8>,
}

type Seen<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

impl Reader {
    pub fn new() -> Self {
        Self { held: Vec::new() }
    }

    /// Returns the next message, or `None` if the stream ends within a head. `seen` gets every byte as it arrives.
    pub async fn next<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        kind: Kind,
        seen: Seen<'_>,
    ) -> Option<Message> {
        let end = loop {
            if let Some(at) = find(&self.held, b"\r\n\r\n") {
                break at;
            }
            self.more(stream, seen).await?;
        };
        let head: Vec<u8> = self.held.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let (start, fields) = head.split_once("\r\n").unwrap_or((&head, ""));
        let mut message = Message {
            start: start.to_owned(),
            fields: parse_fields(fields),
            ..Message::default()
        };
        let done = self.body(stream, kind, seen, &mut message).await;
        message.complete = done.is_some();
        Some(message)
    }

    async fn body<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        kind: Kind,
        seen: Seen<'_>,
        message: &mut Message,
    ) -> Option<()> {
        let empty = kind == Kind::ResponseWithoutBody
            || kind == Kind::Response && matches!(message.status(), 100..200 | 204 | 304);
        if empty {
            return Some(());
        }
        let chunked = message
            .field("transfer-encoding")
            .is_some_and(|value| value.contains("chunked"));
        if chunked {
            return self.chunks(stream, seen, message).await;
        }
        match message.field("content-length") {
            Some(length) => {
                let length = length.parse().unwrap();
                while self.held.len() < length {
                    if self.more(stream, seen).await.is_none() {
                        message.body = std::mem::take(&mut self.held);
                        return None;
                    }
                }
                message.body = self.held.drain(..length).collect();
            }
            None if kind == Kind::Response => {
                while self.more(stream, seen).await.is_some() {}
                message.body = std::mem::take(&mut self.held);
            }
            None => {}
        }
        Some(())
    }

    async fn chunks<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        seen: Seen<'_>,
        message: &mut Message,
    ) -> Option<()> {
        loop {
            let line = self.line(stream, seen).await?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                loop {
                    let line = self.line(stream, seen).await?;
                    if line.is_empty() {
                        return Some(());
                    }
                    message.trailers.extend(parse_fields(&line));
                }
            }
            while self.held.len() < size + 2 {
                self.more(stream, seen).await?;
            }
            let chunk: Vec<u8> = self.held.drain(..size + 2).collect();
            message.body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn line<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        seen: Seen<'_>,
    ) -> Option<String> {
        let end = loop {
            if let Some(at) = find(&self.held, b"\r\n") {
                break at;
            }
            self.more(stream, seen).await?;
        };
        let line: Vec<u8> = self.held.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    async fn more<S: AsyncRead + Unpin>(&mut self, stream: &mut S, seen: Seen<'_>) -> Option<()> {
        let before = self.held.len();
        match stream.read_buf(&mut self.held).await {
            Ok(1..) => {
                seen(&self.held[before..]);
                Some(())
            }
            Ok(0) | Err(_) => None,
        }
    }
}

fn parse_fields(text: &str) -> Vec<(String, String)> {
    let lines = text.split("\r\n").filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        })
        .collect()
}

pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}
