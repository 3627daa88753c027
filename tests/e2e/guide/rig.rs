//! The guide's organisation: the portal's web application and its API clients, an end user and an impersonator who have
//! signed in at the provider.

use super::described::assert_described;
use crate::e2e::support::{Answer, Ask, Lab, Setup, Signer, lab, signer::with};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(super) const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
pub(super) const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(super) const USER_ID: &str = "urn:zitadel:params:oauth:token-type:user_id";

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

pub(super) const END_USER: &str = "259242039378444290";
pub(super) const IMPERSONATOR: &str = "259241944654282754";
/// A user without permissions in the end user's organisation.
pub(super) const COLLEAGUE: &str = "259241900000000001";
/// An administrator of the end user's organisation.
pub(super) const ADMINISTRATOR: &str = "259241900000000002";
/// A user of another organisation.
pub(super) const STRANGER: &str = "259241900000000003";

/// The audiences that the users signed in for, as in the guide: two clients, and four projects.
pub(super) const AUDIENCES: [&str; 6] = [
    "web@portal",
    "app@portal",
    "portal",
    "aggregates",
    "settings",
    "console",
];

/// A client and its secret.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub id: &'static str,
    pub secret: &'static str,
}

pub(super) const WEB: Client = Client {
    id: "web@portal",
    secret: "eNdXJzB5RK5CXSpa4HqEfbdDqlM7drpskEHq1RBYMby0tM1MaCidyWsWlp5mglbN",
};
/// The web application, with its credentials in the form.
pub(super) const FORM: Client = Client {
    id: "form@portal",
    secret: "qHqEfbdDqlM7drpskEHq1RBYMby0tM1MaCidyWsWlp5mglbNeNdXJzB5RK5CXSpa",
};
pub(super) const AGGREGATES: Client = Client {
    id: "api@aggregates",
    secret: "ES1i1JWgGiHNW6bBljyynZyvQIlotEpVwzbgrTIYZzndOo2KxDkwap1WvdSdBjtk",
};
pub(super) const SETTINGS: Client = Client {
    id: "api@settings",
    secret: "v1WvdSdBjtkES1i1JWgGiHNW6bBljyynZyvQIlotEpVwzbgrTIYZzndOo2KxDkwa",
};
/// The second client of the portal: it signs assertions.
pub(super) const APP: &str = "app@portal";

const CLIENTS: &str = r"
clients:
  - id: web@portal
    authentication: { method: client_secret_basic, secret: { file: web.secret } }
    grants: [token_exchange, refresh_token]
    audiences: [web@portal, app@portal, portal, aggregates, settings, console]
    audience_rule: from_tokens
    scope: { allow: [openid, profile, email, offline_access, aggregates.read, settings.write] }
    token_formats: [opaque, jwt, id_token]
    lifetime: 12h
    refresh: { idle: 7d, absolute: 30d }
    chain: { accept_own: true }
    resources: [ { resource: https://aggregates.example.com/v1, audience: aggregates } ]
    impersonation: { may_act_for: any, subjects: [access_token, id_token, user_id] }
  - id: app@portal
    authentication: { method: private_key_jwt, jwks_file: app.jwks }
    grants: [token_exchange]
    audiences: [web@portal, app@portal, portal, aggregates, settings, console]
    audience_rule: from_tokens
    scope: { allow: [openid, profile, email] }
    token_formats: [opaque, jwt]
    lifetime: 12h
    impersonation: { may_act_for: any, subjects: [jwt] }
  - id: form@portal
    authentication: { method: client_secret_post, secret: { file: form.secret } }
    grants: [token_exchange]
    audiences: [web@portal, app@portal, portal, aggregates, settings, console]
    scope: { allow: [openid, profile, email, aggregates.read, settings.write] }
    token_formats: [opaque, id_token]
    lifetime: 12h
    chain: { accept_own: true }
    subjects_of: [web@portal]
  - id: api@aggregates
    authentication: { method: client_secret_basic, secret: { file: aggregates.secret } }
    introspects: [aggregates]
  - id: api@settings
    authentication: { method: client_secret_basic, secret: { file: settings.secret } }
    introspects: [settings]
directory: { file: directory.yaml }
store: { embedded: { path: store } }
";

const ROUTES: &str = r"
  - name: settings
    match: { prefix: /settings }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: settings, scope: { allow: [settings.write], require: [settings.write] } }
";

pub(super) struct Guide {
    pub lab: Lab,
    pub app: Signer,
}

impl Guide {
    pub(super) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(super) async fn with(setup: Setup) -> Self {
        let app = Signer::es256();
        let files = vec![
            ("web.secret", WEB.secret.to_owned()),
            ("form.secret", FORM.secret.to_owned()),
            ("aggregates.secret", AGGREGATES.secret.to_owned()),
            ("settings.secret", SETTINGS.secret.to_owned()),
            ("app.jwks", json!({"keys": [app.jwk()]}).to_string()),
            ("directory.yaml", directory().to_string()),
        ];
        let setup = Setup {
            routes: ROUTES.to_owned(),
            issuer: "audiences: [portal], algorithms: [ES256], keys: { discovery: true }, max_lifetime: 24h"
                .to_owned(),
            service: ", lifetime: 12h, opaque_keys: [ { file: opaque.key, generate: true } ]"
                .to_owned(),
            sections: CLIENTS.to_owned(),
            files,
            ..setup
        };
        let lab = Lab::with(setup).await;
        Self { lab, app }
    }

    /// The end user's access token, as the provider wrote it at the login.
    pub(super) fn end_user(&self) -> String {
        self.signed_in(json!({"sub": END_USER, "scope": "openid profile email aggregates.read settings.write"}))
    }

    /// Returns the impersonator's access token, without a profile.
    pub(super) fn impersonator(&self) -> String {
        self.signed_in(json!({"sub": IMPERSONATOR, "scope": "openid"}))
    }

    /// Returns an access token of the provider with some claims replaced; null removes one.
    pub(super) fn signed_in(&self, changes: Value) -> String {
        let now = self.lab.now();
        let claims = json!({
            "aud": AUDIENCES, "client_id": WEB.id, "exp": now + 43_200,
            "email": null, "auth_time": now - 60, "acr": null, "amr": ["password", "pwd"],
        });
        self.lab.token_with(with(claims, changes))
    }

    /// The ID token of the same login.
    pub(super) fn id_token(&self, changes: Value) -> String {
        let now = self.lab.now();
        let claims = json!({
            "iss": self.lab.idp.issuer(), "sub": END_USER, "aud": AUDIENCES, "iat": now - 5, "exp": now + 43_200,
            "auth_time": now - 60, "amr": ["password", "pwd"], "azp": WEB.id, "client_id": WEB.id,
            "at_hash": "t1T78s8RTVku2sxBg03RCQ", "c_hash": "PupC2crjOZAr6_O1uTlGdw",
            "name": "end user", "given_name": "end", "family_name": "user", "email": "tim+end-user@example.com",
            "email_verified": true,
        });
        let header = with(self.lab.idp.signer().header(), json!({"typ": "JWT"}));
        let payload = with(claims, changes).to_string();
        self.lab
            .idp
            .signer()
            .sign_bytes(&header, payload.as_bytes())
    }

    /// A JWT that the portal's second client signs with its own key, in the shape of the guide's: neither `jti` nor `typ`.
    pub(super) fn self_signed(&self, subject: &str) -> String {
        let now = self.lab.now();
        let claims = json!({
            "iss": APP, "sub": subject, "aud": [lab::GATEWAY_ISSUER], "iat": now, "exp": now + 3600,
        });
        let header = json!({"alg": "ES256", "kid": self.app.kid()});
        self.app.sign_bytes(&header, claims.to_string().as_bytes())
    }

    /// Returns the assertion by which that client authenticates, for one request.
    pub(super) fn assertion(&self) -> String {
        let now = self.lab.now();
        let mut serial = [0; 16];
        getrandom::fill(&mut serial).unwrap();
        let claims = json!({
            "iss": APP, "sub": APP, "aud": [lab::GATEWAY_ISSUER], "iat": now, "exp": now + 300,
            "jti": URL_SAFE_NO_PAD.encode(serial),
        });
        let header = json!({"alg": "ES256", "kid": self.app.kid()});
        self.app.sign_bytes(&header, claims.to_string().as_bytes())
    }

    /// `POST path` with a form, by a client that writes its secret as curl's `-u` does.
    pub(super) async fn post(&self, path: &str, by: Client, form: &[(&str, &str)]) -> Answer {
        let basic = STANDARD.encode(format!("{}:{}", by.id, by.secret));
        let ask = form_of(path, form).field("Authorization", &format!("Basic {basic}"));
        self.lab.ask(ask).await
    }

    /// Sends a token exchange by the portal's web application.
    pub(super) async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let grant = ("grant_type", GRANT);
        let form: Vec<_> = std::iter::once(grant).chain(form.iter().copied()).collect();
        self.post("/oauth/v2/token", WEB, &form).await
    }

    /// Sends a token exchange that must succeed.
    pub(super) async fn exchange(&self, form: &[(&str, &str)]) -> Value {
        let answer = self.ask(form).await;
        granted(&answer)
    }

    /// Sends a token exchange by the portal's second client, which signs an assertion for it.
    pub(super) async fn ask_by_assertion(&self, form: &[(&str, &str)]) -> Answer {
        let assertion = self.assertion();
        let own = [
            ("client_assertion", assertion.as_str()),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("grant_type", GRANT),
        ];
        let form: Vec<_> = own.iter().chain(form).copied().collect();
        self.lab.ask(form_of("/oauth/v2/token", &form)).await
    }

    /// Returns the introspection response for a token.
    pub(super) async fn introspect(&self, by: Client, token: &str) -> Value {
        let answer = self
            .post("/oauth/v2/introspect", by, &[("token", token)])
            .await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        let told = answer.json();
        assert_described("Introspection", &told);
        told
    }

    /// Returns an opaque access token of the gateway with the same content as `token`.
    pub(super) async fn opaque(&self, token: &str) -> String {
        let form = [
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        text(&self.exchange(&form).await, "access_token")
    }

    /// Returns header and claims of a JWT of the gateway, verified with the published keys.
    pub(super) async fn verified(&self, token: &str) -> (Value, Value) {
        let keys = self.lab.ask(Ask::get("/oauth/v2/keys")).await;
        let keys: JwkSet = serde_json::from_slice(&keys.body).unwrap();
        let header = jsonwebtoken::decode_header(token).expect("no JWS");
        let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[lab::GATEWAY_ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_aud = false;
        // the time is that of the gateway's clock, which a test may have moved
        rules.validate_exp = false;
        let key = DecodingKey::from_jwk(key).unwrap();
        let token = jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap();
        (serde_json::to_value(&token.header).unwrap(), token.claims)
    }

    pub(super) async fn claims(&self, token: &str) -> Value {
        self.verified(token).await.1
    }

    /// Returns the provider's URL: `iss` of all users who signed in there.
    pub(super) fn provider(&self) -> &str {
        self.lab.idp.issuer()
    }
}

fn directory() -> Value {
    let user = |id: &str, changes: Value| {
        let user = json!({
            "id": id, "claims": {"name": id}, "organizations": [{"id": "acme", "roles": []}],
        });
        with(user, changes)
    };
    let impersonate = json!([{"name": "impersonate", "within": "own_organizations"}]);
    json!({"users": [
        user(END_USER, json!({"claims": {
            "name": "end user", "given_name": "end", "family_name": "user", "nickname": "end-user", "gender": "female",
            "locale": "en", "updated_at": 1_711_016_296, "preferred_username": "end-user",
            "email": "tim+end-user@example.com", "email_verified": true,
        }})),
        user(IMPERSONATOR, json!({"permissions": impersonate})),
        user(COLLEAGUE, json!({})),
        user(ADMINISTRATOR, json!({"administrator": true})),
        user(STRANGER, json!({"organizations": [{"id": "umbrella", "roles": []}]})),
    ]})
}

pub(super) fn form_of(path: &str, form: &[(&str, &str)]) -> Ask {
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    Ask::post(path, body)
        .field("Content-Type", "application/x-www-form-urlencoded")
        .field("Accept", "application/json")
}

/// Returns the members of a token response.
#[track_caller]
pub(super) fn granted(answer: &Answer) -> Value {
    assert_eq!(
        answer.status(),
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.field("pragma"), Some("no-cache"));
    let members = answer.json();
    assert_described("Token", &members);
    members
}

/// Asserts that a refusal contains a code and a sentence, and no part of a token.
#[track_caller]
pub(super) fn refused(answer: &Answer, error: &str) {
    let body = answer.json();
    assert_eq!(
        (answer.status(), body["error"].as_str()),
        (400, Some(error)),
        "{body}"
    );
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_described("TokenError", &body);
}

pub(super) fn text(members: &Value, name: &str) -> String {
    let member = members[name].as_str();
    member
        .unwrap_or_else(|| panic!("no {name} in {members}"))
        .to_owned()
}

/// The names of the members, in order.
pub(super) fn names(members: &Value) -> Vec<&str> {
    let mut names: Vec<_> = members
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// Returns the scopes of a response, in order.
pub(super) fn scopes(members: &Value) -> Vec<&str> {
    let mut scopes: Vec<_> = members["scope"].as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    scopes
}

/// The audiences, in order, whether one or several.
pub(super) fn audiences(claims: &Value) -> Vec<&str> {
    let one_or_many = &claims["aud"];
    let mut audiences: Vec<_> = match one_or_many.as_array() {
        Some(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        None => vec![one_or_many.as_str().unwrap()],
    };
    audiences.sort_unstable();
    audiences
}
