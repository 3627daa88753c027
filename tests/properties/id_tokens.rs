//! ID tokens: requested alone, and in addition to an access token.

use crate::properties::{
    cases,
    exchange::gateway,
    formats::MINT,
    subject::{GATEWAY, IDP, ISSUER, NOW, build},
};
use aws_lc_rs::digest::{SHA512, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use obo_gateway::{
    clock::{ManualClock, SharedClock},
    egress::Egress,
    exchange::{AttenuationError, IssuedToken, TokenResponse},
    own_token::OwnToken,
    policy::{
        ClientParts, ClientPolicy, ClientSettings, Clients, DirectRequest, PermittedExchange,
        RequestedScope,
    },
    settings::BaseDir,
    token::{Audience, RawToken, ScopeSet, TokenFormat},
};
use proptest::{option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

const SCOPES: [&str; 6] = ["openid", "profile", "email", "phone", "address", "read"];
const AUDIENCES: [&str; 3] = ["aggregates", "settings", "portal"];
/// Claims of subject tokens, each with the scope that an ID token needs to contain it.
const TOLD: [(&str, &str); 8] = [
    ("name", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("phone_number", "phone"),
    ("address", "address"),
    ("department", "nothing"),
];
/// The claims about how the subject signed in.
const AUTHENTICATION: [&str; 3] = ["auth_time", "acr", "amr"];

#[derive(Debug, Clone)]
struct Ask {
    audiences: Vec<&'static str>,
    scope: Vec<&'static str>,
    told: Vec<(&'static str, &'static str)>,
    authentication: Vec<&'static str>,
    act: Option<Value>,
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let act = json!({"iss": ISSUER, "sub": "agent", "act": {"sub": "earlier"}});
    (
        subsequence(AUDIENCES.to_vec(), 1..=AUDIENCES.len()),
        subsequence(SCOPES.to_vec(), 1..=SCOPES.len()),
        subsequence(TOLD.to_vec(), 0..=TOLD.len()),
        subsequence(AUTHENTICATION.to_vec(), 0..=AUTHENTICATION.len()),
        option::of(Just(act)),
    )
        .prop_map(|(audiences, scope, told, authentication, act)| Ask {
            audiences,
            scope,
            told,
            authentication,
            act,
        })
}

static CLIENT: LazyLock<Arc<ClientPolicy>> = LazyLock::new(|| {
    let settings: ClientSettings = serde_json::from_value(json!({
        "id": "portal",
        "authentication": {"method": "none"},
        "grants": ["token_exchange"],
        "audiences": AUDIENCES,
        "scope": {"allow": SCOPES},
        "token_formats": ["opaque", "jwt", "id_token"],
    }))
    .unwrap();
    let clock: SharedClock = Arc::new(ManualClock::at(NOW));
    let (gateway, egress) = (gateway(), Egress::new(IDP.runtime.handle().clone()));
    let clients = build(&BaseDir::of_file(Path::new("x")), |building| {
        let parts = ClientParts {
            gateway: &gateway,
            lifetime: Duration::from_secs(300),
            issuers: &BTreeSet::new(),
            listed_issuers: 1,
            directory: None,
            directory_written: false,
            opaque: true,
            stored: true,
            audiences: &BTreeSet::new(),
            clock: &clock,
            egress: &egress,
        };
        let clients = Clients::build(&[(0, settings)], building, &parts);
        (building.findings.errors() == 0).then_some(clients)
    });
    Arc::clone(clients.of("portal").unwrap())
});

impl Ask {
    fn value(name: &str) -> Value {
        json!({"of": name})
    }

    fn permit(&self, format: TokenFormat) -> PermittedExchange {
        let now = NOW.as_secs();
        let mut claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": ["portal"], "client_id": "portal", "jti": "1",
            "iat": now - 1, "exp": now + 200, "scope": SCOPES.join(" "),
        });
        let names = self.told.iter().map(|(name, _)| *name);
        for name in names.chain(self.authentication.iter().copied()) {
            claims[name] = Self::value(name);
        }
        if let Some(act) = &self.act {
            claims["act"] = act.clone();
        }
        let scope = ScopeSet::parse(&self.scope.join(" ")).unwrap();
        let request = DirectRequest {
            subject: IDP.subject(&claims),
            actor: None,
            audience: self
                .audiences
                .iter()
                .map(|name| Audience::parse(name).unwrap())
                .collect(),
            resource: Vec::new(),
            scope: Some(RequestedScope::Named(scope)),
            format,
        };
        CLIENT.permit(request, NOW).expect("what may be asked for")
    }

    /// Returns the expected claims of its ID token except its id, by the specification.
    fn expected(&self) -> Map<String, Value> {
        let mut audiences = self.audiences.clone();
        if !audiences.contains(&"portal") {
            audiences.push("portal");
        }
        let now = NOW.as_secs();
        let mut claims = json!({
            "iss": GATEWAY, "sub": "alice", "azp": "portal", "client_id": "portal",
            "iat": now, "exp": now + 200, "aud": audiences,
        });
        if let [only] = audiences.as_slice() {
            claims["aud"] = json!(only);
        }
        for (name, scope) in &self.told {
            if self.scope.contains(&"openid") && self.scope.contains(scope) {
                claims[*name] = Self::value(name);
            }
        }
        for name in &self.authentication {
            claims[*name] = Self::value(name);
        }
        if let Some(act) = &self.act {
            claims["act"] = act.clone();
        }
        claims.as_object().unwrap().clone()
    }
}

fn read(token: &RawToken) -> (OwnToken, Map<String, Value>) {
    let own = MINT
        .reader
        .read(token, NOW)
        .expect("what was issued just now");
    let mut claims = own.claims().as_object().clone();
    assert!(claims.remove("jti").is_some());
    (own, claims)
}

fn issue(permitted: PermittedExchange) -> IssuedToken {
    let response = MINT.engine.mint(&permitted).unwrap();
    IssuedToken::accept(permitted, response, MINT.engine.own_profile(), NOW)
        .expect("what the engine mints is what was permitted")
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_id_token_says_who_the_user_is_as_far_as_the_scope_allows(ask in any_ask()) {
        let issued = issue(ask.permit(TokenFormat::IdToken));
        let (own, claims) = read(issued.token());
        prop_assert_eq!(own.format(), TokenFormat::IdToken);
        prop_assert_eq!(claims, ask.expected());
        prop_assert_eq!(own.lineage(), issued.lineage());
        let scope: BTreeSet<&str> = ask.scope.iter().copied().collect();
        prop_assert_eq!(issued.scope().iter().collect::<BTreeSet<_>>(), scope);
    }

    #[test]
    fn one_beside_an_access_token_names_it_and_nobody_else(ask in any_ask(), signed: bool) {
        let format = if signed { TokenFormat::Jwt } else { TokenFormat::Opaque };
        let access = issue(ask.permit(format));
        let token = MINT.engine.id_token(&access).unwrap();
        let (own, mut claims) = read(&token);
        prop_assert_eq!(own.format(), TokenFormat::IdToken);
        let whole = digest(&SHA512, access.token().expose());
        let half = URL_SAFE_NO_PAD.encode(&whole.as_ref()[..32]);
        prop_assert_eq!(claims.remove("at_hash"), Some(json!(half)));
        prop_assert_eq!(claims, ask.expected());
        // a revocation of the access token also revokes it
        let ends = access.lineage().keys();
        prop_assert!(ends.iter().all(|key| own.lineage().keys().contains(key)));
    }

    #[test]
    fn an_access_token_of_the_token_service_says_nothing_of_the_user(ask in any_ask(), signed: bool) {
        let format = if signed { TokenFormat::Jwt } else { TokenFormat::Opaque };
        let (_, claims) = read(issue(ask.permit(format)).token());
        let mut audiences = json!(ask.audiences);
        if let [only] = ask.audiences.as_slice() {
            audiences = json!(only);
        }
        prop_assert_eq!(&claims["aud"], &audiences);
        prop_assert_eq!(&claims["nbf"], &claims["iat"]);
        for (name, _) in TOLD {
            prop_assert!(!claims.contains_key(name), "{}", name);
        }
    }
}

#[test]
fn an_id_token_that_says_more_or_less_than_was_permitted_is_refused() {
    let ask = Ask {
        audiences: vec!["aggregates"],
        scope: vec!["openid", "profile"],
        told: vec![("name", "profile"), ("email", "email")],
        authentication: vec!["acr"],
        act: None,
    };
    let honest = issue(ask.permit(TokenFormat::IdToken));
    let honest = honest.claims().unwrap().as_object();
    for (name, value, refusal) in [
        ("scope", json!("openid"), AttenuationError::Scope),
        ("aud", json!("aggregates"), AttenuationError::Audience),
        (
            "aud",
            json!(["aggregates", "portal", "settings"]),
            AttenuationError::Audience,
        ),
        ("azp", json!("else"), AttenuationError::Subject),
        ("azp", Value::Null, AttenuationError::Subject),
        ("at_hash", json!("AAAA"), AttenuationError::Claim),
        ("name", json!("Mallory"), AttenuationError::Claim),
        ("email", json!({"of": "email"}), AttenuationError::Claim),
        ("nonce", json!("n"), AttenuationError::Claim),
        ("auth_time", json!(1), AttenuationError::Claim),
        ("jti", json!("s.1"), AttenuationError::Lineage),
        ("act", json!({"sub": "agent"}), AttenuationError::Actors),
    ] {
        let mut claims = honest.clone();
        claims.insert(name.to_owned(), value.clone());
        let text = serde_json::to_vec(&claims).unwrap();
        let token = RawToken::from(format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(text)));
        let response = TokenResponse::id_token(token);
        let permitted = ask.permit(TokenFormat::IdToken);
        let accepted = IssuedToken::accept(permitted, response, MINT.engine.own_profile(), NOW);
        assert_eq!(accepted.err(), Some(refusal), "{name}: {value}");
    }
}
