//! The forms of an issued token: each contains what was permitted and nothing else, and can be read with the keys.

use crate::properties::{
    cases,
    exchange::{Case, details, gateway, nested, permitted_case},
    subject::{GATEWAY, IDP, ISSUER},
};
use obo_gateway::{
    clock::SystemRandomness,
    exchange::{AttenuationError, Embedded, IssuedToken, TokenResponse},
    jose::{Algorithm, SealingKey, SealingKeys, SigningKey, SigningKeys},
    own_token::{OwnToken, OwnTokenError, OwnTokenReader, TokenSeal},
    store::RevocationKey,
    token::{RawToken, TokenFormat},
};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

/// An engine that seals tokens, and a reader for them.
pub struct Mint {
    pub engine: Embedded,
    pub reader: OwnTokenReader,
}

pub static MINT: LazyLock<Mint> = LazyLock::new(Mint::new);

impl Mint {
    fn new() -> Self {
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
        let keys = Arc::new(SigningKeys::new([key]).unwrap());
        let sealing = SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap();
        let seal = TokenSeal::new(Arc::new(sealing), GATEWAY);
        let reader = OwnTokenReader::new(GATEWAY, &keys, Some(seal.clone()));
        let clock = Arc::clone(&IDP.clock);
        let engine = Embedded::new(&gateway(), keys, clock, Arc::new(SystemRandomness));
        Self {
            engine: engine.sealing(Some(seal)),
            reader,
        }
    }

    fn issue(&self, case: &Case, form: &str) -> IssuedToken {
        let permitted = case.permit_in(form).expect("a case that is permitted");
        let response = self.engine.mint(&permitted).unwrap();
        IssuedToken::accept(permitted, response, self.engine.own_profile(), case.now())
            .expect("what the engine mints is what was permitted")
    }

    fn read(&self, token: &RawToken, case: &Case) -> Result<OwnToken, OwnTokenError> {
        self.reader.read(token, case.now())
    }
}

/// Returns the expected claims of the token of `case` except its times and its id, by the specification.
fn expected(case: &Case) -> Map<String, Value> {
    let (subject, route) = (&case.subject, &case.route);
    let sub = if route.qualified {
        format!("corp:{}", subject.sub)
    } else {
        subject.sub.clone()
    };
    let mut claims = json!({
        "iss": GATEWAY, "sub": sub, "aud": "orders-api",
        "client_id": subject.client.unwrap_or("obo-gateway"),
    })
    .as_object()
    .unwrap()
    .clone();
    let mut scope: Vec<&str> = route.allow.clone();
    scope.retain(|name| subject.held().contains(name));
    scope.sort_unstable();
    scope.dedup();
    if !scope.is_empty() {
        claims.insert("scope".to_owned(), json!(scope.join(" ")));
    }
    let ours = route
        .names_gateway
        .then_some((Some(GATEWAY), "obo-gateway"));
    let chain: Vec<_> = ours.into_iter().chain(subject.actors.clone()).collect();
    if let Some(act) = nested(chain.into_iter()) {
        claims.insert("act".to_owned(), act);
    }
    for name in ["auth_time", "acr", "amr"].iter().chain(&route.copy) {
        if let Some(value) = subject.further.get(*name) {
            claims.insert((*name).to_owned(), value.clone());
        }
    }
    if let Some(number) = subject.details {
        claims.insert("authorization_details".to_owned(), details(number));
    }
    for name in &route.set {
        let constant = crate::properties::exchange::Route::constant(name);
        claims.insert((*name).to_owned(), constant);
    }
    claims
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_opaque_token_opens_to_exactly_what_was_permitted(case in permitted_case()) {
        let issued = MINT.issue(&case, "opaque");
        let own = MINT.read(issued.token(), &case).expect("what was issued just now");
        prop_assert_eq!(own.format(), TokenFormat::Opaque);
        let mut claims = own.claims().as_object().clone();
        prop_assert_eq!(claims.remove("iat"), Some(json!(case.now().as_secs())));
        prop_assert_eq!(claims.remove("exp"), Some(json!(issued.permitted().expires_at().as_secs())));
        prop_assert_eq!(claims.remove("jti"), Some(json!(issued.id())));
        prop_assert_eq!(claims, expected(&case));
        prop_assert_eq!(own.lineage(), issued.lineage());
        let text = String::from_utf8(issued.token().expose().to_vec()).unwrap();
        prop_assert!(!text.contains('.') && text.starts_with("oboat_"));
    }

    #[test]
    fn the_forms_differ_in_nothing_but_their_id(case in permitted_case()) {
        let (signed, opaque) = (MINT.issue(&case, "jwt"), MINT.issue(&case, "opaque"));
        let said = |issued: &IssuedToken| {
            let own = MINT.read(issued.token(), &case).expect("what was issued just now");
            prop_assert_eq!(Some(own.claims()), issued.claims());
            prop_assert_eq!(own.lineage(), issued.lineage());
            let mut claims = own.claims().as_object().clone();
            let id = claims.remove("jti").unwrap();
            let mark = id.as_str().unwrap().split('.').next().unwrap().to_owned();
            Ok((claims, mark, own.audiences().to_vec(), own.expires_at()))
        };
        prop_assert_eq!(said(&signed)?, said(&opaque)?);
    }

    #[test]
    fn what_was_changed_in_one_place_is_no_token(
        case in permitted_case(),
        at: Index, bit in 0..8_u32, cut: Index, signed: bool,
    ) {
        let issued = MINT.issue(&case, if signed { "jwt" } else { "opaque" });
        let text = issued.token().expose().to_vec();
        let mut flipped = text.clone();
        flipped[at.index(text.len())] ^= 1 << bit;
        let cut = text[..cut.index(text.len())].to_vec();
        for changed in [flipped, cut] {
            let token = RawToken::new(changed.into());
            prop_assert!(MINT.read(&token, &case).is_err());
        }
    }

    #[test]
    fn a_token_of_another_gateway_is_none_here(case in permitted_case(), signed: bool) {
        static OTHER: LazyLock<Mint> = LazyLock::new(Mint::new);
        let issued = OTHER.issue(&case, if signed { "jwt" } else { "opaque" });
        let refusal = MINT.read(issued.token(), &case).err();
        prop_assert_eq!(refusal, Some(OwnTokenError::NotIssuedHere));
    }

    #[test]
    fn a_revocation_of_what_it_was_made_from_finds_it(case in permitted_case(), signed: bool) {
        let issued = MINT.issue(&case, if signed { "jwt" } else { "opaque" });
        let own = MINT.read(issued.token(), &case).expect("what was issued just now");
        let subject = &case.subject;
        let mut ends = vec![
            RevocationKey::token(ISSUER, "the subject's"),
            RevocationKey::subject(ISSUER, &subject.sub),
            RevocationKey::token(GATEWAY, issued.id().unwrap()),
        ];
        ends.extend(subject.client.map(RevocationKey::client));
        let sid = subject.further.get("sid").and_then(Value::as_str);
        ends.extend(sid.map(|sid| RevocationKey::session(ISSUER, sid)));
        for key in ends {
            prop_assert!(own.lineage().keys().contains(&key), "{key:?}");
        }
        prop_assert!(own.lineage().since() <= case.now());
    }

    #[test]
    fn a_token_that_says_it_was_made_from_something_else_is_refused(case in permitted_case(), signed: bool) {
        let form = if signed { "jwt" } else { "opaque" };
        let issued = MINT.issue(&case, form);
        let mut other = case;
        other.subject.further.insert("sid".to_owned(), json!("another session"));
        let permitted = other.permit_in(form).expect("a case that is permitted");
        let response = TokenResponse::bearer(issued.token().clone());
        let accepted = IssuedToken::accept(permitted, response, MINT.engine.own_profile(), other.now());
        prop_assert_eq!(accepted.err(), Some(AttenuationError::Lineage));
    }

    #[test]
    fn a_token_of_the_other_form_is_not_what_was_permitted(case in permitted_case(), signed: bool) {
        let (form, other) = if signed { ("jwt", "opaque") } else { ("opaque", "jwt") };
        let issued = MINT.issue(&case, form);
        let response = TokenResponse::bearer(issued.token().clone());
        let permitted = case.permit_in(other).expect("a case that is permitted");
        let accepted = IssuedToken::accept(permitted, response, MINT.engine.own_profile(), case.now());
        prop_assert_eq!(accepted.err(), Some(AttenuationError::Unreadable));
    }
}
