//! The key of an entry: a digest over everything that an authorization depends on.

use crate::{jose::FieldDigest, source::PresentedToken, token::TokenTypeUri};
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// Everything that decides what a request gets. Two requests share an entry only when all of it is equal.
///
/// What is a function of the token's bytes (client, scopes, issuer) is not repeated.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationContext<'a> {
    /// The route's name.
    pub route: &'a str,
    /// The narrower rule within the route that applies; empty where the route has none.
    pub operation: &'a str,
    /// Counts the changes of the route's policy.
    pub policy_generation: u64,
    /// What kind of token is presented.
    pub token_type: TokenTypeUri,
    /// The token.
    pub presented: &'a PresentedToken,
    /// The calling workload's token or certificate.
    pub actor: Option<&'a [u8]>,
    /// The key that the request proves possession of.
    pub confirmation: Option<&'a [u8]>,
}

/// A SHA-256 digest of an [`AuthorizationContext`], and the policy generation that went into it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CacheKey {
    digest: [u8; 32],
    policy_generation: u64,
}

impl AuthorizationContext<'_> {
    /// The key of this context.
    pub fn key(&self) -> CacheKey {
        let digest = FieldDigest::new("obo-gateway/proxy-exchange/1")
            .field(self.route.as_bytes())
            .field(self.operation.as_bytes())
            .field(&self.policy_generation.to_be_bytes())
            .field(self.token_type.as_str().as_bytes())
            .field(self.presented.token().expose());
        // absent and empty are different contexts
        let digest = [self.actor, self.confirmation]
            .into_iter()
            .fold(digest, |digest, part| {
                digest
                    .field(&[u8::from(part.is_some())])
                    .field(part.unwrap_or_default())
            });
        CacheKey {
            digest: digest.finish(),
            policy_generation: self.policy_generation,
        }
    }
}

impl CacheKey {
    /// The policy generation that went into the key.
    pub fn policy_generation(&self) -> u64 {
        self.policy_generation
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// A digest is evenly spread already and cannot be chosen: eight bytes of it are hash enough.
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.digest;
        state.write_u64(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Hands on the eight bytes that a [`CacheKey`] hashes to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A digest of a token is not the token, and still tells nobody anything.
impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(redacted)")
    }
}
