//! A real server, on a free port, with its own folder.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// `redis-server`, running or not.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Starts a server that flushes each write. Returns `None`, with a message, if the program is not installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let installed = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if installed.is_err() {
            println!("skipped: redis-server is not installed");
            return None;
        }
        let mut server = Self {
            folder: TempDir::new().unwrap(),
            port: free_port(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            process: None,
        };
        server.run();
        Some(server)
    }

    /// Starts the program, and waits until it listens.
    pub(crate) fn run(&mut self) {
        let port = self.port.to_string();
        let port_key = if self.is_encrypted() {
            "--tls-port"
        } else {
            "--port"
        };
        let mut command = Command::new("redis-server");
        if let Some(file) = self.arguments.iter().find(|a| a.ends_with(".conf")) {
            command.arg(file);
        }
        command
            .args([port_key, &port, "--bind", "127.0.0.1"])
            .arg("--dir")
            .arg(self.folder.path())
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ]);
        let others = self.arguments.iter().filter(|a| !a.ends_with(".conf"));
        self.process = Some(
            command
                .args(others)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        wait_for("the server listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    fn is_encrypted(&self) -> bool {
        self.arguments.iter().any(|a| a == "--tls-cert-file")
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a command and returns the first line of the response.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Returns everything that it has written to its folder.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    bytes.extend(fs::read(path).unwrap());
                }
            }
        }
        bytes
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits for `what`, at most ten seconds; returns how long it took.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}
