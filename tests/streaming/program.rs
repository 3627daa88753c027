//! The gateway as a separate process, so that its memory can be measured.

use crate::streaming::{
    authority::Authority,
    http2::H2Client,
    pattern,
    stage::{CLEARTEXT, ENCRYPTED, configuration, token},
    support::{Ask, Provider, install_crypto, lab, process::Process},
};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// The maximum increase of the program's memory by a transfer of any size, in bytes.
pub const GROWTH: u64 = 16 << 20;

pub struct Program {
    process: Process,
    authority: Authority,
    token: String,
    /// The API behind it.
    pub api: TcpListener,
    _idp: Provider,
    _folder: TempDir,
}

impl Program {
    pub async fn in_cleartext() -> Self {
        Self::start(CLEARTEXT).await
    }

    pub async fn encrypted() -> Self {
        Self::start(ENCRYPTED).await
    }

    async fn start(listener: &str) -> Self {
        install_crypto();
        let authority = Authority::new();
        let idp = Provider::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", api.local_addr().unwrap());
        let text = configuration(
            &authority,
            folder.path(),
            &[listener],
            lab::ORDERS,
            idp.issuer(),
            &origin,
        );
        std::fs::write(&file, text).unwrap();
        let process = Process::start(&file);
        process.until_ready().await;
        Self {
            process,
            authority,
            token: token(&idp),
            api,
            _idp: idp,
            _folder: folder,
        }
    }

    /// Opens an HTTP/1.1 connection and uses it once, because the memory of the first use is not that of a transfer.
    pub async fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.process.address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let ask = Ask::get("/orders/1").bearer(&self.token).bytes();
        let api = self.serve_one();
        let asking = async {
            client.write_all(&ask).await.unwrap();
            pattern::head(&mut client).await
        };
        let (answer, ()) = tokio::join!(asking, api);
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        client
    }

    /// Opens an HTTP/2 connection over TLS and uses it once.
    pub async fn h2_client(&self) -> H2Client {
        let client = H2Client::connect(self.process.address, &self.authority).await;
        let request = client.request("GET", "/orders/1", &self.token);
        let (answer, ()) = tokio::join!(client.ask(request, b""), self.serve_one());
        assert_eq!(answer.status, 204);
        client
    }

    async fn serve_one(&self) {
        let mut api = self.connection().await;
        pattern::head(&mut api).await;
        api.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
    }

    /// Returns the gateway's next connection to the API.
    pub async fn connection(&self) -> TcpStream {
        let (stream, _) = self.api.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns the current memory use of the program, in bytes (proc_pid_status(5): VmRSS).
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Returns its maximum memory use so far (VmHWM).
    pub fn most_resident(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }
}

/// The measurement of one test: the memory before, and the maximum since then.
pub struct Measure<'a> {
    program: &'a Program,
    before: u64,
}

impl<'a> Measure<'a> {
    pub fn begin(program: &'a Program) -> Self {
        Self {
            program,
            before: program.resident(),
        }
    }

    pub fn end(self, what: &str) {
        let grown = self.program.most_resident().saturating_sub(self.before);
        eprintln!("{what}: {} KiB over {} KiB", grown >> 10, self.before >> 10);
        assert!(
            grown < GROWTH,
            "{what}: grew by {} KiB to more than {} KiB",
            grown >> 10,
            self.before >> 10
        );
    }
}
