//! Generated exchanges: a subject token, a route, and the time of the exchange.

use crate::properties::subject::{GATEWAY, IDP, ISSUER, NOW, build};
use obo_gateway::{
    clock::{SystemRandomness, UnixTime},
    exchange::{AcceptProfile, Embedded, TokenResponse},
    jose::{Algorithm, SigningKey, SigningKeys},
    policy::{
        ExchangePolicy, ExchangeRequest, ExchangeSettings, GatewayIdentity, PermittedExchange,
        PolicyError, PolicyParts, Salt,
    },
    settings::BaseDir,
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

pub const GATEWAY_ACTOR: &str = "obo-gateway";
const SCOPES: [&str; 6] = ["read", "write", "read.all", "admin", "openid", "Read"];
const CLIENTS: [&str; 3] = ["web", "phone", "batch"];
/// Claims that a route may copy, each with its value in subject tokens.
pub const COPIED: [&str; 4] = ["email", "roles", "groups", "department"];
/// Claims that a route may set.
pub const CONSTANTS: [&str; 2] = ["tenant", "entitlements"];

#[derive(Debug, Clone)]
pub struct Case {
    pub subject: Subject,
    pub route: Route,
    /// Seconds between verification and the decision.
    pub later: i64,
}

#[derive(Debug, Clone)]
pub struct Subject {
    pub held: Option<Vec<&'static str>>,
    pub sub: String,
    pub client: Option<&'static str>,
    pub life: i64,
    /// The earlier actors, the current one first.
    pub actors: Vec<(Option<&'static str>, &'static str)>,
    pub may_act: Option<Value>,
    pub audiences: Vec<&'static str>,
    /// Which of the [`details`] restrict it.
    pub details: Option<usize>,
    pub further: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct Route {
    pub allow: Vec<&'static str>,
    pub require: Vec<&'static str>,
    pub refuses_excess: bool,
    pub clients: Option<Vec<&'static str>>,
    pub any_subject: bool,
    pub qualified: bool,
    pub lifetime: i64,
    pub names_gateway: bool,
    pub max_depth: usize,
    pub copy: Vec<&'static str>,
    pub set: Vec<&'static str>,
    pub copies_details: bool,
}

/// Returns one of two `authorization_details` (RFC 9396).
pub fn details(number: usize) -> Value {
    json!([{ "type": "payment", "limit": number, "actions": ["read"], "nested": { "a": [null, 0.5] } }])
}

pub fn any_case() -> impl Strategy<Value = Case> {
    (
        any_subject(),
        any_route(),
        prop_oneof![9 => Just(0), 1 => 0..100_i64],
    )
        .prop_map(|(subject, route, later)| Case {
            subject,
            route,
            later,
        })
}

/// Returns a case whose exchange is permitted: the route requires nothing and refuses no client.
pub fn permitted_case() -> impl Strategy<Value = Case> {
    any_case().prop_map(|mut case| {
        case.later = 0;
        case.subject.sub.retain(|c| c.is_ascii());
        case.subject.may_act = None;
        case.subject.life += 10;
        case.subject.held.get_or_insert_default().push("read");
        if !case.route.allow.contains(&"read") && !case.route.allow.is_empty() {
            case.route.allow.push("read");
        }
        case.route.require.clear();
        case.route.refuses_excess = false;
        case.route.clients = None;
        case.route.any_subject = true;
        case.route.max_depth = 8;
        case.route.copies_details = true;
        case.subject.actors.truncate(7);
        case
    })
}

fn any_subject() -> impl Strategy<Value = Subject> {
    let actor = (
        option::of(prop::sample::select(vec![
            ISSUER,
            GATEWAY,
            "https://other.example",
        ])),
        prop::sample::select(vec!["agent", "portal", GATEWAY_ACTOR]),
    );
    let may_act = prop_oneof![
        Just(json!({"sub": GATEWAY_ACTOR})),
        Just(json!({"sub": GATEWAY_ACTOR, "iss": GATEWAY})),
        Just(json!({"sub": GATEWAY_ACTOR, "iss": ISSUER})),
        Just(json!({"sub": "agent"})),
        Just(json!([GATEWAY_ACTOR])),
    ];
    let further = [
        "email",
        "roles",
        "groups",
        "department",
        "tenant",
        "phone",
        "acr",
        "auth_time",
        "sid",
    ];
    (
        option::weighted(0.9, subsequence(SCOPES.to_vec(), 0..=SCOPES.len())),
        prop_oneof![4 => "[a-z|:]{1,12}", 1 => Just("web".to_owned()), 1 => Just("Jürgen".to_owned())],
        option::of(prop::sample::select(CLIENTS.to_vec())),
        prop_oneof![1..10_i64, 1..86_000_i64],
        prop_oneof![2 => Just(Vec::new()), 1 => vec(actor, 0..=8)],
        option::weighted(0.2, may_act),
        subsequence(vec!["portal", "orders-api", "elsewhere"], 1..=3),
        option::weighted(0.2, 0..2_usize),
        subsequence(further.to_vec(), 0..=further.len()),
    )
        .prop_map(
            |(held, sub, client, life, actors, may_act, mut audiences, details, further)| {
                if !audiences.contains(&"portal") {
                    audiences.push("portal");
                }
                Subject {
                    held,
                    sub,
                    client,
                    life,
                    actors,
                    may_act,
                    audiences,
                    details,
                    further: further
                        .into_iter()
                        .map(|name| (name.to_owned(), json!(format!("{name} of the subject"))))
                        .collect(),
                }
            },
        )
}

fn any_route() -> impl Strategy<Value = Route> {
    (
        subsequence(SCOPES.to_vec(), 0..=SCOPES.len()),
        prop_oneof![2 => Just(Vec::new()), 1 => subsequence(SCOPES.to_vec(), 0..=2)],
        prop::bool::weighted(0.2),
        option::weighted(0.3, subsequence(CLIENTS.to_vec(), 1..=2)),
        any::<bool>(),
        any::<bool>(),
        prop_oneof![2..10_i64, 2..=86_400_i64],
        prop::bool::weighted(0.8),
        1..=8_usize,
        subsequence(COPIED.to_vec(), 0..=COPIED.len()),
        subsequence(CONSTANTS.to_vec(), 0..=CONSTANTS.len()),
        any::<bool>(),
    )
        .prop_map(
            |(
                allow,
                require,
                refuses,
                clients,
                any_subject,
                qualified,
                lifetime,
                gw,
                depth,
                copy,
                set,
                copies_details,
            )| {
                Route {
                    refuses_excess: refuses && !allow.is_empty(),
                    allow,
                    require,
                    clients,
                    any_subject,
                    qualified,
                    lifetime,
                    names_gateway: gw,
                    max_depth: depth,
                    copy,
                    set,
                    copies_details,
                }
            },
        )
}

impl Case {
    pub fn now(&self) -> UnixTime {
        NOW.plus(Duration::from_secs(self.later.unsigned_abs()))
    }

    /// Verifies the subject token and evaluates the route's policy.
    pub fn permit(&self) -> Result<PermittedExchange, PolicyError> {
        self.permit_in("jwt")
    }

    /// Verifies and evaluates for a route that issues tokens of this form.
    pub fn permit_in(&self, form: &str) -> Result<PermittedExchange, PolicyError> {
        let subject = IDP.subject(&self.subject.claims());
        self.route
            .policy(form)
            .permit(ExchangeRequest::new(subject), self.now())
    }
}

impl Subject {
    pub fn held(&self) -> BTreeSet<&str> {
        self.held.iter().flatten().copied().collect()
    }

    pub fn expires_at(&self) -> i64 {
        NOW.as_secs() + self.life
    }

    pub fn act(&self) -> Option<Value> {
        nested(self.actors.iter().copied())
    }

    fn claims(&self) -> Value {
        let mut claims = self.further.clone();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", json!(ISSUER));
        put("sub", json!(self.sub));
        put("aud", json!(self.audiences));
        put("iat", json!(NOW.as_secs() - 1));
        put("exp", json!(self.expires_at()));
        put("jti", json!("the subject's"));
        if let Some(held) = &self.held {
            put("scope", json!(held.join(" ")));
        }
        if let Some(client) = self.client {
            put("azp", json!(client));
        }
        if let Some(number) = self.details {
            put("authorization_details", details(number));
        }
        if let Some(act) = self.act() {
            put("act", act);
        }
        if let Some(may_act) = &self.may_act {
            put("may_act", may_act.clone());
        }
        Value::Object(claims)
    }
}

/// Returns an `act` claim: the first actor is outermost, each later one is inside the previous one (RFC 8693 §4.1).
pub fn nested<'a>(
    actors: impl DoubleEndedIterator<Item = (Option<&'a str>, &'a str)>,
) -> Option<Value> {
    actors.rev().fold(None, |inner, (iss, sub)| {
        let mut actor = json!({ "sub": sub });
        if let Some(iss) = iss {
            actor["iss"] = json!(iss);
        }
        if let Some(inner) = inner {
            actor["act"] = inner;
        }
        Some(actor)
    })
}

impl Route {
    pub fn constant(name: &str) -> Value {
        json!([name, "by the route"])
    }

    fn policy(&self, form: &str) -> ExchangePolicy {
        let set = self
            .set
            .iter()
            .map(|name| ((*name).to_owned(), Self::constant(name)));
        let mut settings = json!({
            "audience": "orders-api",
            "subjects": if self.any_subject { "any" } else { "users" },
            "scope": {
                "allow": self.allow,
                "require": self.require,
                "excess": if self.refuses_excess { "refuse" } else { "drop" },
            },
            "token": {
                "format": form,
                "lifetime": format!("{}s", self.lifetime),
                "subject": if self.qualified { "qualified" } else { "same" },
                "claims": { "copy": self.copy, "set": set.collect::<Map<_, _>>() },
            },
            "authorization_details": if self.copies_details { "copy" } else { "refuse" },
            "actor": { "type": if self.names_gateway { "gateway" } else { "none" } },
            "chain": { "max_depth": self.max_depth },
        });
        if let Some(clients) = &self.clients {
            settings["clients"] = json!(clients);
        }
        let settings: ExchangeSettings = serde_json::from_value(settings).unwrap();
        compiled(&settings)
    }
}

/// Returns the policy of a route with these settings.
pub fn compiled(settings: &ExchangeSettings) -> ExchangePolicy {
    let gateway = gateway();
    build(&BaseDir::of_file(Path::new("x")), |building| {
        let parts = PolicyParts {
            gateway: &gateway,
            lifetime: Duration::from_secs(300),
            issuers: 1,
            salt: Salt::Absent,
            clients: &Arc::default(),
        };
        settings.build(building, &parts)
    })
}

pub fn gateway() -> GatewayIdentity {
    GatewayIdentity {
        issuer: GATEWAY.into(),
        actor: GATEWAY_ACTOR.into(),
    }
}

static ENGINE: LazyLock<Embedded> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
    let keys = Arc::new(SigningKeys::new([key]).unwrap());
    let clock = Arc::clone(&IDP.clock);
    Embedded::new(&gateway(), keys, clock, Arc::new(SystemRandomness))
});

/// Returns the token that the engine issues for a permitted exchange.
pub fn mint(permitted: &PermittedExchange) -> TokenResponse {
    ENGINE.mint(permitted).unwrap()
}

/// The profile of that engine, which seals nothing.
pub fn own() -> AcceptProfile<'static> {
    AcceptProfile::own(GATEWAY, None)
}
