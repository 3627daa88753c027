//! The API behind the proxies of the benchmark: HTTP/1.1, keep-alive, always the same response, as little work as possible.
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
    /// The address to listen on; port 0 selects a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Send the shortest response that HTTP allows, instead of one that is typical for APIs.
    #[arg(long)]
    short: bool,
    /// Never sleep. Otherwise the proxy pays for waking this process up, which is expensive in a virtual machine and says
    /// nothing about the proxy.
    #[arg(long)]
    awake: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen).await?;
    println!("listening {}", listener.local_addr()?);
    if arguments.awake {
        tokio::spawn(stay_awake());
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(
            stream,
            if arguments.short { short() } else { usual() },
        ));
    }
}

/// 128 bytes of text.
fn short() -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 128\r\n\r\n{:x<128}",
        ""
    )
}

/// 1 KiB of JSON, after the fields that frameworks write.
fn usual() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nServer: orders/2.7\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: 1024\r\nCache-Control: private, no-store\r\n\
         ETag: \"5f3c-9a1b2c3d4e5f\"\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n\r\n{{\"a\":\"{:x<1016}\"}}",
        ""
    )
}

async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

/// Responds to every head, because requests of the benchmark have no body.
async fn answer(mut stream: TcpStream, response: String) {
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
