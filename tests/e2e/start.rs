//! How the program starts: its first log lines, the source of its configuration, and the protection of the admin listener.

use crate::e2e::support::{
    Ask, Client, Origin, Provider, Setup, install_crypto,
    lab::yaml,
    process::{Process, program},
    until,
};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

const READ: &str = "a token for reading metrics";
const REVOKE: &str = "a token for revoking tokens";

/// A folder with a configuration and the files that it names.
struct Ground {
    folder: TempDir,
    idp: Provider,
    origin: Origin,
}

impl Ground {
    async fn new() -> Self {
        install_crypto();
        Self {
            folder: tempfile::tempdir().unwrap(),
            idp: Provider::start().await,
            origin: Origin::start().await,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes the configuration, with `admin` as that section.
    fn configuration(&self, admin: &str) -> PathBuf {
        let setup = Setup {
            sections: "store: { embedded: { path: store } }".to_owned(),
            ..Setup::default()
        };
        let text = yaml(&setup, self.idp.issuer(), &self.origin.url());
        let text = text.replace("admin: { address: \"127.0.0.1:0\" }", admin);
        assert!(text.contains(admin));
        self.write("gateway.yaml", &text)
    }

    /// Writes a certificate for `localhost` with its key, and returns it in DER.
    fn certificate(&self, name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.write(&format!("{name}.pem"), &made.cert.pem());
        self.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
        made.cert.der().to_vec()
    }

    /// Writes a configuration whose admin listener uses TLS and has a token for each purpose.
    fn encrypted(&self) -> (PathBuf, Vec<u8>) {
        let certificate = self.certificate("admin");
        self.write("read", READ);
        self.write("revoke", REVOKE);
        let file = self.configuration(
            "admin: { address: \"127.0.0.1:0\", tls: { certificate: admin.pem, private_key: admin.key }, \
             tokens: { read: { file: read }, revoke: { file: revoke } } }",
        );
        (file, certificate)
    }
}

/// Returns the lines of the gateway's own log with this message.
fn logged(process: &Process, message: &str) -> Vec<Value> {
    let output = process.output();
    let lines = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["message"] == message)
        .collect()
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// Runs `obo-gateway revoke list` with the configuration in `file`, for the gateway that runs as `process`.
async fn revoke_list(process: &Process, file: &Path) -> Output {
    let mut command = program();
    command
        .args(["revoke", "list", "--config"])
        .arg(file)
        .args(["--admin", &process.admin.to_string()]);
    output(command).await
}

fn said(ran: &Output) -> String {
    let text = [ran.stdout.as_slice(), &ran.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends `GET /metrics` over TLS, with `token`.
async fn scrape(process: &Process, certificate: Vec<u8>, token: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.into()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(process.admin).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let ask = Ask::get("/metrics")
        .bearer(token)
        .field("Connection", "close");
    stream.write_all(&ask.bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_log_says_at_start_which_program_serves_which_file_and_where() {
    let ground = Ground::new().await;
    let file = ground.configuration("admin: { address: \"127.0.0.1:0\" }");
    let process = Process::start(&file);
    let [starting] = &logged(&process, "starting")[..] else {
        panic!("{}", process.output());
    };
    assert_eq!(starting["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(starting["configuration"], file.display().to_string());
    let [read] = &logged(&process, "configuration read")[..] else {
        panic!("{}", process.output());
    };
    assert_eq!(read["routes"], 2);
    assert_eq!(read["trusted_issuers"], 1);
    assert_eq!(read["store"], "embedded");
    let listening = logged(&process, "listening");
    assert_eq!(listening.len(), 1);
    assert_eq!(listening[0]["address"], process.address.to_string());
    assert_eq!(listening[0]["tls"], false);
    let admin = logged(&process, "admin listening");
    assert_eq!(admin[0]["address"], process.admin.to_string());
    assert_eq!(admin[0]["tls"], false);
    assert_eq!(process.end().0, 0);
}

#[tokio::test]
async fn the_admin_listener_speaks_tls_and_the_commands_recognise_it_by_its_certificate() {
    let ground = Ground::new().await;
    let (file, certificate) = ground.encrypted();
    let process = Process::start(&file);
    assert_eq!(logged(&process, "admin listening")[0]["tls"], true);

    let ran = revoke_list(&process, &file).await;
    assert!(ran.status.success(), "{}", said(&ran));
    let metrics = scrape(&process, certificate.clone(), READ).await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(
        metrics.contains("obo_certificate_expiry_timestamp_seconds"),
        "{metrics}"
    );
    let refused = scrape(&process, certificate, REVOKE).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");

    // the listener does not respond to a token in clear text, and the command does not send one
    let ask = Ask::get("/metrics").host("localhost").bearer(READ);
    let mut client = Client::connect(process.admin).await;
    assert!(client.ask(&ask).await.is_none());

    // the token is not sent to a server with another certificate for the same name
    ground.certificate("admin");
    let ran = revoke_list(&process, &file).await;
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert!(said(&ran).contains("certificate"), "{}", said(&ran));
    assert_eq!(process.end().0, 0);
}

#[tokio::test]
async fn a_renewed_certificate_of_the_admin_listener_is_shown_after_a_reload() {
    let ground = Ground::new().await;
    let (file, _) = ground.encrypted();
    let process = Process::start(&file);
    let renewed = ground.certificate("admin");
    process.hang_up();
    until("the file is reloaded", || {
        !logged(&process, "configuration reloaded").is_empty()
    })
    .await;
    let metrics = scrape(&process, renewed, READ).await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    let ran = revoke_list(&process, &file).await;
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(process.end().0, 0);
}

#[tokio::test]
async fn a_certificate_of_the_admin_listener_that_cannot_be_read_is_found_by_every_command() {
    let ground = Ground::new().await;
    let (file, _) = ground.encrypted();
    fs::write(ground.path("admin.pem"), "no certificate").unwrap();
    for command in [
        &["check"][..],
        &["run"],
        &["revoke", "list", "--admin", "127.0.0.1:1"],
    ] {
        let mut program = program();
        program.args(command).arg("--config").arg(&file);
        let ran = output(program).await;
        assert_eq!(ran.status.code(), Some(2), "{command:?}: {}", said(&ran));
        assert!(
            said(&ran).contains("admin.tls"),
            "{command:?}: {}",
            said(&ran)
        );
    }
}

#[tokio::test]
async fn standard_input_is_served_and_cannot_be_reloaded() {
    let ground = Ground::new().await;
    let file = ground.configuration("admin: { address: \"127.0.0.1:0\" }");
    let process =
        Process::start_from_standard_input(File::open(&file).unwrap(), ground.folder.path());
    process.until_ready().await;
    assert_eq!(
        logged(&process, "starting")[0]["configuration"],
        "standard input"
    );
    // relative paths are below the working directory
    assert!(ground.path("signing.pem").exists());

    process.hang_up();
    let refusal = "configuration reload failed, the previous configuration remains in use";
    until("the reload is refused", || {
        !logged(&process, refusal).is_empty()
    })
    .await;
    let why = logged(&process, refusal)[0]["why"].to_string();
    assert!(
        why.contains("standard input") && why.contains("--config"),
        "{why}"
    );
    let metrics = process.metrics().await;
    let counted = "obo_config_reload_total{outcome=\"refused\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    assert_eq!(process.end().0, 0);
}

#[tokio::test]
async fn every_command_reads_standard_input() {
    let ground = Ground::new().await;
    let file = ground.configuration("admin: { address: \"127.0.0.1:1\" }");
    let from_stdin = |arguments: &[&str], input: &Path| {
        let mut command = program();
        command
            .args(arguments)
            .args(["--config", "-"])
            .current_dir(ground.folder.path())
            .stdin(File::open(input).unwrap());
        command
    };
    let ran = output(from_stdin(&["check"], &file)).await;
    assert_eq!(
        (ran.status.code(), said(&ran).as_str()),
        (Some(0), "standard input: ok\n")
    );
    let explain = ["explain", "--url", "http://localhost/nowhere"];
    let ran = output(from_stdin(&explain, &file)).await;
    assert!(said(&ran).contains("404"), "{}", said(&ran));
    let ran = output(from_stdin(&["revoke", "list"], &file)).await;
    assert!(
        said(&ran).contains("127.0.0.1:1 does not respond"),
        "{}",
        said(&ran)
    );

    let broken = ground.write("broken.yaml", "listeners: 3\n");
    let ran = output(from_stdin(&["check"], &broken)).await;
    assert_eq!(ran.status.code(), Some(2));
    assert!(
        said(&ran).starts_with("standard input:1:"),
        "{}",
        said(&ran)
    );
    let none = ground.write("none.yaml", "");
    let ran = output(from_stdin(&["run"], &none)).await;
    assert_eq!(ran.status.code(), Some(2));
    assert!(said(&ran).contains("is empty"), "{}", said(&ran));
}

#[tokio::test]
async fn standard_input_is_not_asked_for_two_things() {
    for command in [
        &["explain", "--url", "http://localhost/", "--token-file", "-"][..],
        &["revoke", "token", "--token-file", "-"],
        &["revoke", "lift", "token", "--token-file", "-"],
    ] {
        let mut program = program();
        program
            .args(command)
            .args(["--config", "-"])
            .stdin(Stdio::null());
        let ran = output(program).await;
        assert_eq!(ran.status.code(), Some(2), "{command:?}: {}", said(&ran));
        assert!(said(&ran).contains("only one of them"), "{}", said(&ran));
    }
}
