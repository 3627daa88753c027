//! The one name that identifies a client's certificate (RFC 8705 §2.1.2).

use super::distinguished_name::DistinguishedName;
use std::net::IpAddr;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// A name that a client certificate must have. TLS has already verified the chain and the possession of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// The whole subject.
    Subject(DistinguishedName),
    /// A `dNSName`, compared without case. A wildcard never matches.
    Dns(Box<str>),
    /// A `uniformResourceIdentifier`, compared exactly.
    Uri(Box<str>),
    /// An `iPAddress`.
    Ip(IpAddr),
    /// An `rfc822Name`. The domain is compared without case.
    Email(Box<str>),
}

impl CertificateName {
    /// Parses the value of the configuration key `key`.
    ///
    /// # Errors
    /// A description of the expected value.
    pub(super) fn parse(key: &str, text: &str) -> Result<Self, &'static str> {
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match key {
            "subject_dn" => DistinguishedName::parse(text).map(Self::Subject).map_err(|_| {
                "write what `openssl x509 -noout -subject -nameopt RFC2253` prints, e.g. CN=portal,O=Example"
            }),
            "san_dns" if visible && !text.contains(['*', '/', ':', '@']) => {
                Ok(Self::Dns(text.into()))
            }
            "san_dns" => Err("write a name without wildcard, e.g. portal.example.com"),
            "san_uri" if visible && text.contains(':') => Ok(Self::Uri(text.into())),
            "san_uri" => Err("write a URI, e.g. spiffe://example.com/portal"),
            "san_ip" => text
                .parse()
                .map(Self::Ip)
                .map_err(|_| "write an address, e.g. 192.0.2.7"),
            "san_email" if visible && text.split('@').count() == 2 => Ok(Self::Email(text.into())),
            _ => Err("write an address, e.g. portal@example.com"),
        }
    }

    /// Returns `true` if the certificate in `der` has this name. A certificate that cannot be parsed has no name.
    pub(super) fn is_in(&self, der: &[u8]) -> bool {
        let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
            return false;
        };
        if !rest.is_empty() {
            return false;
        }
        if let Self::Subject(expected) = self {
            return DistinguishedName::of(certificate.subject()).as_ref() == Some(expected);
        }
        // duplicate extensions and names that cannot be parsed are errors
        let Ok(Some(names)) = certificate.subject_alternative_name() else {
            return false;
        };
        let mut names = names.value.general_names.iter();
        names.any(|name| self.is(name))
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "kinds of names that no configuration can ask for"
    )]
    fn is(&self, name: &GeneralName<'_>) -> bool {
        match (self, name) {
            (Self::Dns(expected), GeneralName::DNSName(name)) => {
                expected.eq_ignore_ascii_case(name)
            }
            (Self::Uri(expected), GeneralName::URI(name)) => **expected == **name,
            (Self::Ip(IpAddr::V4(expected)), GeneralName::IPAddress(name)) => {
                expected.octets() == *name
            }
            (Self::Ip(IpAddr::V6(expected)), GeneralName::IPAddress(name)) => {
                expected.octets() == *name
            }
            // RFC 5321 §2.4: only the receiving host knows whether case matters in the part before the @ sign
            (Self::Email(expected), GeneralName::RFC822Name(name)) => {
                match (expected.split_once('@'), name.split_once('@')) {
                    (Some((user, domain)), Some((named_user, named_domain))) => {
                        user == named_user && domain.eq_ignore_ascii_case(named_domain)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "DE");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(DnType::CommonName, "portal");
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn name(key: &str, text: &str) -> CertificateName {
        CertificateName::parse(key, text).unwrap()
    }

    #[test]
    fn each_kind_of_name_is_found_where_it_stands_and_nowhere_else() {
        let der = certificate(vec![
            SanType::DnsName("portal.example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/portal".try_into().unwrap()),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
            SanType::Rfc822Name("portal@example.com".try_into().unwrap()),
        ]);
        for (key, text, expected) in [
            ("subject_dn", "CN=portal,O=Example\\, Inc.,C=DE", true),
            ("subject_dn", "C=DE,O=Example\\, Inc.,CN=portal", false),
            ("subject_dn", "CN=portal", false),
            ("san_dns", "portal.example.com", true),
            ("san_dns", "PORTAL.example.com", true),
            ("san_dns", "example.com", false),
            ("san_dns", "other.portal.example.com", false),
            ("san_uri", "spiffe://example.com/portal", true),
            ("san_uri", "spiffe://example.com/Portal", false),
            ("san_uri", "spiffe://example.com/portal/x", false),
            ("san_ip", "192.0.2.7", true),
            ("san_ip", "192.0.2.8", false),
            ("san_ip", "2001:db8::7", true),
            ("san_ip", "::ffff:192.0.2.7", false),
            ("san_email", "portal@EXAMPLE.com", true),
            ("san_email", "Portal@example.com", false),
        ] {
            assert_eq!(name(key, text).is_in(&der), expected, "{key} {text}");
        }
    }

    #[test]
    fn a_name_in_the_subject_is_no_alternative_name_and_no_kind_stands_for_another() {
        let der = certificate(vec![SanType::URI(
            "portal.example.com:x".try_into().unwrap(),
        )]);
        assert!(!name("san_dns", "portal").is_in(&der));
        assert!(!name("san_dns", "portal.example.com").is_in(&der));
        assert!(!name("san_dns", "portal").is_in(&certificate(Vec::new())));
    }

    #[test]
    fn what_is_no_certificate_has_no_name() {
        let mut der = certificate(Vec::new());
        let subject = name("subject_dn", "CN=portal,O=Example\\, Inc.,C=DE");
        assert!(subject.is_in(&der));
        der.push(0);
        assert!(!subject.is_in(&der));
        assert!(!subject.is_in(&[]));
        assert!(!subject.is_in(&der[..100]));
    }

    #[test]
    fn a_value_that_is_no_name_of_its_kind_is_refused() {
        for (key, text) in [
            ("subject_dn", "portal"),
            ("san_dns", "*.example.com"),
            ("san_dns", "https://example.com"),
            ("san_dns", ""),
            ("san_uri", "portal"),
            ("san_ip", "192.0.2.0/24"),
            ("san_email", "example.com"),
        ] {
            assert!(CertificateName::parse(key, text).is_err(), "{key} {text}");
        }
    }
}
