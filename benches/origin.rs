//! The API behind the proxies of the benchmark: HTTP/1.1, keep-alive, always the same 128 bytes, as little work as possible.
//! Prints `listening <address>` and serves until it is killed.
#![allow(clippy::print_stdout, reason = "the address is this program's output")]

use std::error::Error;
use std::net::SocketAddr;

use clap::Parser;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 is a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(Arguments::parse().listen).await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

/// Answers every head; requests of the benchmark have no body.
async fn answer(mut stream: TcpStream) {
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 128\r\n\r\n{:x<128}",
        ""
    );
    let end = memmem::Finder::new(b"\r\n\r\n");
    let mut received = Vec::with_capacity(16 * 1024);
    while let Ok(1..) = stream.read_buf(&mut received).await {
        while let Some(position) = end.find(&received) {
            received.drain(..position + 4);
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
