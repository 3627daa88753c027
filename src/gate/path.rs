//! Paths that have the same meaning for every parser (RFC 3986 §3.3, §6.2.2).

use thiserror::Error;

/// The reason why a path is ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathAmbiguity {
    /// The path does not start with a slash.
    #[error("it does not start with a slash")]
    NotAbsolute,
    /// An empty segment, as in `//`.
    #[error("an empty segment")]
    EmptySegment,
    /// A `.` or `..` segment.
    #[error("a dot segment")]
    DotSegment,
    /// A character that servers interpret differently: `;`, `\`, control characters, or anything beyond ASCII.
    #[error("a character that servers interpret differently")]
    Character,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("an invalid percent-encoding")]
    BrokenEncoding,
    /// An encoded delimiter, control character, or character that needs no encoding. Decoding before or after matching
    /// would result in different paths.
    #[error("a percent-encoded character whose decoding could change the path")]
    HiddenCharacter,
    /// Encoded bytes that are not UTF-8, such as an overlong form of a dot or slash.
    #[error("percent-encoded bytes that are not UTF-8")]
    NotUtf8,
}

/// Accepts `path` if every parser splits and decodes it alike.
///
/// # Errors
/// The first [`PathAmbiguity`] found.
pub(super) fn check(path: &str) -> Result<(), PathAmbiguity> {
    let rest = path.strip_prefix('/').ok_or(PathAmbiguity::NotAbsolute)?;
    if path.bytes().any(|byte| byte == b'%' || !is_plain(byte)) {
        check_characters(path)?;
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            // a trailing slash makes a different path, but no ambiguity
            "" if segments.peek().is_some() => return Err(PathAmbiguity::EmptySegment),
            "." | ".." => return Err(PathAmbiguity::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// Characters that are always valid: all of RFC 3986's `pchar` except `;` and `%`, and the slash.
const fn is_plain(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

fn check_characters(path: &str) -> Result<(), PathAmbiguity> {
    let mut decoded = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = hex(bytes.next())?;
                let low = hex(bytes.next())?;
                let value = high << 4 | low;
                if hides(value) {
                    return Err(PathAmbiguity::HiddenCharacter);
                }
                decoded.push(value);
            }
            // used in practice although not valid in RFC 3986; no server treats these characters specially in a path
            b'|' | b'[' | b']' | b'{' | b'}' | b'"' | b'<' | b'>' | b'^' | b'`' => {
                decoded.push(byte)
            }
            _ if is_plain(byte) => decoded.push(byte),
            _ => return Err(PathAmbiguity::Character),
        }
    }
    std::str::from_utf8(&decoded).map_err(|_| PathAmbiguity::NotUtf8)?;
    Ok(())
}

/// Returns `true` if decoding this byte would change the meaning of the path: delimiters, control characters, and
/// unreserved characters (RFC 3986 §2.3), which must not be encoded.
const fn hides(byte: u8) -> bool {
    matches!(byte,
        0x00..=0x1f | 0x7f | b'/' | b'\\' | b';'
        | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}

fn hex(byte: Option<u8>) -> Result<u8, PathAmbiguity> {
    match byte {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(PathAmbiguity::BrokenEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/orders",
            "/orders/",
            "/orders/42",
            "/a%20b",
            "/caf%C3%A9",
            "/100%25",
            "/a.b/..c/c..",
            "/x@y:z",
            "/a,b=c",
            "/%E2%82%AC",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn every_path_that_two_parsers_read_differently_is_refused() {
        use PathAmbiguity as A;
        for (path, why) in [
            ("", A::NotAbsolute),
            ("*", A::NotAbsolute),
            ("orders", A::NotAbsolute),
            ("//", A::EmptySegment),
            ("/a//b", A::EmptySegment),
            ("//a", A::EmptySegment),
            ("/a//", A::EmptySegment),
            ("/.", A::DotSegment),
            ("/..", A::DotSegment),
            ("/a/./b", A::DotSegment),
            ("/a/../b", A::DotSegment),
            ("/a/..", A::DotSegment),
            ("/%2e%2e/a", A::HiddenCharacter),
            ("/.%2E/a", A::HiddenCharacter),
            ("/a%2fb", A::HiddenCharacter),
            ("/a%2Fb", A::HiddenCharacter),
            ("/a%5cb", A::HiddenCharacter),
            ("/a%00", A::HiddenCharacter),
            ("/a%3bb", A::HiddenCharacter),
            ("/%61dmin", A::HiddenCharacter),
            ("/a;b", A::Character),
            ("/a\\b", A::Character),
            ("/a b", A::Character),
            ("/a\u{7f}", A::Character),
            ("/é", A::Character),
            ("/a#b", A::Character),
            ("/a%", A::BrokenEncoding),
            ("/a%2", A::BrokenEncoding),
            ("/a%zz", A::BrokenEncoding),
            ("/a%u002f", A::BrokenEncoding),
            ("/%c0%ae%c0%ae/", A::NotUtf8),
            ("/%c0%af", A::NotUtf8),
            ("/%ff", A::NotUtf8),
        ] {
            assert_eq!(check(path), Err(why), "{path}");
        }
    }
}
