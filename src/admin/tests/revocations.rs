//! `POST /revocations`.

use super::*;
use crate::{
    clock::{ManualClock, SystemRandomness, UnixTime},
    store::{Embedded, Lineage, RevocationKey, Store, Stores},
    telemetry::{AuditLog, IdSource},
    token::RawToken,
};
use std::io;

const NOW: i64 = 1_800_000_000;
const IDP: &str = "https://idp.example.com";

pub(super) fn revoker(store: Option<Stores>) -> Revoker {
    recording(store, Box::new(io::sink()))
}

fn recording(store: Option<Stores>, audit: Box<dyn io::Write + Send>) -> Revoker {
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(NOW)));
    Revoker {
        store,
        own: OwnTokens::default(),
        audit: AuditLog::to(audit, clock.clone()),
        ids: IdSource::new(&SystemRandomness).unwrap(),
        clock,
        longest_life: Duration::from_secs(86_400),
    }
}

/// A store in a folder that is gone with the process: it holds the file open.
fn store() -> Stores {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(NOW)));
    let path = folder.path().join("store");
    let store = Embedded::open(&path, clock, Arc::new(SystemRandomness));
    Stores::Embedded(Arc::new(store.unwrap()))
}

/// A local listener with a store behind it.
fn with_store() -> (Admin, Stores) {
    let (admin, store) = (local(), store());
    let revoker = revoker(Some(store.clone()));
    admin.revoker.store(Arc::new(revoker));
    (admin, store)
}

const JSON_BODY: (&str, &str) = ("content-type", "application/json");

fn post(admin: &Admin, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let headers = [&[("host", "localhost")], headers].concat();
    let mut request = request("POST", "/revocations", &headers);
    *request.body_mut() = Bytes::copy_from_slice(body.as_bytes());
    answered(admin, &request)
}

fn ends(store: &Stores, key: RevocationKey, since: i64) -> bool {
    let lineage = Lineage::new([key], UnixTime::from_secs(since));
    store.revocations().ends(&lineage.unwrap())
}

#[test]
fn what_is_named_ends_and_nothing_else_does() {
    type Case = (&'static str, Value, RevocationKey);
    let who = |kind: &str| json!({kind: {"issuer": IDP, "sub": "alice"}});
    let cases: [Case; 5] = [
        (
            "subject",
            who("subject"),
            RevocationKey::subject(IDP, "alice"),
        ),
        ("actor", who("actor"), RevocationKey::actor(IDP, "alice")),
        (
            "session",
            json!({"session": {"issuer": IDP, "sid": "s-1"}}),
            RevocationKey::session(IDP, "s-1"),
        ),
        (
            "client",
            json!({"client": {"id": "portal"}}),
            RevocationKey::client("portal"),
        ),
        (
            "signing_key",
            json!({"signing_key": {"issuer": IDP, "kid": "k-1"}}),
            RevocationKey::signing_key(IDP, "k-1"),
        ),
    ];
    for (kind, asked, key) in &cases {
        let (admin, store) = with_store();
        let answer = post(&admin, &[JSON_BODY], &asked.to_string());
        assert_eq!(answer.status(), 200, "{kind}");
        assert_eq!(body(&answer)["revoked"], *kind);
        for (other, _, key_of_other) in &cases {
            assert_eq!(
                ends(&store, *key_of_other, NOW),
                key == key_of_other,
                "{kind} {other}"
            );
        }
    }
}

#[test]
fn who_signs_in_again_is_served_again_and_an_application_or_a_key_is_not() {
    let (admin, store) = with_store();
    for asked in [
        json!({"subject": {"issuer": IDP, "sub": "alice"}}),
        json!({"client": {"id": "portal"}}),
    ] {
        post(&admin, &[JSON_BODY], &asked.to_string());
    }
    assert!(ends(&store, RevocationKey::subject(IDP, "alice"), NOW));
    assert!(!ends(&store, RevocationKey::subject(IDP, "alice"), NOW + 1));
    assert!(ends(&store, RevocationKey::client("portal"), NOW + 1));
}

#[test]
fn a_token_is_revoked_by_its_bytes_and_by_its_id() {
    use crate::jose::encoding::base64url;
    let claims = json!({"iss": IDP, "jti": "t-1", "sub": "alice", "exp": NOW + 60});
    let token = format!("e30.{}.c2ln", base64url(claims.to_string()));
    let (admin, store) = with_store();
    let asked = json!({"token": {"token": token}}).to_string();
    let answer = post(&admin, &[JSON_BODY], &asked);
    assert_eq!(answer.status(), 200);
    assert_eq!(body(&answer)["until"], NOW + 60);
    assert!(ends(&store, RevocationKey::token(IDP, "t-1"), NOW));
    let bytes = RawToken::from(token);
    assert!(ends(&store, RevocationKey::token_bytes(&bytes), NOW));
}

#[test]
fn what_is_no_one_target_is_refused_and_not_repeated() {
    let (admin, _store) = with_store();
    for asked in [
        "",
        "[]",
        "{}",
        r#"{"subject":{"issuer":"x"}}"#,
        r#"{"subject":{"issuer":"x","sub":""}}"#,
        r#"{"subject":{"issuer":"x","sub":"y","sid":"z"}}"#,
        r#"{"client":{"id":"a"},"token":{"token":"s3cret"}}"#,
        r#"{"token":"s3cret"}"#,
        r#"{"client":{"id":"a"},"for":"soon"}"#,
    ] {
        let answer = post(&admin, &[JSON_BODY], asked);
        assert_eq!(answer.status(), 400, "{asked}");
        assert!(!String::from_utf8_lossy(answer.body()).contains("s3cret"));
    }
}

#[test]
fn no_web_page_can_revoke() {
    let (admin, store) = with_store();
    let asked = json!({"client": {"id": "portal"}}).to_string();
    for (headers, status) in [
        (vec![], 415),
        (vec![("content-type", "text/plain")], 415),
        (
            vec![("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (vec![JSON_BODY, ("origin", "http://localhost:3000")], 403),
        (vec![JSON_BODY, ("host", "evil.example")], 403),
    ] {
        assert_eq!(post(&admin, &headers, &asked).status(), status);
    }
    for method in ["OPTIONS", "GET", "PUT"] {
        let request = request(method, "/revocations", &[("host", "localhost"), JSON_BODY]);
        assert_eq!(answered(&admin, &request).status(), 405, "{method}");
    }
    assert!(!ends(&store, RevocationKey::client("portal"), NOW));
}

#[test]
fn without_the_admin_token_nothing_is_revoked_whatever_else_is_presented() {
    let admin = admin(with_token("0.0.0.0:9090"));
    let store = store();
    let revoker = revoker(Some(store.clone()));
    admin.revoker.store(Arc::new(revoker));
    let asked = json!({"client": {"id": "portal"}}).to_string();
    for presented in ["", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"] {
        let headers = [JSON_BODY, ("authorization", presented)];
        assert_eq!(post(&admin, &headers, &asked).status(), 401);
    }
    assert!(!ends(&store, RevocationKey::client("portal"), NOW));
    let right = format!("Bearer {TOKEN}");
    let headers = [JSON_BODY, ("authorization", right.as_str())];
    assert_eq!(post(&admin, &headers, &asked).status(), 200);
    assert!(ends(&store, RevocationKey::client("portal"), NOW));
}

#[test]
fn without_a_store_nothing_is_said_to_be_revoked() {
    let admin = local();
    let asked = json!({"client": {"id": "portal"}}).to_string();
    assert_eq!(post(&admin, &[JSON_BODY], &asked).status(), 503);
}

#[test]
fn what_is_not_on_record_is_not_said_to_be_done() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let admin = local();
    let revoker = recording(Some(store()), Box::new(Full));
    admin.revoker.store(Arc::new(revoker));
    let asked = json!({"client": {"id": "portal"}}).to_string();
    assert_eq!(post(&admin, &[JSON_BODY], &asked).status(), 503);
}
