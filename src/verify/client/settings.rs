//! The `clients[].authentication` section of the configuration.

use super::{
    AssertionReuse, CertificateName, ClientAuthenticator, Expected,
    keys::{ClientKeyPlace, ClientKeys},
};
use crate::{
    clock::SharedClock,
    egress::{Egress, EgressTlsSettings},
    jose::SecretDigest,
    settings::{Building, SecretSettings, fingerprint},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, path::PathBuf};

/// How a client authenticates at the token service, for example
/// `{ method: client_secret_basic, secret: { env: PORTAL_SECRET } }`. All other methods are refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuthenticationSettings {
    /// The authentication method. The client must use exactly this one.
    pub method: ClientMethod,
    /// The client secret, for `client_secret_basic` and `client_secret_post`.
    pub secret: Option<SecretSettings>,
    /// A file with the client's public keys, a JWK set (RFC 7517 §5). `private_key_jwt` requires this or `jwks_uri`.
    /// With any method, these keys also verify subject tokens that the client signs itself.
    pub jwks_file: Option<PathBuf>,
    /// The URL of the client's public keys, a JWK set. The gateway fetches it at first use and then every 5 minutes.
    pub jwks_uri: Option<String>,
    /// How the certificate of the `jwks_uri` server is verified. Default: with the system's CA certificates.
    pub tls: Option<EgressTlsSettings>,
    /// For `private_key_jwt`: whether an assertion can be used more than once. Default: `single_use`. Use
    /// `until_expiry` for libraries that present the same assertion several times, such as Microsoft's MSAL. In both
    /// cases, an assertion without `jti` may have a lifetime of at most 5m and can be reused until it expires.
    pub assertion_reuse: Option<AssertionReuse>,
    /// For `tls_client_auth`: the subject of the client certificate in RFC 4514 form (`CN=portal,O=Example`), as
    /// `openssl x509 -subject -nameopt RFC2253` prints it.
    pub subject_dn: Option<String>,
    /// For `tls_client_auth`: a DNS name in the certificate's subject alternative names.
    pub san_dns: Option<String>,
    /// For `tls_client_auth`: a URI in the certificate's subject alternative names, for example a SPIFFE ID.
    pub san_uri: Option<String>,
    /// For `tls_client_auth`: an IP address in the certificate's subject alternative names.
    pub san_ip: Option<String>,
    /// For `tls_client_auth`: an email address in the certificate's subject alternative names.
    pub san_email: Option<String>,
}

fingerprint!(ClientAuthenticationSettings {
    fields: [
        method,
        secret,
        jwks_uri,
        tls,
        assertion_reuse,
        subject_dn,
        san_dns,
        san_uri,
        san_ip,
        san_email
    ],
    files: [jwks_file],
});

/// An authentication method at the token service, named as in the IANA registry of token endpoint authentication
/// methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientMethod {
    /// Client id and secret in the Authorization header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Client id and secret in the form (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A JWT signed with the client's private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// The client certificate of the TLS connection (RFC 8705 §2.1).
    TlsClientAuth,
    /// No authentication: a public client. Anyone can impersonate it.
    #[serde(rename = "none")]
    Public,
}

fingerprint!(
    ClientMethod = ClientSecretBasic | ClientSecretPost | PrivateKeyJwt | TlsClientAuth | Public
);

impl ClientMethod {
    /// The name in configuration and metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::Public => "none",
        }
    }
}

impl fmt::Display for ClientMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ClientAuthenticationSettings {
    /// Builds the authenticator of the client with this `id` and reports every error. A key file is read here.
    pub fn build(
        &self,
        id: &str,
        building: &mut Building<'_>,
        clock: &SharedClock,
        egress: &Egress,
    ) -> Option<ClientAuthenticator> {
        let before = building.findings.errors();
        self.refuse_what_is_not_used(building);
        let keys = self.keys(id, building, clock, egress);
        let expected = match self.method {
            ClientMethod::ClientSecretBasic => {
                refuse_colon(id, building);
                self.secret(building).map(Expected::SecretBasic)
            }
            ClientMethod::ClientSecretPost => self.secret(building).map(Expected::SecretPost),
            ClientMethod::PrivateKeyJwt => {
                let reuse = self.assertion_reuse.unwrap_or_default();
                keys.clone().map(|keys| Expected::Assertion(keys, reuse))
            }
            ClientMethod::TlsClientAuth => self.certificate(building).map(Expected::Certificate),
            ClientMethod::Public => Some(Expected::Nothing),
        };
        (building.findings.errors() == before).then_some(ClientAuthenticator {
            id: id.into(),
            expected: expected?,
            keys,
        })
    }

    fn secret(&self, building: &mut Building<'_>) -> Option<SecretDigest> {
        let Some(settings) = &self.secret else {
            building.within("secret", |b| {
                b.findings.error(
                    format!("{} needs a secret, found none", self.method),
                    "write secret: { env: NAME } or secret: { file: PATH }",
                );
            });
            return None;
        };
        let secret = building.within("secret", |b| settings.build(b))?;
        if secret.expose().len() < SHORT_SECRET {
            building.within("secret", |b| {
                b.findings.warn(
                    format!("the secret is shorter than {SHORT_SECRET} bytes"),
                    "a short secret can be guessed",
                    "store random bytes in it, e.g. from `openssl rand -base64 32`",
                );
            });
        }
        Some(SecretDigest::of(secret.expose()))
    }

    fn keys(
        &self,
        id: &str,
        building: &mut Building<'_>,
        clock: &SharedClock,
        egress: &Egress,
    ) -> Option<ClientKeys> {
        let place = match (&self.jwks_file, &self.jwks_uri) {
            (Some(file), None) => ClientKeyPlace::File(file),
            (None, Some(uri)) => ClientKeyPlace::Uri(uri, self.tls.as_ref()),
            (None, None) if self.method != ClientMethod::PrivateKeyJwt => return None,
            (None, None) => {
                building.findings.error(
                    format!("{} needs its public keys, found none", self.method),
                    "write jwks_file or jwks_uri",
                );
                return None;
            }
            (file, uri) => {
                let choices = [("jwks_file", file.is_some()), ("jwks_uri", uri.is_some())];
                building.findings.exactly_one(&choices);
                return None;
            }
        };
        ClientKeys::build(id, place, building, clock, egress)
    }

    fn certificate(&self, building: &mut Building<'_>) -> Option<CertificateName> {
        let names = self.certificate_names();
        let choices = names.map(|(key, name)| (key, name.is_some()));
        let chosen = building.findings.exactly_one(&choices)?;
        let (key, name) = names.into_iter().find(|(key, _)| *key == chosen)?;
        let name = name?;
        match CertificateName::parse(key, name) {
            Ok(name) => Some(name),
            Err(fix) => {
                building.within(key, |b| {
                    b.findings
                        .error(format!("not a name of this kind: {name:?}"), fix);
                });
                None
            }
        }
    }

    fn certificate_names(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("subject_dn", self.subject_dn.as_ref()),
            ("san_dns", self.san_dns.as_ref()),
            ("san_uri", self.san_uri.as_ref()),
            ("san_ip", self.san_ip.as_ref()),
            ("san_email", self.san_email.as_ref()),
        ]
    }

    /// Reports keys that have no effect with the configured method, so that no setting is silently ignored.
    fn refuse_what_is_not_used(&self, building: &mut Building<'_>) {
        let takes_secret = matches!(
            self.method,
            ClientMethod::ClientSecretBasic | ClientMethod::ClientSecretPost
        );
        let mut unused = vec![
            ("secret", self.secret.is_some() && !takes_secret),
            ("tls", self.tls.is_some() && self.jwks_uri.is_none()),
            (
                "assertion_reuse",
                self.assertion_reuse.is_some() && self.method != ClientMethod::PrivateKeyJwt,
            ),
        ];
        if self.method != ClientMethod::TlsClientAuth {
            let names = self.certificate_names();
            unused.extend(names.map(|(key, name)| (key, name.is_some())));
        }
        for (key, _) in unused.into_iter().filter(|(_, unused)| *unused) {
            building.within(key, |b| {
                b.findings.error(
                    format!("{} does not use this key", self.method),
                    "remove it, or name the method that it belongs to",
                );
            });
        }
    }
}

/// A secret shorter than this causes a warning, in bytes.
const SHORT_SECRET: usize = 16;

/// The first colon ends the id (RFC 7617 §2), unless the client percent-encodes it, which many clients do not.
fn refuse_colon(id: &str, building: &mut Building<'_>) {
    if id.contains(':') {
        building.within("method", |b| {
            b.findings.warn(
                "the id contains a colon",
                "a client that does not percent-encode its id (RFC 6749 §2.3.1) then sends another id",
                "choose an id without a colon, or client_secret_post",
            );
        });
    }
}
