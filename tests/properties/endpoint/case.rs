//! Generated directories, clients, tokens and requests.

use super::world::{Ask, Endpoint, GROUND, at, url};
use crate::properties::{exchange::details, subject::GATEWAY};
use obo_gateway::{
    policy::PermittedExchange,
    token::{TokenFormat, TokenTypeUri},
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const PROFILE: [&str; 3] = ["openid", "profile", "email"];
const SCOPES: [&str; 7] = [
    "openid",
    "profile",
    "email",
    "offline_access",
    "read",
    "write",
    "admin",
];
const AUDIENCES: [&str; 4] = ["aggregates", "settings", "portal", "elsewhere"];

/// One user of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Alice,
    Bob,
    Carol,
    Root,
}

const PEOPLE: [Person; 4] = [Person::Alice, Person::Bob, Person::Carol, Person::Root];

/// A user's entry in the directory. A permission is (for administrators, within own organizations only).
#[derive(Debug)]
pub struct Facts {
    pub administrator: bool,
    pub permissions: Vec<(bool, bool)>,
    pub organizations: Vec<&'static str>,
}

impl Person {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
            Self::Root => "root",
        }
    }

    pub fn facts(self) -> Facts {
        let facts = |administrator, permissions: &[_], organizations: &[_]| Facts {
            administrator,
            permissions: permissions.to_vec(),
            organizations: organizations.to_vec(),
        };
        match self {
            Self::Alice => facts(false, &[], &["acme"]),
            Self::Bob => facts(false, &[(false, true)], &["acme", "more"]),
            Self::Carol => facts(false, &[(false, false), (true, true)], &["other"]),
            Self::Root => facts(true, &[(false, true), (true, false)], &["more"]),
        }
    }

    fn written(self) -> Value {
        let Facts {
            administrator,
            permissions,
            organizations,
        } = self.facts();
        let permissions: Vec<Value> = permissions
            .iter()
            .map(|(administrators, own_only)| {
                let mut written = Map::new();
                let name = if *administrators {
                    "impersonate_admin"
                } else {
                    "impersonate"
                };
                written.insert("name".into(), json!(name));
                if *own_only {
                    written.insert("within".into(), json!("own_organizations"));
                }
                Value::Object(written)
            })
            .collect();
        let organizations: Vec<Value> =
            organizations.iter().map(|id| json!({ "id": id })).collect();
        json!({
            "id": self.name(), "administrator": administrator,
            "permissions": permissions, "organizations": organizations,
        })
    }
}

/// The type of the subject token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    AccessToken,
    IdToken,
    Jwt,
    UserId,
}

/// A token before it is signed.
#[derive(Debug, Clone)]
pub struct Token {
    pub named: Named,
    pub person: Person,
    pub client: Option<&'static str>,
    pub life: i64,
    /// `true` if the gateway issued it for an impersonation.
    pub impersonated: bool,
    addressed: Vec<&'static str>,
    held: Vec<&'static str>,
    acted: usize,
    names_actor: Option<&'static str>,
    /// Which [`details`] restrict it.
    pub details: Option<usize>,
}

impl Token {
    /// `aud`.
    pub fn audiences(&self) -> Vec<&'static str> {
        let gateway = ["gateway"].into_iter().filter(|_| !self.impersonated);
        gateway.chain(self.addressed.iter().copied()).collect()
    }

    /// Its scopes; none if it is not an access token.
    pub fn scopes(&self) -> BTreeSet<&'static str> {
        match self.named {
            Named::AccessToken => self.held.iter().copied().collect(),
            Named::IdToken | Named::Jwt | Named::UserId => BTreeSet::new(),
        }
    }

    /// The actor in `may_act`, if a token of the issuer can contain it.
    pub fn may_act(&self) -> Option<&'static str> {
        match self.named {
            Named::AccessToken | Named::IdToken => self.names_actor,
            Named::Jwt | Named::UserId => None,
        }
    }

    pub fn chain_named(&self) -> Vec<String> {
        match self.named {
            Named::AccessToken | Named::IdToken => {
                (0..self.acted).map(|n| format!("actor-{n}")).collect()
            }
            Named::Jwt | Named::UserId => Vec::new(),
        }
    }

    fn claims(&self) -> Value {
        let act = (0..self.acted).rev().fold(None, |inner: Option<Value>, n| {
            let mut act = json!({ "sub": format!("actor-{n}") });
            if let Some(inner) = inner {
                act["act"] = inner;
            }
            Some(act)
        });
        let mut claims = json!({
            "iss": if self.impersonated { GATEWAY.to_owned() } else { url(0) },
            "sub": self.person.name(), "aud": self.audiences(),
            "iat": at(-10), "exp": at(self.life),
            "jti": if self.impersonated { "si.x" } else { "x" },
        });
        match self.named {
            Named::AccessToken => {
                claims["client_id"] = json!(self.client);
                claims["scope"] = json!(self.held.join(" "));
                if self.client.is_none() {
                    claims.as_object_mut().unwrap().remove("client_id");
                }
            }
            Named::IdToken | Named::Jwt | Named::UserId => {
                claims["azp"] = json!(self.client.unwrap_or_default());
                claims["nonce"] = json!("n");
            }
        }
        if let Some(act) = act {
            claims["act"] = act;
        }
        if let Some(number) = self.details {
            claims["authorization_details"] = details(number);
        }
        if let Some(name) = self.names_actor {
            claims["may_act"] = json!({ "sub": name });
        }
        claims
    }

    fn sign(&self) -> String {
        let typ = match self.named {
            Named::AccessToken => "at+jwt",
            Named::IdToken | Named::Jwt | Named::UserId => "JWT",
        };
        GROUND.sign((!self.impersonated).then_some(0), typ, &self.claims())
    }

    const fn declared(&self) -> TokenTypeUri {
        match self.named {
            Named::IdToken => TokenTypeUri::IdToken,
            Named::AccessToken | Named::Jwt | Named::UserId => TokenTypeUri::AccessToken,
        }
    }
}

/// The configuration of the client.
#[derive(Debug, Clone)]
pub struct Client {
    pub audiences: Vec<&'static str>,
    pub from_tokens: bool,
    pub allow: Vec<&'static str>,
    pub refuses_excess: bool,
    pub formats: Vec<TokenFormat>,
    /// None: any.
    pub subjects_of: Option<Vec<&'static str>>,
    pub lifetime: i64,
    pub copies_details: bool,
    /// The users that it may impersonate (`None`: any), and the types of subject tokens.
    pub impersonation: Option<(Option<Vec<Person>>, Vec<Named>)>,
}

impl Client {
    fn written(&self) -> Value {
        let formats: Vec<_> = self.formats.iter().map(|format| format.as_str()).collect();
        let mut written = json!({
            "id": "portal",
            "authentication": { "method": "private_key_jwt", "jwks_file": "client.json" },
            "grants": ["token_exchange"],
            "audiences": self.audiences,
            "audience_rule": if self.from_tokens { "from_tokens" } else { "listed" },
            "scope": { "allow": self.allow, "excess": if self.refuses_excess { "refuse" } else { "drop" } },
            "token_formats": formats,
            "subjects_of": self.subjects_of.as_ref().map_or(json!("any"), |ids| json!(ids)),
            "lifetime": format!("{}s", self.lifetime),
            "authorization_details": if self.copies_details { "copy" } else { "refuse" },
            "chain": { "accept_own": true },
        });
        if let Some((people, kinds)) = &self.impersonation {
            let people = people.as_ref().map_or(json!("any"), |people| {
                json!(
                    people
                        .iter()
                        .map(|person| person.name())
                        .collect::<Vec<_>>()
                )
            });
            let kinds: Vec<&str> = kinds
                .iter()
                .map(|kind| match kind {
                    Named::AccessToken => "access_token",
                    Named::IdToken => "id_token",
                    Named::Jwt => "jwt",
                    Named::UserId => "user_id",
                })
                .collect();
            written["impersonation"] = json!({ "may_act_for": people, "subjects": kinds });
        }
        written
    }
}

/// A client, the tokens that it presents, and its request.
#[derive(Debug, Clone)]
pub struct Case {
    pub client: Client,
    pub subject: Token,
    pub actor: Option<Token>,
    pub audience: Vec<&'static str>,
    pub scope: Option<Vec<&'static str>>,
    pub format: TokenFormat,
}

impl Case {
    pub fn endpoint(&self) -> Endpoint {
        let users: Vec<Value> = PEOPLE.iter().map(|person| person.written()).collect();
        Endpoint::new(1, Some(&json!(users)), vec![self.client.written()])
    }

    /// The gateway's decision; `None` is a refusal by any stage.
    pub fn permit(&self, endpoint: &Endpoint) -> Option<PermittedExchange> {
        let verify_actor = |token: &Token| endpoint.actor(&token.sign(), token.declared());
        let actor = match &self.actor {
            None => None,
            Some(token) => Some(verify_actor(token).ok()?),
        };
        let subject = match (self.subject.named, &actor) {
            (Named::AccessToken | Named::IdToken, _) => endpoint
                .subject(&self.subject.sign(), self.subject.declared())
                .ok()?,
            // without an actor there is nothing to verify it with
            (Named::Jwt | Named::UserId, None) => return None,
            (Named::UserId, Some(actor)) => {
                endpoint.user(self.subject.person.name(), actor).ok()?
            }
            (Named::Jwt, Some(actor)) => {
                let mut claims = json!({
                    "iss": "portal", "sub": self.subject.person.name(), "aud": GATEWAY,
                    "iat": at(-10), "exp": at(self.subject.life), "may_act": { "sub": "carol" },
                    "scope": "admin",
                });
                if let Some(number) = self.subject.details {
                    claims["authorization_details"] = details(number);
                }
                let token = GROUND.sign_as_client(&claims);
                endpoint.self_signed(&token, actor).ok()?
            }
        };
        let ask = Ask {
            actor,
            audience: self.audience.clone(),
            scope: self.scope.as_ref().map(|scope| scope.join(" ")),
            format: self.format,
            ..Ask::of(subject)
        };
        endpoint.permit(ask).ok()
    }
}

fn some(of: &'static [&'static str], least: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(of, least..=of.len())
}

prop_compose! {
    fn any_token(kinds: &'static [Named])(
        named in prop::sample::select(kinds),
        person in prop::sample::select(&PEOPLE[..]),
        client in prop::sample::select(vec![Some("portal"), Some("portal"), Some("portal"), Some("portal"), Some("web"), None]),
        life in 1_i64..1_000,
        impersonated in prop::bool::weighted(0.1),
        addressed in some(&AUDIENCES, 0),
        held in prop_oneof![1 => some(&SCOPES, 0), 3 => some(&SCOPES, 4)],
        acted in prop::sample::select(vec![0, 0, 0, 1, 3, 5]),
        details in option::weighted(0.1, 0..2_usize),
        names_actor in option::weighted(0.15, prop::sample::select(vec!["portal", "alice", "bob", "carol"])),
    ) -> Token {
        // only issued access tokens can be presented again
        let impersonated = impersonated && named == Named::AccessToken && !addressed.is_empty();
        let client = client.or(Some("web").filter(|_| named != Named::AccessToken));
        let mut token = Token { named, person, client, life, impersonated, addressed, held, acted, names_actor, details };
        if named == Named::IdToken && !token.addressed.contains(&"portal") {
            token.addressed.push("portal");
        }
        token
    }
}

const KINDS: [Named; 4] = [
    Named::AccessToken,
    Named::IdToken,
    Named::Jwt,
    Named::UserId,
];
const ACTORS: [Named; 2] = [Named::AccessToken, Named::IdToken];
const FORMATS: [TokenFormat; 3] = [TokenFormat::Jwt, TokenFormat::Opaque, TokenFormat::IdToken];

prop_compose! {
    fn any_client()(
        audiences in some(&AUDIENCES, 2),
        from_tokens in any::<bool>(),
        allow in prop_oneof![1 => some(&SCOPES, 1), 3 => some(&SCOPES, 5)],
        refuses_excess in any::<bool>(),
        formats in subsequence(&FORMATS[..], 2..=3),
        subjects_of in option::weighted(0.7, some(&["web", "other"], 0)),
        lifetime in 2_i64..600,
        copies_details in prop::bool::weighted(0.7),
        impersonation in option::weighted(0.8, (
            option::weighted(0.3, subsequence(&PEOPLE[..], 1..=4)),
            subsequence(&KINDS[..], 1..=4),
        )),
    ) -> Client {
        Client { audiences, from_tokens, allow, refuses_excess, formats, subjects_of, lifetime, copies_details, impersonation }
    }
}

prop_compose! {
    pub fn any_case()(
        client in any_client(),
        subject in any_token(&KINDS),
        actor in option::weighted(0.6, any_token(&ACTORS)),
        audience in vec(prop::sample::select(&AUDIENCES[..]), 0..2),
        scope in option::of(some(&SCOPES, 1)),
        format in prop::sample::select(&FORMATS[..]),
    ) -> Case {
        Case { client, subject, actor, audience, scope, format }
    }
}

/// The request of a refresh: another scope, or none.
pub fn any_refresh() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::of(some(&SCOPES, 1))
}
