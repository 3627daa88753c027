//! Sends requests over keep-alive connections, each as soon as the previous response on its connection was read, and
//! prints one line: `requests=… errors=… non_2xx=… seconds=…`. The exit status is 1 unless every response was 2xx.
#![allow(clippy::print_stdout, reason = "the line is this program's output")]
#![allow(clippy::disallowed_methods, reason = "measures real time")]

use std::cell::Cell;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

#[derive(Parser)]
struct Arguments {
    /// The address that requests are sent to.
    #[arg(long)]
    target: SocketAddr,
    /// Connections that are kept alive.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Requests over all connections.
    #[arg(long, default_value_t = 100_000)]
    requests: usize,
    /// Requests per second over all connections, evenly spread. Default: as fast as responses arrive.
    #[arg(long)]
    rate: Option<f64>,
    /// Send requests until this file exists, instead of a fixed number.
    #[arg(long, conflicts_with = "requests")]
    until: Option<PathBuf>,
    /// Origin-form request target.
    #[arg(long, default_value = "/")]
    path: String,
    /// Value of the `Host` header.
    #[arg(long, default_value = "bench.test")]
    host: String,
    /// A header line, `Name: value`; repeatable.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// A file of header lines.
    #[arg(long)]
    header_file: Option<PathBuf>,
    /// A file with one bearer token per line. Requests use them in turn, starting over after the last one.
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// Never sleep. Otherwise the proxy pays for waking this process up, which is expensive in a virtual machine and says
    /// nothing about the proxy.
    #[arg(long)]
    awake: bool,
}

#[derive(Default)]
struct Tally {
    sent: Cell<usize>,
    answered: Cell<usize>,
    errors: Cell<usize>,
    non_2xx: Cell<usize>,
}

struct Plan {
    target: SocketAddr,
    requests: Cell<usize>,
    rate: Option<f64>,
    began: Instant,
    /// Complete requests, sent in turn.
    heads: Vec<Vec<u8>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let plan = Rc::new(Plan::of(&arguments)?);
    let tally = Rc::new(Tally::default());
    let connections = LocalSet::new();
    if arguments.awake {
        tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
                std::thread::yield_now();
            }
        });
    }
    if let Some(file) = arguments.until.clone() {
        connections.spawn_local(end_with(file, Rc::clone(&plan)));
    }
    for _ in 0..arguments.connections {
        let (plan, tally) = (Rc::clone(&plan), Rc::clone(&tally));
        connections.spawn_local(async move {
            while tally.sent.get() < plan.requests.get() {
                // A failed connection is counted and replaced; its request is not sent again.
                if run_connection(&plan, &tally).await.is_err() {
                    add_one(&tally.errors);
                }
            }
        });
    }
    connections.await;
    let seconds = plan.began.elapsed().as_secs_f64();
    let (requests, errors, non_2xx) = (
        tally.answered.get(),
        tally.errors.get(),
        tally.non_2xx.get(),
    );
    println!("requests={requests} errors={errors} non_2xx={non_2xx} seconds={seconds:.3}");
    let complete = arguments.until.is_some() || requests == plan.requests.get();
    Ok(if errors + non_2xx == 0 && complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Plan {
    fn of(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let mut lines = arguments.headers.clone();
        if let Some(file) = &arguments.header_file {
            lines.extend(
                std::fs::read_to_string(file)?
                    .lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned),
            );
        }
        let mut common = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n",
            arguments.path, arguments.host
        );
        for line in lines {
            common.push_str(&line);
            common.push_str("\r\n");
        }
        let heads = match &arguments.tokens {
            None => vec![format!("{common}\r\n").into_bytes()],
            Some(file) => std::fs::read_to_string(file)?
                .lines()
                .map(|token| format!("{common}Authorization: Bearer {token}\r\n\r\n").into_bytes())
                .collect(),
        };
        if heads.is_empty() {
            return Err("the file of tokens is empty".into());
        }
        Ok(Self {
            target: arguments.target,
            requests: Cell::new(match arguments.until {
                Some(_) => usize::MAX,
                None => arguments.requests,
            }),
            rate: arguments.rate,
            began: Instant::now(),
            heads,
        })
    }
}

/// Stops sending requests when `file` exists.
async fn end_with(file: PathBuf, plan: Rc<Plan>) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    plan.requests.set(0);
}

/// Sends requests on one connection until the last one is sent or the other side closes after a response.
async fn run_connection(plan: &Plan, tally: &Tally) -> Result<(), Box<dyn Error>> {
    let sent = tally.sent.get();
    let stream = TcpStream::connect(plan.target).await;
    if stream.is_err() {
        // No server is listening: each attempt counts as a request, otherwise this would never end.
        tally.sent.set(sent + 1);
    }
    let mut stream = stream?;
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(16 * 1024);
    while tally.sent.get() < plan.requests.get() {
        let turn = tally.sent.get();
        add_one(&tally.sent);
        if let Some(rate) = plan.rate {
            let due = plan.began + Duration::from_secs_f64(turn as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let head = plan
            .heads
            .get(turn % plan.heads.len())
            .ok_or("no request")?;
        stream.write_all(head).await?;
        let answer = read_answer(&mut stream, &mut received).await?;
        add_one(&tally.answered);
        if !(200..300).contains(&answer.status) {
            add_one(&tally.non_2xx);
        }
        if answer.closes {
            break;
        }
    }
    Ok(())
}

struct Answer {
    status: u16,
    closes: bool,
}

/// Reads one response with a `Content-Length`, or without a body, and leaves the buffer empty.
async fn read_answer(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
) -> Result<Answer, Box<dyn Error>> {
    loop {
        if stream.read_buf(received).await? == 0 {
            return Err("closed before the response".into());
        }
        let Some(end) = memmem::find(received, b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
        let status = head.get(9..12).unwrap_or_default().parse()?;
        let value = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let length: usize = value("content-length").unwrap_or("0").parse()?;
        let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        while received.len() < end + 4 + length {
            if stream.read_buf(received).await? == 0 {
                return Err("closed within the response".into());
            }
        }
        received.clear();
        return Ok(Answer { status, closes });
    }
}

fn add_one(count: &Cell<usize>) {
    count.set(count.get() + 1);
}
