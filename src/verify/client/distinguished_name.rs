//! Distinguished names, from the configuration (RFC 4514) and from certificates.
//!
//! Both are parsed into the same list, in the order of the certificate. They are compared as RFC 5280 §7.1 defines: the
//! same types in the same order, and values without regard to case and to the number of spaces between words.

use thiserror::Error;
use x509_parser::x509::X509Name;

/// A sequence of relative names, outermost first. Each is a sorted set of types (dotted) and values (case-folded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName(Vec<Vec<(Box<str>, Box<str>)>>);

/// The text is not a distinguished name (RFC 4514 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a distinguished name")]
pub struct NotADistinguishedName;

/// The names of attribute types in text (RFC 4514 §3), and others that common tools write.
const TYPES: [(&str, &str); 15] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("TITLE", "2.5.4.12"),
    ("GIVENNAME", "2.5.4.42"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
];

impl DistinguishedName {
    /// Parses a name in RFC 4514 form, innermost first. Spaces around separators are ignored. Hexadecimal (`#…`) and
    /// quoted values are not supported.
    ///
    /// # Errors
    /// [`NotADistinguishedName`], also for an attribute type that is neither dotted nor a known name.
    pub fn parse(text: &str) -> Result<Self, NotADistinguishedName> {
        let mut relative = split(text, ',')?
            .into_iter()
            .map(|part| {
                let attributes = split(part, '+')?.into_iter().map(attribute);
                attributes.collect::<Result<Vec<_>, _>>().map(sorted)
            })
            .collect::<Result<Vec<_>, _>>()?;
        relative.reverse();
        Ok(Self(relative))
    }

    /// Returns the name in a certificate, or `None` if a value is not text.
    pub(super) fn of(name: &X509Name<'_>) -> Option<Self> {
        let relative = name.iter_rdn().map(|rdn| {
            let attributes = rdn.iter().map(|attribute| {
                let value = attribute.as_str().ok()?;
                Some((attribute.attr_type().to_id_string().into(), folded(value)))
            });
            attributes.collect::<Option<Vec<_>>>().map(sorted)
        });
        relative.collect::<Option<Vec<_>>>().map(Self)
    }
}

fn sorted(mut attributes: Vec<(Box<str>, Box<str>)>) -> Vec<(Box<str>, Box<str>)> {
    attributes.sort_unstable();
    attributes
}

/// Splits `text` at unescaped separators. No part is empty.
fn split(text: &str, separator: char) -> Result<Vec<&str>, NotADistinguishedName> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' | ';' | '<' | '>' => return Err(NotADistinguishedName),
            _ if character == separator => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    let whole = !escaped && parts.iter().all(|part| !part.trim().is_empty());
    whole.then_some(parts).ok_or(NotADistinguishedName)
}

fn attribute(text: &str) -> Result<(Box<str>, Box<str>), NotADistinguishedName> {
    let (name, value) = text.split_once('=').ok_or(NotADistinguishedName)?;
    let name = name.trim();
    let known = TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let oid = match known {
        Some((_, oid)) => oid,
        None if is_dotted(name) => name,
        None => return Err(NotADistinguishedName),
    };
    let value = value.trim_start();
    if value.starts_with('#') {
        return Err(NotADistinguishedName);
    }
    let value = folded(&unescaped(value)?);
    let present = !value.is_empty();
    present
        .then(|| (oid.into(), value))
        .ok_or(NotADistinguishedName)
}

fn is_dotted(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.contains('.') && name.split('.').all(number)
}

/// RFC 4514 §2.4: a backslash precedes a special character or two hexadecimal digits of a UTF-8 byte.
fn unescaped(value: &str) -> Result<String, NotADistinguishedName> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let hex = rest
            .split_at_checked(2)
            .and_then(|(digits, after)| Some((std::str::from_utf8(digits).ok()?, after)))
            .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|(digits, after)| Some((u8::from_str_radix(digits, 16).ok()?, after)));
        if let Some((byte, after)) = hex {
            bytes.push(byte);
            rest = after;
        } else if let Some((
            special @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\'),
            after,
        )) = rest.split_first()
        {
            bytes.push(*special);
            rest = after;
        } else {
            return Err(NotADistinguishedName);
        }
    }
    String::from_utf8(bytes).map_err(|_| NotADistinguishedName)
}

/// RFC 5280 §7.1, RFC 4518 §2.6.1: case is ignored, and consecutive spaces count as one.
fn folded(value: &str) -> Box<str> {
    let words: Vec<String> = value.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap()
    }

    /// RFC 4514 §4.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        for text in [
            "UID=jsmith,DC=example,DC=net",
            "OU=Sales+CN=J.  Smith,DC=example,DC=net",
            r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#,
            "CN=Before\\0dAfter,DC=example,DC=net",
            "CN=Lu\\C4\\8Di\\C4\\87",
            "1.3.6.1.4.1.1466.0=abc",
        ] {
            assert!(DistinguishedName::parse(text).is_ok(), "{text}");
        }
        assert_eq!(parse("CN=Lu\\C4\\8Di\\C4\\87"), parse("CN=Lučić"));
    }

    #[test]
    fn spelling_does_not_count_and_order_does() {
        assert_eq!(
            parse("CN=Portal , O=Example  Inc"),
            parse("cn=portal,o=example inc")
        );
        assert_eq!(parse("OU=Sales+CN=J"), parse("CN=J+OU=Sales"));
        assert_eq!(parse("2.5.4.3=a"), parse("CN=a"));
        assert_ne!(parse("CN=a,O=b"), parse("O=b,CN=a"));
        assert_ne!(parse("CN=a,O=b"), parse("CN=a+O=b"));
        assert_ne!(parse("CN=a\\,O=b"), parse("CN=a,O=b"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "portal",
            "CN=",
            "CN=a,",
            "CN=a,,O=b",
            "=a",
            "X=a",
            "1=a",
            "CN=a\\",
            "CN=\"a\"",
            "CN=a;O=b",
            "CN=#0401",
            "CN=\\zz",
            "CN=\\FF",
        ] {
            assert_eq!(
                DistinguishedName::parse(text),
                Err(NotADistinguishedName),
                "{text}"
            );
        }
    }
}
