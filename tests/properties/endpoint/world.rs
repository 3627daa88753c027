//! Two providers, a client that signs its own JWTs, users with permissions, and the parts of the token endpoint.

use crate::properties::subject::{GATEWAY, NOW, build, present};
use obo_gateway::{
    clock::{ManualClock, SharedClock, UnixTime},
    egress::Egress,
    jose::{Algorithm, SigningKey, SigningKeys},
    own_token::OwnTokenReader,
    policy::{
        ClientParts, ClientPolicy, ClientSettings, Clients, DirectRequest, GatewayIdentity,
        PermittedExchange, PolicyError, RequestedScope,
    },
    settings::BaseDir,
    store::{OnceOnly, Revocations},
    telemetry::Metrics,
    token::{Audience, ScopeSet, TokenFormat, TokenTypeUri},
    verify::{
        ActorToken, ClientTerms, Directory, FamilySubject, IssuerSettings, SubjectToken,
        TrustedIssuer, Verifier, VerifyError, directory::FileDirectory,
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::runtime::Runtime;

pub const PROVIDERS: [&str; 2] = ["corp", "partner"];
pub const LIFETIME: i64 = 300;

/// Keys and issuers, which all tests share.
pub struct Ground {
    keys: Vec<SigningKey>,
    issuers: Vec<Arc<TrustedIssuer>>,
    own_key: SigningKey,
    own: Arc<TrustedIssuer>,
    reader: Arc<OwnTokenReader>,
    client_key: SigningKey,
    client_jwks: tempfile::TempDir,
    pub clock: SharedClock,
    pub runtime: Runtime,
}

pub static GROUND: LazyLock<Ground> = LazyLock::new(Ground::start);

pub fn url(provider: usize) -> String {
    format!("https://{}.example.com", PROVIDERS[provider])
}

fn key() -> (SigningKey, SigningKeys) {
    let made = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let again = SigningKey::from_pem(made.pem.expose(), Default::default()).unwrap();
    (made.key, SigningKeys::new([again]).unwrap())
}

impl Ground {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        let egress = Egress::new(runtime.handle().clone());
        let metrics = Metrics::new();
        let (mut keys, mut issuers) = (Vec::new(), Vec::new());
        for (position, name) in PROVIDERS.iter().enumerate() {
            let (key, published) = key();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("jwks.json"), published.jwks()).unwrap();
            let settings: IssuerSettings = serde_json::from_value(json!({
                "name": name, "issuer": url(position), "audiences": ["gateway"],
                "algorithms": ["EdDSA"], "keys": { "jwks_file": "jwks.json" },
                "typ": ["at+jwt", "JWT"], "required_claims": {},
            }))
            .unwrap();
            let base = BaseDir::of_file(&folder.path().join("x"));
            issuers.push(build(&base, |b| {
                settings.build(b, &clock, &egress, metrics.issuer(name))
            }));
            keys.push(key);
        }
        let (own_key, published) = key();
        let own = metrics.issuer(TrustedIssuer::OWN);
        let own = TrustedIssuer::own(GATEWAY, &published, &clock, &egress, own).unwrap();
        let reader = Arc::new(OwnTokenReader::new(GATEWAY, &published, None));
        let (client_key, published) = key();
        let client_jwks = tempfile::tempdir().unwrap();
        std::fs::write(client_jwks.path().join("client.json"), published.jwks()).unwrap();
        Self {
            keys,
            issuers,
            own_key,
            own,
            reader,
            client_key,
            client_jwks,
            clock,
            runtime,
        }
    }

    /// Signs as a provider, or as the gateway if none is given.
    pub fn sign(&self, provider: Option<usize>, typ: &str, claims: &Value) -> String {
        let key = provider.map_or(&self.own_key, |provider| &self.keys[provider]);
        key.sign(typ, claims.as_object().unwrap()).unwrap()
    }

    /// Signs as the client.
    pub fn sign_as_client(&self, claims: &Value) -> String {
        let claims = claims.as_object().unwrap();
        self.client_key.sign("JWT", claims).unwrap()
    }
}

/// The token endpoint, with one trusted issuer or two.
pub struct Endpoint {
    pub verifier: Verifier,
    pub clients: Clients,
    pub revocations: Revocations,
    pub once: OnceOnly,
}

impl Endpoint {
    /// Returns an endpoint that trusts the first `issuers` providers and has these users and clients.
    pub fn new(issuers: usize, users: Option<&Value>, clients: Vec<Value>) -> Self {
        let ground = &*GROUND;
        let directory = users.map(|users| {
            let text = json!({ "users": users }).to_string();
            Arc::new(FileDirectory::parse(&text).unwrap()) as Arc<dyn Directory>
        });
        let settings: Vec<(usize, ClientSettings)> = clients
            .into_iter()
            .map(|client| serde_json::from_value(client).unwrap())
            .enumerate()
            .collect();
        let gateway = GatewayIdentity {
            issuer: GATEWAY.into(),
            actor: "obo-gateway".into(),
        };
        let egress = Egress::new(ground.runtime.handle().clone());
        let base = BaseDir::of_file(&ground.client_jwks.path().join("x"));
        let names = PROVIDERS.iter().take(issuers);
        let names: BTreeSet<String> = names.map(ToString::to_string).collect();
        let clients = build(&base, |building| {
            let parts = ClientParts {
                gateway: &gateway,
                lifetime: Duration::from_secs(LIFETIME as u64),
                issuers: &names,
                listed_issuers: issuers,
                directory: directory.as_ref(),
                directory_written: directory.is_some(),
                opaque: true,
                stored: true,
                audiences: &BTreeSet::new(),
                clock: &ground.clock,
                egress: &egress,
            };
            let clients = Clients::build(&settings, building, &parts);
            assert!(!building.findings.has_errors(), "{:?}", building.findings);
            Some(clients)
        });
        let revocations = Revocations::of_one_process();
        let trusted = ground.issuers.iter().take(issuers).map(Arc::clone);
        let verifier = Verifier::new(
            trusted,
            GATEWAY,
            revocations.clone(),
            Arc::clone(&ground.clock),
        )
        .with_directory(directory)
        .accepting_own(
            Arc::clone(&ground.own),
            "obo-gateway",
            Arc::clone(&ground.reader),
        );
        Self {
            verifier,
            clients,
            revocations,
            once: OnceOnly::in_memory(1_000_000),
        }
    }

    pub fn client(&self) -> &ClientPolicy {
        self.clients.of("portal").unwrap()
    }

    fn terms(&self) -> ClientTerms<'_> {
        self.client().terms()
    }

    pub fn subject(
        &self,
        token: &str,
        declared: TokenTypeUri,
    ) -> Result<SubjectToken, VerifyError> {
        let presented = present(token);
        let verified = self.verifier.subject(&presented, declared, self.terms());
        GROUND.runtime.block_on(verified)
    }

    pub fn actor(&self, token: &str, declared: TokenTypeUri) -> Result<ActorToken, VerifyError> {
        let presented = present(token);
        let verified = self.verifier.actor(&presented, declared, self.terms());
        GROUND.runtime.block_on(verified)
    }

    pub fn user(&self, id: &str, actor: &ActorToken) -> Result<SubjectToken, VerifyError> {
        self.verifier.user(id, self.terms(), actor)
    }

    pub fn self_signed(
        &self,
        token: &str,
        actor: &ActorToken,
    ) -> Result<SubjectToken, VerifyError> {
        let presented = present(token);
        let keys = self.client().authenticator().unwrap().keys().unwrap();
        let verified = self
            .verifier
            .self_signed(&presented, keys, &self.once, self.terms(), actor);
        GROUND.runtime.block_on(verified)
    }

    pub fn family(&self, family: FamilySubject) -> Result<SubjectToken, VerifyError> {
        self.verifier.family(family, self.terms())
    }

    pub fn permit(&self, ask: Ask) -> Result<PermittedExchange, PolicyError> {
        self.client().permit(ask.into_request(), NOW)
    }
}

/// Returns a request without optional parameters.
pub struct Ask {
    pub subject: SubjectToken,
    pub actor: Option<ActorToken>,
    pub audience: Vec<&'static str>,
    pub resource: Vec<&'static str>,
    pub scope: Option<String>,
    pub format: TokenFormat,
}

impl Ask {
    pub fn of(subject: SubjectToken) -> Self {
        Self {
            subject,
            actor: None,
            audience: Vec::new(),
            resource: Vec::new(),
            scope: None,
            format: TokenFormat::Jwt,
        }
    }

    fn into_request(self) -> DirectRequest {
        let audiences = self.audience.iter().map(|a| Audience::parse(a).unwrap());
        DirectRequest {
            subject: self.subject,
            actor: self.actor,
            audience: audiences.collect(),
            resource: self.resource.iter().map(ToString::to_string).collect(),
            scope: self
                .scope
                .map(|scope| RequestedScope::of(&ScopeSet::parse(&scope).unwrap())),
            format: self.format,
        }
    }
}

/// Returns `claims` with some members replaced; null removes one.
pub fn with(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

pub fn at(seconds: i64) -> i64 {
    NOW.as_secs() + seconds
}

pub const fn time(seconds: i64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + seconds)
}
