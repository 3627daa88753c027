use super::*;
use crate::{
    clock::ManualClock,
    jose::{Algorithm, SealingKey, SealingKeys, SigningKey, UnverifiedJws},
    own_token::TokenSeal,
    store::{Lineage, Revocation, RevocationKey},
};

const NOW: UnixTime = UnixTime::from_secs(1_711_098_649);
const ISSUER: &str = "https://gateway.example.com";
/// The audience of a token in the guide, under the name that an API may know.
const AGGREGATES: &str = "259254020357488642";

struct Rig {
    keys: Arc<SigningKeys>,
    seal: TokenSeal,
    revocations: Revocations,
    introspection: Introspection,
}

impl Rig {
    fn new() -> Self {
        let key = SigningKey::generate(Algorithm::ES256).unwrap().key;
        let keys = Arc::new(SigningKeys::new([key]).unwrap());
        let sealing = SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap();
        let seal = TokenSeal::new(Arc::new(sealing), ISSUER);
        let revocations = Revocations::of_one_process();
        Self {
            introspection: Introspection::new(
                Arc::new(OwnTokenReader::new(ISSUER, &keys, Some(seal.clone()))),
                Arc::clone(&keys),
                revocations.clone(),
                Arc::new(ManualClock::at(NOW)),
            ),
            keys,
            seal,
            revocations,
        }
    }

    fn opaque(&self, changes: Value) -> String {
        let lineage = Lineage::new([RevocationKey::family("f")], NOW).unwrap();
        text(&self.seal.seal(&claims(changes), &lineage).unwrap())
    }

    fn signed(&self, typ: &str, changes: Value) -> String {
        self.keys.signing().sign(typ, &claims(changes)).unwrap()
    }

    fn ask(
        &self,
        token: &str,
        introspects: &[&str],
        accept: Option<&'static str>,
    ) -> Response<Bytes> {
        let introspects: Vec<Audience> = introspects
            .iter()
            .map(|name| Audience::parse(name).unwrap())
            .collect();
        let may_ask = |audiences: &[Audience]| audiences.iter().any(|a| introspects.contains(a));
        let accept = accept.map(HeaderValue::from_static);
        let client = "259284000017809410@aggregates";
        self.introspection
            .respond_to(client, may_ask, token, accept.as_ref())
    }

    fn members(&self, token: &str) -> Value {
        let response = self.ask(token, &[AGGREGATES], None);
        assert_eq!(response.status(), 200);
        serde_json::from_slice(response.body()).unwrap()
    }
}

fn text(token: &RawToken) -> String {
    String::from_utf8(token.expose().to_vec()).unwrap()
}

/// Returns the claims of the token in the guide, including those that an API must not see; null removes a claim.
fn claims(changes: Value) -> Map<String, Value> {
    let mut claims = json!({
        "iss": ISSUER, "sub": "259242039378444290", "aud": AGGREGATES,
        "client_id": "259254409320529922@portal", "scope": "openid", "jti": "s.259380204902809602",
        "iat": 1_711_098_649, "exp": 1_711_141_849, "email": "end-user@example.com", "acr": "mfa",
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    members.clone()
}

fn not_active() -> Value {
    json!({"active": false})
}

#[test]
fn a_reduced_token_tells_exactly_what_its_api_needs_in_either_form() {
    let rig = Rig::new();
    for token in [rig.opaque(json!({})), rig.signed("at+jwt", json!({}))] {
        assert_eq!(
            rig.members(&token),
            json!({
                "active": true, "scope": "openid", "client_id": "259254409320529922@portal",
                "token_type": "Bearer", "exp": 1_711_141_849, "iat": 1_711_098_649,
                "nbf": 1_711_098_649, "sub": "259242039378444290", "aud": [AGGREGATES],
                "iss": ISSUER, "jti": "s.259380204902809602",
            })
        );
    }
}

#[test]
fn who_acts_and_what_binds_the_token_is_named_where_it_is_there() {
    let rig = Rig::new();
    let act = json!({"iss": ISSUER, "sub": "obo-gateway", "act": {"sub": "agent"}});
    let cnf = json!({"x5t#S256": "AAAA"});
    let details = json!([{"type": "payment", "actions": ["read"]}]);
    let members =
        rig.members(&rig.opaque(
            json!({"act": act, "cnf": cnf, "scope": null, "authorization_details": details}),
        ));
    assert_eq!((&members["act"], &members["cnf"]), (&act, &cnf));
    // RFC 9396 §9.2
    assert_eq!(members["authorization_details"], details);
    assert_eq!(members.get("scope"), None);
}

#[test]
fn only_who_may_ask_about_one_of_its_audiences_learns_anything() {
    let rig = Rig::new();
    let token = rig.opaque(json!({"aud": [AGGREGATES, "settings"]}));
    let members = |introspects: &[&str]| -> Value {
        serde_json::from_slice(rig.ask(&token, introspects, None).body()).unwrap()
    };
    assert_eq!(members(&["settings", "else"])["active"], true);
    for introspects in [&[][..], &["else"], &["SETTINGS"], &["259254020357488642x"]] {
        assert_eq!(members(introspects), not_active(), "{introspects:?}");
    }
}

#[test]
fn what_is_no_current_access_token_is_not_active_and_nothing_else_is_said() {
    let rig = Rig::new();
    let other = Rig::new();
    for (token, what) in [
        (String::new(), "nothing"),
        ("oboat_AAAA".to_owned(), "garbage"),
        ("a b\u{e4}\n".to_owned(), "no token"),
        (rig.opaque(json!({"exp": NOW.as_secs()})), "expired"),
        (
            rig.opaque(json!({"iat": NOW.as_secs() + 31})),
            "not yet issued",
        ),
        (rig.signed("JWT", json!({"azp": "web"})), "an id token"),
        (
            rig.signed("token-introspection+jwt", json!({})),
            "the response",
        ),
        (
            rig.signed("at+jwt", json!({"iss": "https://else"})),
            "another issuer's",
        ),
        (other.opaque(json!({})), "sealed elsewhere"),
        (other.signed("at+jwt", json!({})), "signed elsewhere"),
        (
            rig.opaque(json!({})).replacen("oboat_", "oborf_", 1),
            "a refresh token",
        ),
    ] {
        assert_eq!(rig.members(&token), not_active(), "{what}");
    }
}

#[test]
fn a_revocation_of_what_the_token_was_made_from_ends_it_at_once() {
    let rig = Rig::new();
    let (opaque, other) = (rig.opaque(json!({})), rig.signed("at+jwt", json!({})));
    let until = NOW.plus(std::time::Duration::from_secs(86_400));
    let family = Revocation::of_all(RevocationKey::family("f"), NOW, until);
    rig.revocations.insert([family]);
    assert_eq!(rig.members(&opaque), not_active());
    assert_eq!(rig.members(&other)["active"], true);
    let client = RevocationKey::client("259254409320529922@portal");
    rig.revocations
        .insert([Revocation::of_all(client, NOW, until)]);
    assert_eq!(rig.members(&other), not_active());
}

#[test]
fn a_signed_response_is_for_who_asked_and_says_the_same() {
    let rig = Rig::new();
    let signed = "application/token-introspection+jwt";
    for (token, active) in [(rig.opaque(json!({})), true), ("x".to_owned(), false)] {
        let response = rig.ask(&token, &[AGGREGATES], Some(signed));
        assert_eq!(response.headers()["content-type"], signed);
        let jwt = RawToken::new(response.body().clone());
        let jws = UnverifiedJws::parse(&jwt).unwrap();
        assert_eq!(jws.typ(), Some("token-introspection+jwt"));
        let key = rig.keys.signing().verification_key().unwrap();
        let verified = key.verify(jws, &[Algorithm::ES256]).unwrap();
        let mut claims = verified.into_claims().unwrap().as_object().clone();
        assert_eq!(claims["token_introspection"]["active"], active);
        assert_eq!(
            claims.remove("token_introspection"),
            Some(rig.members(&token))
        );
        assert_eq!(
            Value::Object(claims),
            json!({"iss": ISSUER, "aud": "259284000017809410@aggregates", "iat": NOW.as_secs()})
        );
    }
}

#[test]
fn no_response_is_kept_by_anybody() {
    let rig = Rig::new();
    for accept in [None, Some("application/token-introspection+jwt")] {
        let response = rig.ask("x", &[AGGREGATES], accept);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["pragma"], "no-cache");
    }
}
