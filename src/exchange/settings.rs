//! The `issuer` section of the configuration, and how the embedded engine is built from it.

use super::{Embedded, NamedExchanger, TokenIssuer};
use crate::{
    clock::{SharedClock, SharedRandomness},
    jose::{
        HmacKey, KeyFileSettings, SealingKey, SealingKeyFileSettings, SealingKeys, SigningKeys,
    },
    own_token::{OwnTokenReader, TokenSeal},
    policy::GatewayIdentity,
    settings::{Building, HumanDuration, OutboundUrl, SecretSettings, fingerprint, not_empty},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// The gateway as a token issuer: its name and its keys. APIs find the public keys at `<url>/oauth/v2/keys`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// The issuer URL: `iss` of every issued token. Every listener serves its metadata and keys under this URL.
    #[schemars(with = "OutboundUrl")]
    pub url: String,
    /// The gateway's name in issued tokens (`act.sub`).
    #[serde(default = "default_actor")]
    pub actor: String,
    /// The keys that sign issued tokens. The first key signs, and all public keys are published. To rotate, add the
    /// new key and keep the old one until its tokens have expired.
    #[schemars(transform = not_empty)]
    pub signing_keys: Vec<KeyFileSettings>,
    /// The keys that encrypt opaque tokens. The first key encrypts, all of them decrypt. Every gateway with these
    /// keys can introspect the tokens, without a shared database. Required for opaque tokens, refresh tokens and a
    /// `redis` store.
    #[serde(default)]
    pub opaque_keys: Vec<SealingKeyFileSettings>,
    /// Lifetime of issued tokens, unless a route or client sets its own. A token never outlives the token that it was
    /// exchanged for.
    #[serde(default = "default_lifetime")]
    pub lifetime: HumanDuration,
    /// The secret from which pseudonyms of subjects are derived, at least 32 bytes. Required if a route has
    /// `subject: pairwise`. If you change it, all pseudonyms change.
    pub pairwise_salt: Option<SecretSettings>,
}

fingerprint!(EngineSettings {
    fields: [url, actor, opaque_keys, lifetime, pairwise_salt],
    without: { [signing_keys]: "the keys are compared themselves: one may be added, none withdrawn" },
});

fn default_actor() -> String {
    "obo-gateway".to_owned()
}

const fn default_lifetime() -> HumanDuration {
    HumanDuration::from_secs(300)
}

/// The embedded engine and the values that other components need of it.
#[derive(Debug, Clone)]
pub struct EngineParts {
    /// The engine as the exchanger of routes.
    pub exchanger: NamedExchanger,
    /// The engine as the issuer of the token endpoint.
    pub token_issuer: TokenIssuer,
    /// The gateway's name in an `act` claim, and the issuer name, which is `iss` of every token.
    pub identity: GatewayIdentity,
    /// The parsed `issuer.url`.
    pub url: OutboundUrl,
    /// The default lifetime of issued tokens.
    pub lifetime: Duration,
    /// The key from which pseudonyms are derived.
    pub pairwise_salt: Option<Arc<HmacKey>>,
    /// The signing keys, whose public halves are published.
    pub keys: Arc<SigningKeys>,
    /// The keys that seal opaque tokens, refresh tokens and stored records. `None` if none are configured.
    pub opaque_keys: Option<Arc<SealingKeys>>,
    /// Reads the tokens that the engine issued.
    pub reader: Arc<OwnTokenReader>,
}

impl EngineSettings {
    /// Loads the keys, and generates those that are configured to be generated at first start.
    pub fn build(
        &self,
        building: &mut Building<'_>,
        clock: SharedClock,
        randomness: SharedRandomness,
    ) -> Option<EngineParts> {
        let url = building.within("url", |b| issuer_url(&self.url, b));
        if self.actor.is_empty() || self.actor.len() > 255 || !self.actor.is_ascii() {
            building.within("actor", |b| {
                b.findings.error(
                    "expected a name of 1 to 255 ASCII characters",
                    "write the name of the gateway in act claims, e.g. obo-gateway",
                );
            });
        }
        let keys = building.within("signing_keys", |b| signing_keys(&self.signing_keys, b));
        let opaque_keys = building.within("opaque_keys", |b| opaque_keys(&self.opaque_keys, b));
        let salt = self
            .pairwise_salt
            .as_ref()
            .map(|salt| building.within("pairwise_salt", |b| pairwise_salt(salt, b)));
        let (url, keys, opaque_keys) = (url?, Arc::new(keys?), opaque_keys?);
        let pairwise_salt = match salt {
            None => None,
            Some(salt) => Some(Arc::new(salt?)),
        };
        let identity = GatewayIdentity {
            issuer: self.url.as_str().into(),
            actor: self.actor.as_str().into(),
        };
        let opaque_keys = SealingKeys::new(opaque_keys).map(Arc::new);
        let seal = opaque_keys
            .as_ref()
            .map(|keys| TokenSeal::new(Arc::clone(keys), &identity.issuer));
        let reader = OwnTokenReader::new(&identity.issuer, &keys, seal.clone());
        let engine = Embedded::new(&identity, Arc::clone(&keys), clock, randomness).sealing(seal);
        let engine = Arc::new(engine);
        Some(EngineParts {
            exchanger: NamedExchanger::embedded(Arc::clone(&engine)),
            token_issuer: TokenIssuer::new(engine),
            identity,
            url,
            lifetime: self.lifetime.get(),
            pairwise_salt,
            keys,
            opaque_keys,
            reader: Arc::new(reader),
        })
    }
}

/// Loads every key, so that one run reports the errors of all of them.
fn signing_keys(settings: &[KeyFileSettings], building: &mut Building<'_>) -> Option<SigningKeys> {
    let keys: Vec<_> = settings
        .iter()
        .enumerate()
        .map(|(position, key)| building.within(position, |b| key.clone().build(b)))
        .collect();
    let keys = SigningKeys::new(keys.into_iter().collect::<Option<Vec<_>>>()?);
    if keys.is_none() {
        building.findings.error(
            "expected at least one signing key",
            "write [ { file: keys/1.pem, generate: ES256 } ]",
        );
    }
    keys
}

/// Loads every key. An empty list is valid; a key that cannot be loaded is an error.
fn opaque_keys(
    settings: &[SealingKeyFileSettings],
    building: &mut Building<'_>,
) -> Option<Vec<SealingKey>> {
    let keys: Vec<_> = settings
        .iter()
        .enumerate()
        .map(|(position, key)| building.within(position, |b| key.build(b)))
        .collect();
    keys.into_iter().collect()
}

fn pairwise_salt(settings: &SecretSettings, building: &mut Building<'_>) -> Option<HmacKey> {
    let key = HmacKey::new(settings.build(building)?.expose());
    if key.is_none() {
        building.findings.error_because(
            format!("expected at least {} bytes", HmacKey::MIN_BYTES),
            "a short salt can be guessed, and then all pseudonyms can be resolved",
            "store random bytes in it, e.g. from `openssl rand -base64 48`",
        );
    }
    key
}

/// Parses an issuer identifier: a URL without query and fragment (RFC 8414 §2), with https unless the host is loopback.
fn issuer_url(text: &str, building: &mut Building<'_>) -> Option<OutboundUrl> {
    match OutboundUrl::parse(text) {
        Ok(url) if url.url().query().is_none() && !text.ends_with('?') => Some(url),
        Ok(_) => {
            building.findings.error(
                "an issuer URL must not have a query (RFC 8414 §2)",
                "remove the question mark and everything after it",
            );
            None
        }
        Err(error) => {
            building.findings.error(
                error.to_string(),
                "write the https URL under which the gateway's keys are reachable",
            );
            None
        }
    }
}
