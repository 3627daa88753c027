//! Reads the expiry time of the gateway's own certificates.

use crate::clock::UnixTime;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// Returns when a certificate expires (RFC 5280 §4.1.2.5, `notAfter`), or `None` if it cannot be parsed.
pub(crate) fn expiry(der: &[u8]) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let not_after = certificate.validity().not_after.timestamp();
    Some(UnixTime::from_secs(not_after))
}
