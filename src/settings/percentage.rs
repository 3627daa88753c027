//! Percentages such as `80%`.

use super::{Fingerprint, Fingerprinter, text::parse_text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr};

/// A whole percentage from 1% to 100%.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentage(u8);

impl Percentage {
    /// 100 %.
    pub const ALL: Self = Self(100);

    /// Creates a percentage, for defaults; values above 100 become 100.
    pub const fn of(hundredths: u8) -> Self {
        Self(if hundredths > 100 { 100 } else { hundredths })
    }

    /// Returns this percentage of `whole`, rounded down.
    pub fn share_of(self, whole: u64) -> u64 {
        let share = u128::from(whole) * u128::from(self.0) / 100;
        u64::try_from(share).unwrap_or(whole)
    }
}

impl FromStr for Percentage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hundredths = text.strip_suffix('%').and_then(|digits| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        });
        match hundredths {
            Some(hundredths @ 1..=100) => Ok(Self(hundredths)),
            Some(_) | None => Err(format!(
                "expected a percentage from 1% to 100%, such as 80%, found {text:?}"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer, "a percentage such as 80%")
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percentage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Fingerprint for Percentage {
    fn add_to(&self, fingerprint: &mut Fingerprinter<'_>) {
        self.to_string().add_to(fingerprint);
    }
}

impl JsonSchema for Percentage {
    fn schema_name() -> Cow<'static, str> {
        "Percentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole percentage, from 1% to 100%.",
            "type": "string",
            "pattern": "^0*([1-9][0-9]?|100)%$",
            "examples": ["80%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_as_written() {
        assert_eq!("80%".parse(), Ok(Percentage::of(80)));
        assert_eq!("1%".parse(), Ok(Percentage::of(1)));
        assert_eq!("100%".parse(), Ok(Percentage::ALL));
    }

    #[test]
    fn what_is_no_percentage_from_1_to_100_is_refused() {
        for text in [
            "80", "0%", "101%", "%", "-1%", "+5%", "8 %", "80.5%", "300%", "",
        ] {
            assert!(text.parse::<Percentage>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_share_never_exceeds_the_whole() {
        assert_eq!(Percentage::of(80).share_of(4), 3);
        assert_eq!(Percentage::ALL.share_of(u64::MAX), u64::MAX);
        assert_eq!(Percentage::of(50).share_of(u64::MAX), u64::MAX / 2);
    }
}
