//! base64url without padding (RFC 7515 §2), with one valid text for each value.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Refuses padding and non-zero trailing bits, so that two different texts never decode to the same bytes.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Encodes bytes.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

/// Encodes bytes and appends the text.
pub(super) fn push_base64url(bytes: &[u8], text: &mut String) {
    BASE64URL.encode_string(bytes, text);
}

/// Decodes `text`. Returns `None` if it is not the canonical encoding.
pub fn from_base64url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_of_a_value_is_read() {
        assert_eq!(from_base64url("AA"), Some(vec![0]));
        for text in ["AB", "AA==", "AA=", "A", "+A", "/A", "A A", "AA\n", "AAB"] {
            assert_eq!(from_base64url(text), None, "{text:?}");
        }
        assert_eq!(base64url([0xfb, 0xff]), "-_8");
    }
}
