use super::{testing::Provider, *};
use crate::settings::OutboundUrl;
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
async fn an_answer_that_breaks_off_is_no_answer() {
    let provider = Provider::start().await;
    provider.raw("/half", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(
        get(&provider.url("/half")).await.unwrap_err(),
        EgressError::BrokeOff
    );
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up_after_five_seconds() {
    let provider = Provider::start().await;
    provider.hold();
    let before = tokio::time::Instant::now();
    let error = get(&provider.url("/slow")).await.unwrap_err();
    assert!(
        matches!(error, EgressError::Deadline | EgressError::Connect(_)),
        "{error}"
    );
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
    // `localhost` resolves to loopback, which is not for discovered URLs.
    provider.ok("/keys", "{}");
    let by_name = provider.url("/keys").replace("127.0.0.1", "localhost");
    let url = OutboundUrl::parse(&by_name).unwrap();
    let error = egress.get(&url, Reach::Public).await.unwrap_err();
    assert_eq!(error, EgressError::AddressRefused);
    assert_eq!(provider.hits("/keys"), 0);
    assert!(egress.get(&url, Reach::Named).await.is_ok());
}
