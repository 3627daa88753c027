//! W3C Trace Context: parsing the client's `traceparent`, and writing the one for the upstream.
//!
//! The client's value is not trusted. It is either completely valid, or it is ignored and the caller also drops
//! `tracestate` (W3C Trace Context §4.3).

use super::ids::{IdSource, SpanId};
use super::json;
use std::fmt;

/// The trace that a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 32],
    flags: u8,
}

/// A `traceparent` value to send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; 55]);

/// `version "-" trace-id "-" parent-id "-" trace-flags` (§3.2.2)
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
const RANDOM_TRACE_ID: u8 = 2;

impl TraceContext {
    /// Parses a `traceparent` value. Returns `None` if it is not valid by §3.2.
    ///
    /// For versions above 00, only the first 55 characters are parsed, and only the flag "sampled" is used (§4.3).
    #[inline(never)] // many requests have none, and inlining would slow those down
    pub fn parse(traceparent: &[u8]) -> Option<Self> {
        let (known, later) = traceparent.split_at_checked(LENGTH)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let version = hex_octet(fields.next()?)?;
        let trace_id: [u8; 32] = id(fields.next()?)?;
        let _parent_id: [u8; 16] = id(fields.next()?)?;
        let flags = hex_octet(fields.next()?)?;
        if fields.next().is_some() {
            return None;
        }
        let defined = match (version, later.first()) {
            (0, None) => SAMPLED | RANDOM_TRACE_ID,
            (1..=0xfe, None | Some(b'-')) => SAMPLED,
            _ => return None,
        };
        Some(Self {
            trace_id,
            flags: flags & defined,
        })
    }

    /// The trace id: 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        json::ascii(&self.trace_id)
    }

    /// Returns the value for the upstream: the same trace and flags, with the gateway's own span as the parent.
    #[inline(never)] // not every request is traced, as in `parse`
    pub fn child(&self, ids: &IdSource) -> TraceParent {
        self.child_of(ids.span_id())
    }

    fn child_of(&self, span: SpanId) -> TraceParent {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let [.., flag_digit] = &mut value;
        *flag_digit += self.flags;
        let (head, tail) = value.split_at_mut(36);
        for (place, digit) in head.iter_mut().skip(3).zip(self.trace_id) {
            *place = digit;
        }
        for (place, digit) in tail.iter_mut().zip(span.digits()) {
            *place = *digit;
        }
        TraceParent(value)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({}, {:02x})", self.trace_id(), self.flags)
    }
}

impl TraceParent {
    /// The header field value.
    pub fn as_str(&self) -> &str {
        json::ascii(&self.0)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({})", self.as_str())
    }
}

/// `2HEXDIGLC`
fn hex_octet(text: &[u8]) -> Option<u8> {
    match text {
        [high, low] => Some((nibble(*high)? << 4) | nibble(*low)?),
        _ => None,
    }
}

/// Lower-case hexadecimal digits, exactly `N`, not all zero (§3.2.2.3, §3.2.2.4).
fn id<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digits: [u8; N] = text.try_into().ok()?;
    let hex = digits.iter().all(|digit| nibble(*digit).is_some());
    let zero = digits.iter().all(|digit| *digit == b'0');
    (hex && !zero).then_some(digits)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandomness;
    use proptest::prelude::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_child_keeps_trace_and_flags_and_names_a_new_parent() {
        let ids = IdSource::new(&SystemRandomness).unwrap();
        let context = TraceContext::parse(VALID.as_bytes()).unwrap();
        let child = context.child(&ids);
        assert!(
            child
                .as_str()
                .starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
        );
        assert!(child.as_str().ends_with("-01"));
        assert!(!child.as_str().contains("00f067aa0ba902b7"));
        assert_ne!(child, context.child(&ids));
        assert_eq!(
            TraceContext::parse(child.as_str().as_bytes()),
            Some(context)
        );
    }

    #[test]
    fn a_malformed_traceparent_is_no_context() {
        for value in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            " 0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-",
        ] {
            assert_eq!(TraceContext::parse(value.as_bytes()), None, "{value:?}");
        }
    }

    #[test]
    fn a_later_version_is_read_by_what_is_known_of_it() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what-comes";
        let context = TraceContext::parse(later.as_bytes()).unwrap();
        assert_eq!(context.flags, SAMPLED);
        let unknown_flags = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe";
        let context = TraceContext::parse(unknown_flags.as_bytes()).unwrap();
        assert_eq!(context.flags, RANDOM_TRACE_ID);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic_or_lie(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(context) = TraceContext::parse(&value) {
                prop_assert_eq!(context.trace_id().as_bytes(), &value[3..35]);
            }
        }
    }
}
