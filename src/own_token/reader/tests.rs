use super::*;
use crate::{
    jose::{SealingKey, SealingKeys, SigningKey, encoding::base64url},
    store::RevocationKey,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const ISSUER: &str = "https://g.example.com";

struct Rig {
    keys: SigningKeys,
    seal: TokenSeal,
    reader: OwnTokenReader,
}

impl Rig {
    fn new() -> Self {
        let keys = SigningKeys::new([key(), key()]).unwrap();
        let seal = seal();
        let reader = OwnTokenReader::new(ISSUER, &keys, Some(seal.clone()));
        Self { keys, seal, reader }
    }

    fn sign(&self, typ: &str, claims: &Map<String, Value>) -> RawToken {
        RawToken::from(self.keys.signing().sign(typ, claims).unwrap())
    }

    fn refusal(&self, token: &RawToken) -> OwnTokenError {
        self.reader.read(token, NOW).unwrap_err()
    }
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDSA).unwrap().key
}

fn seal() -> TokenSeal {
    let key = SealingKey::generate().unwrap().key;
    TokenSeal::new(Arc::new(SealingKeys::new([key]).unwrap()), ISSUER)
}

fn lineage() -> Lineage {
    Lineage::new([RevocationKey::family("f")], NOW).unwrap()
}

/// The claims of a valid token, with some replaced. A null removes a claim.
fn claims(changes: Value) -> Map<String, Value> {
    let mut claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": ["a", "b"], "client_id": "web", "scope": "read",
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60, "jti": "s.1",
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    members.clone()
}

#[test]
fn both_forms_of_an_access_token_read_alike() {
    let rig = Rig::new();
    let claims = claims(json!({}));
    let opaque = rig.seal.seal(&claims, &lineage()).unwrap();
    let signed = rig.sign("at+jwt", &claims);
    for (token, format) in [(opaque, TokenFormat::Opaque), (signed, TokenFormat::Jwt)] {
        let own = rig.reader.read(&token, NOW).unwrap();
        assert_eq!(own.format(), format);
        assert_eq!(own.claims().as_object(), &claims);
        let audiences: Vec<&str> = own.audiences().iter().map(Audience::as_str).collect();
        assert_eq!(audiences, ["a", "b"]);
        let own_key = RevocationKey::token(ISSUER, "s.1");
        assert!(own.lineage().keys().contains(&own_key));
    }
}

#[test]
fn what_a_token_was_made_from_is_read_in_both_forms() {
    let rig = Rig::new();
    let id = rig.seal.token_id("s.1", &lineage()).unwrap();
    let signed = rig.sign("at+jwt", &claims(json!({ "jti": id })));
    let opaque = rig.seal.seal(&claims(json!({})), &lineage()).unwrap();
    for token in [signed, opaque] {
        let own = rig.reader.read(&token, NOW).unwrap();
        let family = RevocationKey::family("f");
        assert!(own.lineage().keys().contains(&family));
    }
}

#[test]
fn what_was_made_from_something_that_cannot_be_opened_any_more_is_refused() {
    let rig = Rig::new();
    let id = seal().token_id("s.1", &lineage()).unwrap();
    let token = rig.sign("at+jwt", &claims(json!({ "jti": id })));
    assert_eq!(rig.refusal(&token), OwnTokenError::NotIssuedHere);
    let without = OwnTokenReader::new(ISSUER, &rig.keys, None);
    let refusal = without.read(&token, NOW).unwrap_err();
    assert_eq!(refusal, OwnTokenError::NotIssuedHere);
}

#[test]
fn the_type_says_whether_a_signed_token_is_an_access_token() {
    let rig = Rig::new();
    let id_token = rig.sign("JWT", &claims(json!({"azp": "web"})));
    let format = rig.reader.read(&id_token, NOW).unwrap().format();
    assert_eq!(format, TokenFormat::IdToken);
    for typ in ["token-introspection+jwt", "logout+jwt", ""] {
        let token = rig.sign(typ, &claims(json!({})));
        assert_eq!(rig.refusal(&token), OwnTokenError::TokenType, "{typ:?}");
    }
}

#[test]
fn every_key_of_the_gateway_reads_and_no_other() {
    let rig = Rig::new();
    for key in rig.keys.iter() {
        let token = key.sign("at+jwt", &claims(json!({}))).unwrap();
        assert!(rig.reader.read(&RawToken::from(token), NOW).is_ok());
    }
    let strange = key().sign("at+jwt", &claims(json!({}))).unwrap();
    let refusal = rig.refusal(&RawToken::from(strange));
    assert_eq!(refusal, OwnTokenError::NotIssuedHere);
    let strange = seal().seal(&claims(json!({})), &lineage()).unwrap();
    assert_eq!(rig.refusal(&strange), OwnTokenError::NotIssuedHere);
}

#[test]
fn a_token_of_the_gateway_s_key_under_another_signature_is_refused() {
    let rig = Rig::new();
    let token = rig.sign("at+jwt", &claims(json!({})));
    let text = String::from_utf8(token.expose().to_vec()).unwrap();
    let (signed, _) = text.rsplit_once('.').unwrap();
    let forged = RawToken::from(format!("{signed}.{}", base64url([7; 64])));
    assert!(matches!(rig.refusal(&forged), OwnTokenError::Signature(_)));
}

#[test]
fn a_token_without_a_claim_that_every_issued_one_has_is_refused() {
    let rig = Rig::new();
    for changes in [
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"jti": null}),
        json!({"jti": "1"}),
        json!({"aud": ""}),
        json!({"sub": null}),
    ] {
        let token = rig.sign("at+jwt", &claims(changes.clone()));
        assert!(rig.reader.read(&token, NOW).is_err(), "{changes}");
    }
}

#[test]
fn its_time_is_the_gateway_s_to_the_second_at_the_end() {
    let rig = Rig::new();
    let token = rig.seal.seal(&claims(json!({})), &lineage()).unwrap();
    let at = |seconds: i64| {
        let now = UnixTime::from_secs(NOW.as_secs() + seconds);
        rig.reader.read(&token, now).map(|_| ())
    };
    assert_eq!(at(59), Ok(()));
    assert_eq!(at(60), Err(OwnTokenError::Expired));
    assert_eq!(at(-30), Ok(()), "another replica's clock");
    assert_eq!(at(-31), Err(OwnTokenError::NotYetValid));
}

#[test]
fn another_issuer_s_token_is_refused_before_its_signature_is_looked_at() {
    let rig = Rig::new();
    let token = rig.sign("at+jwt", &claims(json!({"iss": "https://else"})));
    assert_eq!(rig.refusal(&token), OwnTokenError::UnknownIssuer);
    let garbage = RawToken::from("oborf_AAAA".to_owned());
    assert!(matches!(rig.refusal(&garbage), OwnTokenError::Malformed(_)));
}

/// A route can be configured to write `JWT` as the type of its access tokens. Only an ID token has an authorized party.
#[test]
fn an_access_token_that_says_jwt_is_distinguished_from_an_id_token() {
    let rig = Rig::new();
    for (typ, changes, format) in [
        ("JWT", json!({}), TokenFormat::Jwt),
        ("application/jwt", json!({}), TokenFormat::Jwt),
        ("at+jwt", json!({"azp": "web"}), TokenFormat::Jwt),
        (
            "JWT",
            json!({"azp": "web", "scope": null}),
            TokenFormat::IdToken,
        ),
        ("jwt", json!({"azp": false}), TokenFormat::IdToken),
    ] {
        let token = rig.sign(typ, &claims(changes));
        assert_eq!(rig.reader.read(&token, NOW).unwrap().format(), format);
    }
    for typ in ["logout+jwt", "", "token-introspection+jwt"] {
        let token = rig.sign(typ, &claims(json!({})));
        assert_eq!(rig.refusal(&token), OwnTokenError::TokenType, "{typ}");
    }
}
