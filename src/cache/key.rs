//! The key of an entry: a digest over everything that an authorization depends on.

use crate::{
    jose::{FieldDigest, recalled},
    source::Bearer,
    token::TokenTypeUri,
};
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// What decides on all requests of a route, or of one operation of it, alike: digested once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    digest: [u8; 32],
    policy_generation: u64,
}

/// Everything that decides what a request gets. Two requests share an entry only when all of it is equal.
///
/// What is a function of the token's bytes (client, scopes, issuer) is not repeated.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationContext<'a> {
    /// Where it is presented.
    pub terms: &'a Terms,
    /// The token.
    pub presented: Bearer<'a>,
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

impl Terms {
    /// The terms of `route`, of the narrower rule `operation` within it (empty where it has none), while its policy was
    /// changed `policy_generation` times, for tokens of `token_type`.
    pub fn new(
        route: &str,
        operation: &str,
        policy_generation: u64,
        token_type: TokenTypeUri,
    ) -> Self {
        let digest = FieldDigest::new("obo-gateway/terms/1")
            .field(route.as_bytes())
            .field(operation.as_bytes())
            .field(&policy_generation.to_be_bytes())
            .field(token_type.as_str().as_bytes());
        Self {
            digest: digest.finish(),
            policy_generation,
        }
    }

    /// Counts the changes of the route's policy.
    pub fn policy_generation(&self) -> u64 {
        self.policy_generation
    }
}

impl AuthorizationContext<'_> {
    /// The key of this context.
    pub fn key(&self) -> CacheKey {
        let digest = match (self.actor, self.confirmation) {
            // nothing but the terms and the token goes in
            (None, None) => recalled(&self.terms.digest, self.presented.bytes(), || self.digest()),
            (Some(_), _) | (None, Some(_)) => self.digest(),
        };
        CacheKey {
            digest,
            policy_generation: self.terms.policy_generation,
        }
    }

    fn digest(&self) -> [u8; 32] {
        let digest = FieldDigest::new("obo-gateway/proxy-exchange/2")
            .field(&self.terms.digest)
            .field(self.presented.bytes());
        // absent and empty are different contexts
        [self.actor, self.confirmation]
            .into_iter()
            .fold(digest, |digest, part| match part {
                Some(part) => digest.field(&[1]).field(part),
                None => digest.field(&[]),
            })
            .finish()
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

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("policy_generation", &self.policy_generation)
            .finish_non_exhaustive()
    }
}

/// A digest of a token is not the token, and still tells nobody anything.
impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(redacted)")
    }
}
