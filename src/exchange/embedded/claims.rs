//! The claims of the tokens that the engine issues.

use crate::{clock::UnixTime, policy::PermittedExchange, token::Audience};
use serde_json::{Map, Value};

/// The facts about one token that are not part of the permitted exchange.
pub(super) struct Issuance<'a> {
    pub(super) issuer: &'a str,
    /// `jti`.
    pub(super) id: String,
    pub(super) now: UnixTime,
}

impl Issuance<'_> {
    /// The claims of an access token, signed or sealed (RFC 9068 §2.2).
    pub(super) fn access_token(self, permitted: &PermittedExchange) -> Map<String, Value> {
        let now = self.now;
        let audiences = permitted.audiences().iter().map(Audience::as_str).collect();
        let mut claims = self.about(permitted, audiences);
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        if permitted.is_direct() {
            put("nbf", Value::from(now.as_secs()));
        }
        if !permitted.scope().is_empty() {
            put("scope", Value::from(permitted.scope().to_string()));
        }
        claims
    }

    /// The claims of an ID token (OpenID Connect Core §2). Its audience includes the client, and its claims about the
    /// user are those that the scope allows. It has no `scope` claim, because it grants no access.
    pub(super) fn id_token(
        self,
        permitted: &PermittedExchange,
        at_hash: Option<&str>,
    ) -> Map<String, Value> {
        let client = permitted.client_id();
        let mut audiences: Vec<&str> = permitted.audiences().iter().map(Audience::as_str).collect();
        if !audiences.contains(&client) {
            audiences.push(client);
        }
        let mut claims = permitted.profile().clone();
        claims.extend(self.about(permitted, audiences));
        claims.insert("azp".to_owned(), Value::from(client));
        if let Some(at_hash) = at_hash {
            claims.insert("at_hash".to_owned(), Value::from(at_hash));
        }
        claims
    }

    fn about(self, permitted: &PermittedExchange, audiences: Vec<&str>) -> Map<String, Value> {
        let mut claims = permitted.claims().clone();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", Value::from(self.issuer));
        put("sub", Value::from(permitted.sub()));
        put(
            "aud",
            match audiences.as_slice() {
                [only] => Value::from(*only),
                several => Value::from(several),
            },
        );
        put("client_id", Value::from(permitted.client_id()));
        put("iat", Value::from(self.now.as_secs()));
        put("exp", Value::from(permitted.expires_at().as_secs()));
        put("jti", Value::from(self.id));
        if let Some(act) = permitted.actors().to_claim() {
            put("act", act);
        }
        claims
    }
}
