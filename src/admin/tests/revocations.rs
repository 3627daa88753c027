//! Tests of `/revocations`.

use super::*;
use crate::{
    clock::{ManualClock, SystemRandomness, UnixTime},
    store::{Embedded, Lineage, Revocation, RevocationKey, Store, Stores},
    telemetry::{AuditLog, IdSource},
    token::RawToken,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Mutex,
};

const NOW: i64 = 1_800_000_000;
const IDP: &str = "https://idp.example.com";
const GATEWAY: &str = "https://gateway.example.com";

pub(super) fn revoker(store: Option<Stores>) -> Revoker {
    recording(store, Box::new(io::sink()))
}

fn recording(store: Option<Stores>, audit: Box<dyn io::Write + Send>) -> Revoker {
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(NOW)));
    Revoker {
        store,
        own: OwnTokens::default(),
        known: known(),
        audit: AuditLog::to(audit, clock.clone()),
        ids: IdSource::new(&SystemRandomness).unwrap(),
        clock,
        longest_life: Duration::from_secs(86_400),
    }
}

fn known() -> Known {
    let keys = |ids: &[&str]| {
        let ids: Vec<Box<str>> = ids.iter().map(|id| (*id).into()).collect();
        Arc::new(ids) as Arc<dyn KeyIds>
    };
    let issuer = |name: Option<&str>, url: &str, ids| KnownIssuer {
        name: name.map(Into::into),
        url: url.into(),
        keys: keys(ids),
    };
    Known {
        issuers: vec![
            issuer(Some("corp"), IDP, &["k-1"]),
            issuer(None, GATEWAY, &["g-1"]),
        ],
        clients: ["portal".to_owned()].into(),
    }
}

/// Returns a store in a folder that is removed when the process ends; the process has its file open.
fn store() -> Stores {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(NOW)));
    let path = folder.path().join("store");
    let store = Embedded::open(&path, clock, Arc::new(SystemRandomness));
    Stores::Embedded(Arc::new(store.unwrap()))
}

/// Returns a local listener with a store.
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
    respond(admin, &request)
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
            json!({"client": {"id": "portal"}, "forever": true}),
            RevocationKey::client("portal"),
        ),
        (
            "signing_key",
            json!({"signing_key": {"issuer": IDP, "kid": "k-1"}, "for": "7d"}),
            RevocationKey::signing_key(IDP, "k-1"),
        ),
    ];
    for (kind, asked, key) in &cases {
        let (admin, store) = with_store();
        let response = post(&admin, &[JSON_BODY], &asked.to_string());
        assert_eq!(response.status(), 200, "{kind}");
        assert_eq!(body(&response)["revoked"], *kind);
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
        json!({"client": {"id": "portal"}, "forever": true}),
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
    let response = post(&admin, &[JSON_BODY], &asked);
    assert_eq!(response.status(), 200);
    assert_eq!(body(&response)["until"], NOW + 60);
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
        let response = post(&admin, &[JSON_BODY], asked);
        assert_eq!(response.status(), 400, "{asked}");
        assert!(!String::from_utf8_lossy(response.body()).contains("s3cret"));
    }
}

#[test]
fn no_web_page_can_revoke() {
    let (admin, store) = with_store();
    let asked = json!({"client": {"id": "portal"}, "forever": true}).to_string();
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
    for method in ["OPTIONS", "HEAD", "PUT", "PATCH"] {
        let request = request(method, "/revocations", &[("host", "localhost"), JSON_BODY]);
        assert_eq!(respond(&admin, &request).status(), 405, "{method}");
    }
    assert!(!ends(&store, RevocationKey::client("portal"), NOW));
}

#[test]
fn without_the_admin_token_nothing_is_revoked_whatever_else_is_presented() {
    let admin = admin(with_token("0.0.0.0:9090"));
    let store = store();
    let revoker = revoker(Some(store.clone()));
    admin.revoker.store(Arc::new(revoker));
    let asked = json!({"client": {"id": "portal"}, "forever": true}).to_string();
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
    let asked = json!({"client": {"id": "portal"}, "forever": true}).to_string();
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
    let asked = json!({"client": {"id": "portal"}, "forever": true}).to_string();
    assert_eq!(post(&admin, &[JSON_BODY], &asked).status(), 503);
}

fn send(admin: &Admin, method: &str, path: &str, asked: &Value) -> Response<Bytes> {
    let mut request = request(method, path, &[("host", "localhost"), JSON_BODY]);
    *request.body_mut() = Bytes::from(asked.to_string());
    let peer = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 4711));
    request.extensions_mut().insert(peer);
    respond(admin, &request)
}

#[test]
fn an_issuer_is_named_by_its_name_or_its_url_and_it_is_the_same_one() {
    for written in ["corp", IDP] {
        let (admin, store) = with_store();
        let asked = json!({"subject": {"issuer": written, "sub": "alice"}});
        let response = post(&admin, &[JSON_BODY], &asked.to_string());
        assert_eq!(response.status(), 200, "{written}");
        assert_eq!(body(&response)["issuer"], IDP);
        let ends = body(&response)["ends"].as_str().unwrap().to_owned();
        assert!(
            ends.starts_with(&format!("every token about alice of {IDP}")),
            "{ends}"
        );
        assert!(self::ends(
            &store,
            RevocationKey::subject(IDP, "alice"),
            NOW
        ));
    }
}

#[test]
fn what_the_configuration_does_not_know_is_an_error_unless_it_is_forced() {
    use crate::jose::encoding::base64url;
    let jwt = |claims: Value| format!("e30.{}.c2ln", base64url(claims.to_string()));
    let live = NOW + 60;
    let cases = [
        json!({"subject": {"issuer": "https://idp.example.com/", "sub": "alice"}}),
        json!({"subject": {"issuer": "Corp", "sub": "alice"}}),
        json!({"actor": {"issuer": "https://elsewhere.example", "sub": "agent"}}),
        json!({"session": {"issuer": "corp2", "sid": "s-1"}}),
        json!({"client": {"id": "Portal"}, "forever": true}),
        json!({"client": {"id": "portal "}, "for": "7d"}),
        json!({"signing_key": {"issuer": "corp", "kid": "k-2"}, "forever": true}),
        json!({"signing_key": {"issuer": GATEWAY, "kid": "k-1"}, "forever": true}),
        json!({"token": {"token": "no token of anybody's"}}),
        json!({"token": {"token": jwt(json!({"iss": "https://elsewhere", "jti": "1", "exp": live}))}}),
        json!({"token": {"token": jwt(json!({"iss": IDP, "jti": "1", "exp": NOW}))}}),
    ];
    for asked in cases {
        let (admin, store) = with_store();
        let response = post(&admin, &[JSON_BODY], &asked.to_string());
        assert_eq!(response.status(), 422, "{asked}");
        assert_eq!(body(&response)["error"], "ends_nothing");
        assert!(store.revocations().is_empty(), "{asked}");
        let mut forced = asked.clone();
        forced["force"] = json!(true);
        assert_eq!(
            post(&admin, &[JSON_BODY], &forced.to_string()).status(),
            200,
            "{asked}"
        );
        assert!(!store.revocations().is_empty(), "{asked}");
    }
}

#[test]
fn the_error_names_what_the_configuration_knows() {
    let (admin, _store) = with_store();
    for (asked, named) in [
        (
            json!({"subject": {"issuer": "x", "sub": "alice"}}),
            "corp (https://idp.example.com)",
        ),
        (json!({"client": {"id": "x"}, "forever": true}), "portal"),
        (
            json!({"signing_key": {"issuer": "corp", "kid": "x"}, "forever": true}),
            "k-1",
        ),
    ] {
        let response = post(&admin, &[JSON_BODY], &asked.to_string());
        let why = body(&response)["error_description"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(why.contains(named) && why.contains("--force"), "{why}");
    }
}

#[test]
fn a_client_or_a_key_asks_for_how_long_and_nothing_else_is_revoked_for_ever() {
    let client = json!({"client": {"id": "portal"}});
    let key = json!({"signing_key": {"issuer": "corp", "kid": "k-1"}});
    let subject = json!({"subject": {"issuer": "corp", "sub": "alice"}});
    let session = json!({"session": {"issuer": "corp", "sid": "s"}});
    let cases = [
        (&client, json!({}), 400),
        (&key, json!({}), 400),
        (&client, json!({"forever": false}), 400),
        (&client, json!({"forever": true, "for": "7d"}), 400),
        (&client, json!({"forever": "yes"}), 400),
        (&client, json!({"for": "0s"}), 400),
        (&subject, json!({"for": "999ms"}), 400),
        (&subject, json!({"forever": true}), 400),
        (&session, json!({"forever": true}), 400),
        (&client, json!({"forever": true}), 200),
        (&client, json!({"for": "1s"}), 200),
        (&key, json!({"for": "7d"}), 200),
        (&subject, json!({}), 200),
    ];
    for (target, options, status) in cases {
        let (admin, _store) = with_store();
        let mut asked = target.clone();
        asked
            .as_object_mut()
            .unwrap()
            .extend(options.as_object().unwrap().clone());
        let response = post(&admin, &[JSON_BODY], &asked.to_string());
        assert_eq!(response.status(), status, "{asked}");
        if status == 200 {
            assert_eq!(
                body(&response)["forever"],
                options == json!({"forever": true})
            );
        }
    }
}

#[test]
fn what_is_in_force_is_listed_page_by_page() {
    let (admin, _store) = with_store();
    for n in 0..25 {
        let asked = json!({"subject": {"issuer": "corp", "sub": format!("user-{n}")}});
        assert_eq!(send(&admin, "POST", "/revocations", &asked).status(), 200);
    }
    let (mut subjects, mut ids, mut after) = (Vec::new(), Vec::new(), None::<String>);
    for _ in 0..10 {
        let query = after
            .map(|after| format!("&after={after}"))
            .unwrap_or_default();
        let response = send(
            &admin,
            "GET",
            &format!("/revocations?limit=10{query}"),
            &json!({}),
        );
        assert_eq!(response.status(), 200);
        let page = body(&response);
        assert_eq!(
            (&page["known"], &page["stale"]),
            (&json!(25), &json!(false))
        );
        for revocation in page["revocations"].as_array().unwrap() {
            assert_eq!(revocation["until"], NOW + 86_400);
            assert_eq!(revocation["revoked_by"], "operator");
            assert_eq!(
                revocation["by"],
                json!({"credential": "loopback", "address": "192.0.2.7"})
            );
            subjects.push(revocation["subject"].as_str().unwrap().to_owned());
            ids.push(revocation["id"].as_str().unwrap().to_owned());
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert!(ids.is_sorted());
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 25);
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=zz",
        "page=2",
        "limit",
    ] {
        let response = send(&admin, "GET", &format!("/revocations?{query}"), &json!({}));
        assert_eq!(response.status(), 400, "{query}");
    }
}

#[test]
fn what_is_lifted_is_gone_and_only_that() {
    let cases = [
        json!({"subject": {"issuer": "corp", "sub": "alice"}}),
        json!({"session": {"issuer": "corp", "sid": "s-1"}}),
        json!({"actor": {"issuer": GATEWAY, "sub": "agent"}}),
        json!({"client": {"id": "portal"}, "forever": true}),
        json!({"signing_key": {"issuer": "corp", "kid": "k-1"}, "for": "7d"}),
    ];
    let (admin, store) = with_store();
    for asked in &cases {
        assert_eq!(post(&admin, &[JSON_BODY], &asked.to_string()).status(), 200);
    }
    for (lifted, asked) in cases.iter().enumerate() {
        let mut target = asked.clone();
        target
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name != "for" && name != "forever");
        let epoch = store.revocations().epoch();
        let response = send(&admin, "DELETE", "/revocations", &target);
        assert_eq!(response.status(), 200, "{asked}");
        assert!(body(&response)["lifted"].is_string());
        assert_ne!(store.revocations().epoch(), epoch);
        assert_eq!(store.revocations().len(), cases.len() - 1 - lifted);
        let again = send(&admin, "DELETE", "/revocations", &target);
        assert_eq!(again.status(), 404, "{asked}");
    }
}

#[test]
fn a_token_is_lifted_whole_by_the_id_of_either_of_its_keys() {
    use crate::jose::encoding::base64url;
    let claims = json!({"iss": IDP, "jti": "t-1", "sub": "alice", "exp": NOW + 60});
    let token = format!("e30.{}.c2ln", base64url(claims.to_string()));
    for key in [
        RevocationKey::token(IDP, "t-1"),
        RevocationKey::token_bytes(&RawToken::from(token.clone())),
    ] {
        let (admin, store) = with_store();
        let asked = json!({"token": {"token": token}});
        assert_eq!(post(&admin, &[JSON_BODY], &asked.to_string()).status(), 200);
        let response = send(
            &admin,
            "DELETE",
            "/revocations",
            &json!({"id": key.to_string()}),
        );
        assert_eq!(response.status(), 200);
        assert_eq!(body(&response)["jti"], "t-1");
        assert!(store.revocations().is_empty());
    }
}

#[test]
fn what_a_client_revoked_stays_unless_it_is_named() {
    let (admin, store) = with_store();
    let key = RevocationKey::client("portal");
    let at = UnixTime::from_secs;
    let theirs = Revocation::of_all(key, at(NOW), at(NOW + 100));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(store.revoke(&[theirs])).unwrap();
    let target = json!({"client": {"id": "portal"}});
    let response = send(&admin, "DELETE", "/revocations", &target);
    assert_eq!(response.status(), 409);
    let asked = json!({"client": {"id": "portal"}, "forever": true});
    assert_eq!(post(&admin, &[JSON_BODY], &asked.to_string()).status(), 200);
    let response = send(&admin, "DELETE", "/revocations", &target);
    assert_eq!(response.status(), 200);
    assert_eq!(body(&response)["still_revoked_by"], "client");
    assert!(ends(&store, key, NOW));
    let named = json!({"id": key.to_string(), "revoked_by": "client"});
    assert_eq!(send(&admin, "DELETE", "/revocations", &named).status(), 200);
    assert!(!ends(&store, key, NOW));
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_audit_log_says_who_revoked_and_who_lifted() {
    let kept = Kept::default();
    let admin = local();
    let revoker = recording(Some(store()), Box::new(kept.clone()));
    admin.revoker.store(Arc::new(revoker));
    let target = json!({"client": {"id": "portal"}});
    let asked = json!({"client": {"id": "portal"}, "for": "1m"});
    assert_eq!(send(&admin, "POST", "/revocations", &asked).status(), 200);
    assert_eq!(
        send(&admin, "DELETE", "/revocations", &target).status(),
        200
    );
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [revoked, lifted] = events.as_slice() else {
        panic!("{text}")
    };
    let by = json!({"credential": "loopback", "address": "192.0.2.7"});
    assert_eq!(
        (&revoked["event"], &revoked["by"]),
        (&json!("token_revoked"), &by)
    );
    assert_eq!(revoked["until"], NOW + 60);
    assert_eq!(
        (&lifted["event"], &lifted["by"]),
        (&json!("revocation_lifted"), &by)
    );
    assert_eq!(
        (&lifted["revoked"], &lifted["client_id"]),
        (&json!("client"), &json!("portal"))
    );
}

#[test]
fn a_lift_that_cannot_be_put_on_record_is_not_made() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (admin, store) = (local(), store());
    let revoker = recording(Some(store.clone()), Box::new(Full));
    admin.revoker.store(Arc::new(revoker));
    let asked = json!({"client": {"id": "portal"}, "forever": true});
    assert_eq!(send(&admin, "POST", "/revocations", &asked).status(), 503);
    let target = json!({"client": {"id": "portal"}});
    assert_eq!(
        send(&admin, "DELETE", "/revocations", &target).status(),
        503
    );
    assert!(ends(&store, RevocationKey::client("portal"), NOW));
}
