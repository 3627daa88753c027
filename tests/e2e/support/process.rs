//! The program itself, as a child whose every line of output is kept.

use super::{Ask, Client, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
};

/// A command of the program.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_obo-gateway"))
}

/// Runs `check` on `file`.
pub fn check(file: &Path) -> Output {
    program()
        .arg("check")
        .arg("--config")
        .arg(file)
        .output()
        .unwrap()
}

pub struct Process {
    child: Child,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts the gateway and waits until it logs its addresses.
    pub fn start(file: &Path) -> Self {
        Self::run(program().arg("--config").arg(file).stdin(Stdio::null()))
    }

    /// Starts the gateway with a configuration that is not in a file; relative paths are below `folder`.
    #[allow(dead_code, reason = "the streaming tests do without")]
    pub fn start_from_standard_input(configuration: File, folder: &Path) -> Self {
        Self::run(
            program()
                .args(["--config", "-"])
                .current_dir(folder)
                .stdin(configuration),
        )
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (found, addresses) = mpsc::channel();
        let readers = vec![
            keep(child.stdout.take().unwrap(), Arc::clone(&output), None),
            keep(
                child.stderr.take().unwrap(),
                Arc::clone(&output),
                Some(found),
            ),
        ];
        let next = || {
            addresses
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.lock().unwrap())))
        };
        let (address, admin) = (next(), next());
        Self {
            child,
            address,
            admin,
            output,
            readers,
        }
    }

    /// Returns the process id.
    #[allow(dead_code, reason = "the streaming tests ask for it")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the gateway is ready, and returns the metrics.
    pub async fn metrics(&self) -> String {
        let ask = |path| Ask::get(path).host(&self.admin.to_string());
        let mut client = Client::connect(self.admin).await;
        let answer = client.ask(&ask("/metrics")).await.unwrap();
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.body).unwrap()
    }

    pub async fn until_ready(&self) {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let mut client = Client::connect(self.admin).await;
            let ask = Ask::get("/readyz").host(&self.admin.to_string());
            if client
                .ask(&ask)
                .await
                .is_some_and(|answer| answer.status() == 200)
            {
                return;
            }
        }
    }

    /// Makes the gateway reload its file.
    pub fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Returns the output so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Stops the gateway with SIGTERM; returns the exit status and everything from standard output and standard error.
    pub fn end(mut self) -> (i32, Vec<u8>) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        self.readers
            .drain(..)
            .for_each(|reader| reader.join().unwrap());
        let output = std::mem::take(&mut *self.output.lock().unwrap());
        (status.code().unwrap_or(-1), output)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // the child still runs here only if the test failed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the output of `from`, and reports the addresses in lines that end in "listening".
fn keep(
    from: impl Read + Send + 'static,
    output: Arc<Mutex<Vec<u8>>>,
    found: Option<mpsc::Sender<SocketAddr>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let value = serde_json::from_slice::<Value>(&line);
            output.lock().unwrap().append(&mut line);
            if let (Some(found), Ok(value)) = (&found, value) {
                let text = value.to_string();
                if text.contains("listening") {
                    let address = address_in(&value).expect("no address in the line");
                    let _ = found.send(address);
                }
            }
        }
    })
}

fn address_in(value: &Value) -> Option<SocketAddr> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Object(members) => members.values().find_map(address_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}
