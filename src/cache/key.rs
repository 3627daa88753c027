//! The key of a cache entry: a digest of everything that an authorization depends on.

use crate::{
    jose::{FieldDigest, cached_digest},
    source::Bearer,
    token::TokenTypeUri,
};
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// The parts of a cache key that are the same for all requests of a route or operation. They are digested once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PolicyContext {
    digest: [u8; 32],
    policy_generation: u64,
}

/// Everything that determines the result of a request. Two requests share an entry only if all of it is equal.
///
/// Values that follow from the token's bytes (client, scopes, issuer) are not included.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationContext<'a> {
    /// The route and operation.
    pub policy: &'a PolicyContext,
    /// The presented token.
    pub presented: Bearer<'a>,
    /// The calling workload's token or certificate.
    pub actor: Option<&'a [u8]>,
    /// The key whose possession the request proves.
    pub confirmation: Option<&'a [u8]>,
}

/// A SHA-256 digest of an [`AuthorizationContext`], with its policy generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CacheKey {
    digest: [u8; 32],
    policy_generation: u64,
}

impl PolicyContext {
    /// Digests the context for `route` and `operation` (empty if there is none), with the number of changes of the
    /// route's policy, for tokens of `token_type`.
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

    /// The number of changes of the route's policy.
    pub fn policy_generation(&self) -> u64 {
        self.policy_generation
    }
}

impl AuthorizationContext<'_> {
    /// Returns the cache key of this context.
    pub fn key(&self) -> CacheKey {
        let digest = match (self.actor, self.confirmation) {
            // the key depends only on the policy and the token
            (None, None) => cached_digest(&self.policy.digest, self.presented.bytes(), || {
                self.digest()
            }),
            (Some(_), _) | (None, Some(_)) => self.digest(),
        };
        CacheKey {
            digest,
            policy_generation: self.policy.policy_generation,
        }
    }

    fn digest(&self) -> [u8; 32] {
        let digest = FieldDigest::new("obo-gateway/proxy-exchange/2")
            .field(&self.policy.digest)
            .field(self.presented.bytes());
        // absent and empty values are different contexts
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
    /// The policy generation of the key.
    pub fn policy_generation(&self) -> u64 {
        self.policy_generation
    }

    /// The bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// A digest is uniformly distributed and cannot be chosen, so eight of its bytes are a sufficient hash.
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.digest;
        state.write_u64(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A hasher that returns the eight bytes of a [`CacheKey`] unchanged.
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

impl fmt::Debug for PolicyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyContext")
            .field("policy_generation", &self.policy_generation)
            .finish_non_exhaustive()
    }
}

/// The digest is not the token, but has no use in logs, so that `Debug` redacts it.
impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(redacted)")
    }
}
