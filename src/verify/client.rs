//! Client authentication at the token service, by one of five methods.
//!
//! A [`ClientAuthenticator`] turns what a request presents into a [`ProvenClient`], which can be made only here and
//! only after the check that is configured for the client, or into a [`ClientError`]. A client has exactly one method.
//! Any other method is refused, even with a correct credential. A failure of the store or of the server with the
//! client's keys is [`ClientError::Unavailable`], never a verdict about the client.

mod assertion;
mod assertion_error;
mod certificate;
mod distinguished_name;
mod keys;
mod settings;

pub use assertion::{AssertionReuse, AssertionTerms, Uses, VerifiedAssertion};
pub use assertion_error::AssertionError;
pub use certificate::CertificateName;
pub use distinguished_name::{DistinguishedName, NotADistinguishedName};
pub use keys::ClientKeys;
pub use settings::{ClientAuthenticationSettings, ClientMethod};

use crate::{clock::UnixTime, jose::SecretDigest, store::OnceOnly, token::RawToken};
use std::sync::Arc;
use thiserror::Error;

/// Authenticates one client.
#[derive(Debug)]
pub struct ClientAuthenticator {
    id: Arc<str>,
    expected: Expected,
    keys: Option<ClientKeys>,
}

/// The expected credential, by method.
#[derive(Debug)]
enum Expected {
    SecretBasic(SecretDigest),
    SecretPost(SecretDigest),
    Assertion(ClientKeys, AssertionReuse),
    Certificate(CertificateName),
    Nothing,
}

/// What a request presents to authenticate a client. It is not verified yet.
#[derive(Clone, Copy)]
pub enum PresentedClient<'a> {
    /// The secrets of an Authorization header field, one for each way to decode it (RFC 6749 §2.3.1).
    Basic(&'a [&'a [u8]]),
    /// `client_secret` of the form.
    Post(&'a [u8]),
    /// `client_assertion` of the form (RFC 7523 §2.2).
    Assertion(&'a RawToken),
    /// No credential in the request. The verified certificate of the TLS connection, if there is one (DER).
    Bare(Option<&'a [u8]>),
}

/// Proof that a client has authenticated.
#[derive(Debug, Clone)]
pub struct ProvenClient {
    id: Arc<str>,
    method: ClientMethod,
}

/// What a client assertion must satisfy, and the state to check it with.
#[derive(Debug, Clone, Copy)]
pub struct ProofTerms<'a> {
    /// The names of the gateway as an audience: its issuer and its token endpoint.
    pub audiences: &'a [Box<str>],
    /// The record of used `jti` values.
    pub once: &'a OnceOnly,
    /// The current time.
    pub now: UnixTime,
}

/// The reason why a client could not be authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// No client has this id.
    #[error("no such client")]
    Unknown,
    /// The request uses a method other than the client's.
    #[error("the client must authenticate with {configured}")]
    OtherMethod {
        /// The client's method.
        configured: ClientMethod,
    },
    /// The secret is wrong.
    #[error("the client secret does not match")]
    Secret,
    /// The assertion is not acceptable.
    #[error("the client assertion is not acceptable")]
    Assertion(#[source] AssertionError),
    /// The connection has no client certificate.
    #[error("the connection has no client certificate")]
    NoCertificate,
    /// The certificate has a different name.
    #[error("the client certificate does not match")]
    Certificate,
    /// The client's keys or the record of used assertions are not available. This is a failure, not a verdict about the
    /// client.
    #[error("the client cannot be authenticated at the moment")]
    Unavailable,
}

impl ClientAuthenticator {
    /// The client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The only method with which the client authenticates.
    pub fn method(&self) -> ClientMethod {
        match &self.expected {
            Expected::SecretBasic(_) => ClientMethod::ClientSecretBasic,
            Expected::SecretPost(_) => ClientMethod::ClientSecretPost,
            Expected::Assertion(..) => ClientMethod::PrivateKeyJwt,
            Expected::Certificate(_) => ClientMethod::TlsClientAuth,
            Expected::Nothing => ClientMethod::Public,
        }
    }

    /// The client's public keys, for its assertions and for subject tokens that it signs itself.
    pub fn keys(&self) -> Option<&ClientKeys> {
        self.keys.as_ref()
    }

    /// Authenticates the client with what the request presents.
    ///
    /// Waits only if an assertion names an unknown key, or for the store, and then at most 5 s.
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
                // compares every decoding, so that the time does not depend on which one is right
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

    /// Refuses a request that names an unknown client, after the same work as for a known one.
    pub fn refuse_unknown(presented: PresentedClient<'_>) -> ClientError {
        presented.spend_time();
        ClientError::Unknown
    }
}

impl PresentedClient<'_> {
    /// Compares with a dummy secret, so that the response time does not reveal which client ids exist.
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

    /// The method with which the client authenticated.
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

/// The value contains a secret or a token, so that `Debug` redacts it.
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
