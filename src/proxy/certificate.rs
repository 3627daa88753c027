//! What a certificate of the gateway's own says about itself.

use crate::clock::UnixTime;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// When it expires (RFC 5280 §4.1.2.5, `notAfter`); `None` where it cannot be read.
pub(super) fn expiry(der: &[u8]) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let not_after = certificate.validity().not_after.timestamp();
    Some(UnixTime::from_secs(not_after))
}
