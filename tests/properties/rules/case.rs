//! Generated cases: a subject token and the routes that it passes one after the other.

use crate::properties::{
    attenuation::payload,
    subject::{GATEWAY, NOW},
    world::{WORLD, url},
};
use http::Method;
use obo_gateway::{
    policy::{ExchangeRequest, PermittedExchange},
    verify::Origins,
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};

pub const SCOPES: [&str; 6] = ["read", "write", "u.read", "u.write", "portal", "admin"];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const PREFIXES: [&str; 3] = ["/a", "/a/b", "/ab"];
const CLIENTS: [&str; 3] = ["web", "phone", "alice"];

#[derive(Debug, Clone)]
pub struct Case {
    pub subject: Subject,
    /// The hops in order: all except the last issue tokens for the gateway itself.
    pub hops: Vec<Hop>,
    pub ceilings: Vec<Ceiling>,
    /// `true` if the gateway trusts only one provider.
    pub sole: bool,
}

#[derive(Debug, Clone)]
pub struct Subject {
    pub issuer: usize,
    pub sub: String,
    pub client: Option<&'static str>,
    pub said: Vec<&'static str>,
    pub roles: Vec<&'static str>,
    pub life: i64,
}

/// One route and the request that it gets.
#[derive(Debug, Clone)]
pub struct Hop {
    pub accepts: Vec<usize>,
    pub map: Vec<(&'static str, Vec<&'static str>)>,
    pub allow: Vec<&'static str>,
    pub require: Vec<&'static str>,
    pub refuses_excess: bool,
    pub user_only: UserOnly,
    pub operations: Vec<Operation>,
    pub naming: &'static str,
    pub any_subject: bool,
    pub names_gateway: bool,
    pub max_depth: usize,
    pub lifetime: i64,
    pub method: &'static str,
    pub rest: &'static str,
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub methods: Vec<&'static str>,
    pub prefix: Option<&'static str>,
    pub scope: Vec<&'static str>,
    pub require: Vec<&'static str>,
}

/// Which scopes only the user must have: none, or those with this prefix.
pub type UserOnly = Option<&'static str>;

#[derive(Debug, Clone)]
pub struct Ceiling {
    pub client: &'static str,
    pub allow: Vec<&'static str>,
    pub user_only: UserOnly,
    pub lifetime: i64,
}

fn some_scopes(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(SCOPES.to_vec(), 0..=most)
}

fn any_user_only() -> impl Strategy<Value = UserOnly> {
    prop_oneof![3 => Just(None), 1 => Just(Some("")), 1 => Just(Some("u."))]
}

pub fn any_case() -> impl Strategy<Value = Case> {
    let hops = prop_oneof![4 => vec(any_hop(), 1), 4 => vec(any_hop(), 2), 1 => vec(any_hop(), 3)];
    let ceilings =
        option::weighted(0.4, any_ceiling()).prop_map(|ceiling| ceiling.into_iter().collect());
    (any_subject(), hops, ceilings, any::<bool>()).prop_map(
        |(mut subject, mut hops, ceilings, sole)| {
            if sole {
                subject.issuer = 0;
                hops.iter_mut().for_each(|hop| hop.accepts = vec![0]);
            }
            for hop in &mut hops {
                // refused by the configuration
                if hop.accepts.len() > 1 && hop.naming == "same" {
                    hop.naming = "qualified";
                }
            }
            Case {
                subject,
                hops,
                ceilings,
                sole,
            }
        },
    )
}

fn any_subject() -> impl Strategy<Value = Subject> {
    (
        0..3_usize,
        prop_oneof![3 => "[a.:]{1,4}", 1 => Just("alice".to_owned()), 1 => Just("corp:a".to_owned())],
        option::weighted(0.8, prop::sample::select(CLIENTS.to_vec())),
        subsequence(SCOPES.to_vec(), 1..=6),
        subsequence(vec!["admin", "clerk", "user", "Admin", "nobody"], 0..=3),
        5..400_i64,
    )
        .prop_map(|(issuer, sub, client, said, roles, life)| Subject {
            issuer, sub, client, said, roles, life,
        })
}

fn any_ceiling() -> impl Strategy<Value = Ceiling> {
    let client = prop::sample::select(vec!["web", "phone"]);
    (client, some_scopes(6), any_user_only(), 2..400_i64).prop_map(
        |(client, allow, user_only, lifetime)| Ceiling {
            client,
            allow,
            user_only,
            lifetime,
        },
    )
}

fn any_hop() -> impl Strategy<Value = Hop> {
    let map = vec(
        (prop::sample::select(SCOPES.to_vec()), some_scopes(3)),
        0..=2,
    );
    let allow = prop_oneof![2 => Just(SCOPES.to_vec()), 1 => some_scopes(6)];
    let require = prop_oneof![2 => Just(Vec::new()), 1 => some_scopes(1)];
    let scopes = (map, allow, require);
    let operations = prop_oneof![1 => Just(Vec::new()), 1 => vec(any_operation(), 1..=4)];
    let naming = prop::sample::select(vec![
        "same",
        "qualified",
        "qualified",
        "qualified",
        "pairwise",
    ]);
    let request = (
        prop::sample::select(METHODS.to_vec()),
        prop::sample::select(vec!["", "/", "/a", "/a/", "/a/b", "/a/bc", "/ab/1", "/A"]),
    );
    let bounds = (
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop_oneof![1 => 1..=8_usize, 2 => Just(8)],
        2..400_i64,
    );
    let accepts = prop_oneof![1 => subsequence(vec![0, 1, 2], 1..=3), 2 => Just(vec![0, 1, 2])];
    (
        accepts,
        scopes,
        prop::bool::weighted(0.15),
        any_user_only(),
        operations,
        naming,
        request,
        bounds,
    )
        .prop_map(
            |(
                accepts,
                (map, allow, require),
                refuses,
                user_only,
                operations,
                naming,
                request,
                bounds,
            )| {
                Hop {
                    accepts,
                    map: distinct(map),
                    refuses_excess: refuses && !allow.is_empty(),
                    operations: clean(operations, &allow),
                    allow,
                    require,
                    user_only,
                    naming,
                    any_subject: bounds.0,
                    names_gateway: bounds.1,
                    max_depth: bounds.2,
                    lifetime: bounds.3,
                    method: request.0,
                    rest: request.1,
                }
            },
        )
}

fn any_operation() -> impl Strategy<Value = Operation> {
    (
        subsequence(METHODS.to_vec(), 0..=2),
        option::of(prop::sample::select(PREFIXES.to_vec())),
        some_scopes(6),
        prop_oneof![3 => Just(Vec::new()), 1 => some_scopes(1)],
    )
        .prop_map(|(methods, prefix, scope, require)| Operation {
            methods,
            prefix,
            scope,
            require,
        })
}

fn distinct(map: Vec<(&'static str, Vec<&'static str>)>) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut kept: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, by) in map {
        if kept.iter().all(|(other, _)| *other != name) {
            kept.push((name, by));
        }
    }
    kept
}

/// Returns the operations that the configuration accepts: within `allow`, not empty, and no two for the same requests.
fn clean(operations: Vec<Operation>, allow: &[&'static str]) -> Vec<Operation> {
    let mut kept: Vec<Operation> = Vec::new();
    for mut operation in operations {
        operation.scope.retain(|scope| allow.contains(scope));
        if operation.scope.is_empty() {
            operation.scope.extend(allow.first());
        }
        let clashes = |other: &Operation| {
            let both_any = operation.methods.is_empty() && other.methods.is_empty();
            let common = operation.methods.iter().any(|m| other.methods.contains(m));
            operation.prefix == other.prefix && (both_any || common)
        };
        if !kept.iter().any(clashes) {
            kept.push(operation);
        }
    }
    kept
}

impl Case {
    /// Runs all hops with the gateway's code; returns the claims of the last token, or `None` if a hop refuses.
    pub fn run(&self) -> Option<Map<String, Value>> {
        let mut token = self.token();
        for position in 0..self.hops.len() {
            token = WORLD.mint(self.permit(position, &token)?);
        }
        Some(payload(token.as_bytes()))
    }

    /// Returns what the first hop permits.
    pub fn permitted(&self) -> Option<PermittedExchange> {
        self.permit(0, &self.token())
    }

    fn token(&self) -> String {
        WORLD.sign(self.subject.issuer, &self.subject.claims())
    }

    fn permit(&self, position: usize, token: &str) -> Option<PermittedExchange> {
        let hop = &self.hops[position];
        let clients: Vec<Value> = self.ceilings.iter().map(Ceiling::settings).collect();
        let origins = if self.sole {
            Origins::Sole
        } else {
            Origins::Several
        };
        let policy = WORLD.policy(
            hop.settings(self.audience(position)),
            clients,
            hop.accepts.len(),
        );
        let subject = WORLD.verify(token, &hop.accepts, origins).ok()?;
        let method: Method = hop.method.parse().unwrap();
        let operation = policy.operation(&method, hop.rest);
        let request = ExchangeRequest::for_operation(subject, operation);
        policy.permit(request, NOW).ok()
    }

    pub fn audience(&self, hop: usize) -> &'static str {
        if hop + 1 == self.hops.len() {
            "orders-api"
        } else {
            GATEWAY
        }
    }
}

impl Subject {
    pub fn claims(&self) -> Value {
        let mut claims = json!({
            "iss": url(self.issuer), "sub": self.sub, "aud": "portal", "jti": "q.the-subjects",
            "iat": NOW.as_secs() - 1, "exp": NOW.as_secs() + self.life,
            "scope": self.said.join(" "), "realm": { "roles": self.roles },
        });
        if let Some(client) = self.client {
            claims["client_id"] = json!(client);
        }
        claims
    }
}

impl Ceiling {
    fn settings(&self) -> Value {
        let mut scope = json!({ "allow": self.allow });
        put_rule(&mut scope, self.user_only);
        json!({ "id": self.client, "scope": scope, "lifetime": format!("{}s", self.lifetime) })
    }
}

impl Hop {
    pub fn settings(&self, audience: &str) -> Value {
        let map: Map<String, Value> = self
            .map
            .iter()
            .map(|(name, by)| ((*name).to_owned(), json!(by)))
            .collect();
        let operations: Vec<Value> = self.operations.iter().map(Operation::settings).collect();
        let mut scope = json!({
            "allow": self.allow, "require": self.require, "map": map, "operations": operations,
            "excess": if self.refuses_excess { "refuse" } else { "drop" },
        });
        put_rule(&mut scope, self.user_only);
        json!({
            "audience": audience, "scope": scope,
            "subjects": if self.any_subject { "any" } else { "users" },
            "token": { "subject": self.naming, "lifetime": format!("{}s", self.lifetime) },
            "actor": { "type": if self.names_gateway { "gateway" } else { "none" } },
            "chain": { "accept_own": true, "max_depth": self.max_depth },
        })
    }
}

impl Operation {
    fn settings(&self) -> Value {
        json!({
            "methods": self.methods, "prefix": self.prefix,
            "scope": self.scope, "require": self.require,
        })
    }
}

fn put_rule(scope: &mut Value, user_only: UserOnly) {
    if let Some(prefix) = user_only {
        scope["rule"] = json!("user_only");
        if !prefix.is_empty() {
            scope["rule_prefix"] = json!(prefix);
        }
    }
}
