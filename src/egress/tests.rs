use super::{testing::Provider, *};
use crate::settings::{BaseDir, Building, Effects, Findings, OutboundUrl};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
};
use tokio::runtime::Handle;

async fn get(url: &str) -> Result<Fetched, EgressError> {
    let url = OutboundUrl::parse(url).unwrap();
    Egress::new(Handle::current()).get(&url, Reach::Named).await
}

#[tokio::test]
async fn a_document_is_fetched_with_its_age() {
    let provider = Provider::start().await;
    provider.raw(
        "/keys",
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 2\r\n\r\n{}",
    );
    let fetched = get(&provider.url("/keys")).await.unwrap();
    assert_eq!(&fetched.body[..], b"{}");
    assert_eq!(fetched.max_age.unwrap().as_secs(), 60);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_but_200_counts() {
    let provider = Provider::start().await;
    let target = provider.url("/target");
    provider.ok("/target", "{}");
    provider.raw(
        "/moved",
        format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"),
    );
    assert_eq!(
        get(&provider.url("/moved")).await.unwrap_err(),
        EgressError::Status(302)
    );
    assert_eq!(provider.hits("/target"), 0);
    for status in [201, 204, 301, 400, 404, 500, 503] {
        provider.status("/status", status);
        assert_eq!(
            get(&provider.url("/status")).await.unwrap_err(),
            EgressError::Status(status)
        );
    }
}

#[tokio::test]
async fn a_large_body_is_refused_whether_it_is_announced_or_not() {
    let provider = Provider::start().await;
    provider.raw(
        "/announced",
        "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n",
    );
    let mut streamed = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    streamed.resize(streamed.len() + MAX_BODY + 1, b'x');
    provider.raw("/streamed", streamed);
    for path in ["/announced", "/streamed"] {
        assert_eq!(
            get(&provider.url(path)).await.unwrap_err(),
            EgressError::TooLarge,
            "{path}"
        );
    }
    provider.ok("/largest", vec![b'x'; MAX_BODY]);
    assert_eq!(
        get(&provider.url("/largest")).await.unwrap().body.len(),
        MAX_BODY
    );
}

#[tokio::test]
async fn a_response_that_breaks_off_is_no_response() {
    let provider = Provider::start().await;
    provider.raw("/half", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(
        get(&provider.url("/half")).await.unwrap_err(),
        EgressError::BrokeOff
    );
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_responds_is_given_up_after_five_seconds() {
    let provider = Provider::start().await;
    provider.hold();
    let before = tokio::time::Instant::now();
    let error = get(&provider.url("/slow")).await.unwrap_err();
    assert_eq!(error, EgressError::Deadline);
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn addresses_are_checked_before_and_after_resolution() {
    let provider = Provider::start().await;
    let egress = Egress::new(Handle::current());
    for url in ["https://169.254.169.254/", "https://[fd00:ec2::254]/"] {
        let url = OutboundUrl::parse(url).unwrap();
        let error = egress.get(&url, Reach::Named).await.unwrap_err();
        assert_eq!(error, EgressError::AddressRefused);
    }
    // `localhost` resolves to loopback, which is not allowed for discovered URLs.
    provider.ok("/keys", "{}");
    let by_name = provider.url("/keys").replace("127.0.0.1", "localhost");
    let url = OutboundUrl::parse(&by_name).unwrap();
    let error = egress.get(&url, Reach::Public).await.unwrap_err();
    assert_eq!(error, EgressError::AddressRefused);
    assert_eq!(provider.hits("/keys"), 0);
    assert!(egress.get(&url, Reach::Named).await.is_ok());
}

/// Starts an https server for one name on its own thread. It responds to every request with `{}`.
fn https_server(name: &str) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut head = [0; 4096];
            // A client that refuses the certificate ends the handshake here.
            if tls.read(&mut head).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
            }
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn a_server_is_believed_only_by_the_certificates_that_count_and_by_its_name() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (port, pem) = https_server("localhost");
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let base = BaseDir::of_file(&folder.path().join("gateway.yaml"));
    let mut findings = Findings::default();
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let system = Egress::new(Handle::current());
    let ca = EgressTlsSettings {
        ca: "ca.pem".into(),
    };
    let private = system.trusting(&ca, &mut building).unwrap();

    let by_name = OutboundUrl::parse(&format!("https://localhost:{port}/")).unwrap();
    assert!(private.get(&by_name, Reach::Named).await.is_ok());
    let other_name = OutboundUrl::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    for (egress, url) in [(&private, &other_name), (&system, &by_name)] {
        let error = egress.get(url, Reach::Named).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}
