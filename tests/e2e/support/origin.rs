//! An upstream API that keeps every byte that it receives, with responses that the test sets.

use super::wire::{Kind, Message, Reader};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedReceiver,
    task::JoinHandle,
};

pub struct Origin {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

struct Inner {
    bytes: Mutex<Vec<u8>>,
    requests: Mutex<Vec<Message>>,
    script: Mutex<Script>,
    connections: AtomicUsize,
}

type Script = Arc<dyn Fn(&Message) -> Reply + Send + Sync>;

/// The reaction of the upstream to a request.
pub enum Reply {
    /// Sends these bytes and waits for the next request.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    SendAndClose(Vec<u8>),
    /// Sends the bytes from the channel as they arrive.
    Stream(UnboundedReceiver<Vec<u8>>),
    /// Never responds.
    Hang,
}

impl Origin {
    /// Responds to every request with `200` and `hello`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            bytes: Mutex::default(),
            requests: Mutex::default(),
            script: Mutex::new(Arc::new(|_| Reply::Send(answer("200 OK", &[], "hello")))),
            connections: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&inner);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self {
            address,
            inner,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections.
    #[allow(dead_code, reason = "the streaming tests ask for it")]
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Uses `script` for responses from now on.
    pub fn answers(&self, script: impl Fn(&Message) -> Reply + Send + Sync + 'static) {
        *self.inner.script.lock().unwrap() = Arc::new(script);
    }

    /// Responds with these bytes from now on.
    pub fn always(&self, bytes: Vec<u8>) {
        self.answers(move |_| Reply::Send(bytes.clone()));
    }

    /// Returns every byte that arrived on any connection.
    pub fn bytes(&self) -> Vec<u8> {
        self.inner.bytes.lock().unwrap().clone()
    }

    /// Returns the requests that arrived completely.
    pub fn requests(&self) -> Vec<Message> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// Returns the only request.
    pub fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.remove(0)
    }

    pub fn forget(&self) {
        self.inner.requests.lock().unwrap().clear();
        self.inner.bytes.lock().unwrap().clear();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Returns a response with a length.
pub fn answer(status: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}\r\n{body}").into_bytes()
}

async fn serve(mut stream: TcpStream, inner: Arc<Inner>) {
    let mut reader = Reader::new();
    loop {
        let recording = Arc::clone(&inner);
        let mut record = move |bytes: &[u8]| {
            recording.bytes.lock().unwrap().extend_from_slice(bytes);
        };
        let Some(request) = reader.next(&mut stream, Kind::Request, &mut record).await else {
            return;
        };
        let script = Arc::clone(&inner.script.lock().unwrap());
        let reply = script(&request);
        inner.requests.lock().unwrap().push(request);
        match reply {
            Reply::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reply::SendAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Stream(mut parts) => {
                while let Some(bytes) = parts.recv().await {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
            Reply::Hang => std::future::pending().await,
        }
    }
}
