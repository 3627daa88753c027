//! Who calls the token service: the five ways in which a client proves that it is the one it says it is.
//!
//! What enters is what a request presents for one client; what leaves is a [`ProvenClient`], which exists only here and
//! only after the check that the configuration names for that client, or a [`ClientError`]. A client has exactly one
//! method: another one is refused even where its credential is right. A fault of the store or of whoever publishes the
//! client's keys is [`ClientError::Unavailable`], never a verdict about the client.

mod assertion;
mod certificate;
mod distinguished_name;
mod keys;
mod settings;

pub use assertion::{AssertionError, AssertionReuse, AssertionTerms, Uses, VerifiedAssertion};
pub use certificate::CertificateName;
pub use distinguished_name::{DistinguishedName, NotADistinguishedName};
pub use keys::ClientKeys;
pub use settings::{ClientAuthenticationSettings, ClientMethod};

use crate::{clock::UnixTime, jose::SecretDigest, store::OnceOnly, token::RawToken};
use std::sync::Arc;
use thiserror::Error;

/// What one client has to show.
#[derive(Debug)]
pub struct ClientAuthenticator {
    id: Arc<str>,
    expected: Expected,
    keys: Option<ClientKeys>,
}

/// What a method compares with.
#[derive(Debug)]
enum Expected {
    SecretBasic(SecretDigest),
    SecretPost(SecretDigest),
    Assertion(ClientKeys, AssertionReuse),
    Certificate(CertificateName),
    Nothing,
}

/// What a request presents for a client. Nothing of it is believed yet.
#[derive(Clone, Copy)]
pub enum PresentedClient<'a> {
    /// Secrets of an Authorization field, each one reading of it (RFC 6749 §2.3.1).
    Basic(&'a [&'a [u8]]),
    /// `client_secret` of the form.
    Post(&'a [u8]),
    /// `client_assertion` of the form (RFC 7523 §2.2).
    Assertion(&'a RawToken),
    /// No credential in the request; the verified certificate of its connection, where there is one (DER).
    Bare(Option<&'a [u8]>),
}

/// A client that proved who it is.
#[derive(Debug, Clone)]
pub struct ProvenClient {
    id: Arc<str>,
    method: ClientMethod,
}

/// What every client assertion is held to.
#[derive(Debug, Clone, Copy)]
pub struct ProofTerms<'a> {
    /// How the gateway is named as audience: the issuer, the token endpoint.
    pub audiences: &'a [Box<str>],
    /// Which `jti` were used.
    pub once: &'a OnceOnly,
    /// The time.
    pub now: UnixTime,
}

/// Why a client is not the one it says it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// No client has this id.
    #[error("no such client")]
    Unknown,
    /// The request uses a method that is not the client's.
    #[error("the client authenticates with {configured}")]
    OtherMethod {
        /// The client's method.
        configured: ClientMethod,
    },
    /// Another secret.
    #[error("the client secret is another")]
    Secret,
    /// The assertion is not acceptable.
    #[error("the client assertion is not acceptable")]
    Assertion(#[source] AssertionError),
    /// The connection has no client certificate.
    #[error("the connection has no client certificate")]
    NoCertificate,
    /// The certificate is another's.
    #[error("the client certificate names somebody else")]
    Certificate,
    /// The client's keys, or the record of what was used before, cannot be had: a fault, not a verdict.
    #[error("the client cannot be authenticated at the moment")]
    Unavailable,
}

impl ClientAuthenticator {
    /// The client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The one way in which the client authenticates.
    pub fn method(&self) -> ClientMethod {
        match &self.expected {
            Expected::SecretBasic(_) => ClientMethod::ClientSecretBasic,
            Expected::SecretPost(_) => ClientMethod::ClientSecretPost,
            Expected::Assertion(..) => ClientMethod::PrivateKeyJwt,
            Expected::Certificate(_) => ClientMethod::TlsClientAuth,
            Expected::Nothing => ClientMethod::Public,
        }
    }

    /// The keys that the client signs with: its assertions, and subject tokens of its own.
    pub fn keys(&self) -> Option<&ClientKeys> {
        self.keys.as_ref()
    }

    /// Holds what is presented against what is expected.
    ///
    /// Waits at most 5 s, and only where an assertion names a key that is not known yet, or the store is asked.
    ///
    /// # Errors
    /// [`ClientError`]: the check that failed.
    pub async fn prove(
        &self,
        presented: PresentedClient<'_>,
        terms: ProofTerms<'_>,
    ) -> Result<ProvenClient, ClientError> {
        match (&self.expected, presented) {
            (Expected::SecretBasic(expected), PresentedClient::Basic(readings)) => {
                // every reading is compared, whichever is right
                let right = readings
                    .iter()
                    .fold(false, |right, secret| expected.is_of(secret) | right);
                right.then_some(()).ok_or(ClientError::Secret)?;
            }
            (Expected::SecretPost(expected), PresentedClient::Post(secret)) => {
                let right = expected.is_of(secret);
                right.then_some(()).ok_or(ClientError::Secret)?;
            }
            (Expected::Assertion(keys, reuse), PresentedClient::Assertion(token)) => {
                let expected = AssertionTerms::of_client(&self.id, terms.audiences, *reuse);
                let verified = keys.verify_assertion(token, &expected, terms.once, terms.now);
                verified.await.map_err(ClientError::of_assertion)?;
            }
            (Expected::Certificate(name), PresentedClient::Bare(certificate)) => {
                let certificate = certificate.ok_or(ClientError::NoCertificate)?;
                name.is_in(certificate)
                    .then_some(())
                    .ok_or(ClientError::Certificate)?;
            }
            (Expected::Nothing, PresentedClient::Bare(_)) => {}
            (
                Expected::SecretBasic(_)
                | Expected::SecretPost(_)
                | Expected::Assertion(..)
                | Expected::Certificate(_)
                | Expected::Nothing,
                other,
            ) => {
                other.spend_time();
                let configured = self.method();
                return Err(ClientError::OtherMethod { configured });
            }
        }
        Ok(ProvenClient {
            id: Arc::clone(&self.id),
            method: self.method(),
        })
    }

    /// What becomes of a request that names a client which is not configured: the same work, and a refusal.
    pub fn refuse_unknown(presented: PresentedClient<'_>) -> ClientError {
        presented.spend_time();
        ClientError::Unknown
    }
}

impl PresentedClient<'_> {
    /// Compares a secret with nobody's, so that who guesses client ids learns nothing from how long it takes.
    fn spend_time(self) {
        let nobody = SecretDigest::of(b"");
        let compare = |secret: &[u8]| std::hint::black_box(nobody.is_of(secret));
        match self {
            Self::Basic(readings) => readings.iter().for_each(|secret| {
                compare(secret);
            }),
            Self::Post(secret) => {
                compare(secret);
            }
            Self::Assertion(_) | Self::Bare(_) => {}
        }
    }
}

impl ProvenClient {
    /// The client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How it proved who it is.
    pub fn method(&self) -> ClientMethod {
        self.method
    }
}

impl ClientError {
    fn of_assertion(error: AssertionError) -> Self {
        if error == AssertionError::Unavailable {
            Self::Unavailable
        } else {
            Self::Assertion(error)
        }
    }
}

/// A part of a secret, or a token, stands in it.
impl std::fmt::Debug for PresentedClient<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic(redacted)",
            Self::Post(_) => "Post(redacted)",
            Self::Assertion(_) => "Assertion(redacted)",
            Self::Bare(_) => "Bare",
        })
    }
}

#[cfg(test)]
mod tests;
