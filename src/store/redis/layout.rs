//! How records and revocations stand on the server.

use crate::{
    clock::UnixTime,
    jose::SealingKeys,
    store::{Reach, Record, RecordKey, Revocation, RevocationKey, StoreError},
};

/// The stream of revocations.
pub(super) const STREAM: &str = "obo-gateway:1:revocations";
/// Where it is said that there are new ones.
pub(super) const CHANNEL: &str = "obo-gateway:1:revoked";
/// What the names of records begin with.
const RECORDS: &str = "obo-gateway:1:record:";

const RECORD_DOMAIN: &str = "obo-gateway/redis-record/1";
const REVOCATION_DOMAIN: &str = "obo-gateway/redis-revocation/1";

/// The digits before the sealed part: the version in hexadecimal, the end in decimal, sixteen each.
const HEAD: usize = 32;
/// The greatest number that the server's scripts compare exactly.
const MOST: i64 = 9_007_199_254_740_992;

/// What the server calls the record.
pub(super) fn name_of(key: &RecordKey) -> String {
    let mut name = String::with_capacity(RECORDS.len() + 64);
    name.push_str(RECORDS);
    for byte in key.as_bytes() {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

/// A version as scripts compare it.
pub(super) fn version(version: u64) -> String {
    format!("{version:016x}")
}

/// A moment as scripts compare it.
pub(super) fn seconds(time: UnixTime) -> String {
    format!("{:016}", time.as_secs().clamp(0, MOST))
}

/// A record: what scripts look at in the open, and all of it sealed and bound to its name.
pub(super) fn sealed(
    keys: &SealingKeys,
    name: &str,
    record: &Record,
    until: UnixTime,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = (version(record.version) + &seconds(until)).into_bytes();
    let bound_to = [name.as_bytes(), &bytes].concat();
    let sealed = keys
        .seal(RECORD_DOMAIN, &bound_to, &record.value)
        .map_err(|_| StoreError::Preparation)?;
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// The record that stands under `name`, and when it ends; none of what these keys did not put there.
pub(super) fn opened(keys: &SealingKeys, name: &str, bytes: &[u8]) -> Option<(Record, UnixTime)> {
    let (head, sealed) = bytes.split_first_chunk::<HEAD>()?;
    let bound_to = [name.as_bytes(), head].concat();
    let value = keys.open(RECORD_DOMAIN, &bound_to, sealed)?;
    let (version, until) = str::from_utf8(head).ok()?.split_at_checked(16)?;
    let record = Record {
        value,
        version: u64::from_str_radix(version, 16).ok()?,
    };
    Some((record, UnixTime::from_secs(until.parse().ok()?)))
}

/// A revocation.
pub(super) fn sealed_revocation(
    keys: &SealingKeys,
    revocation: &Revocation,
) -> Result<Vec<u8>, StoreError> {
    let mut plain = Vec::with_capacity(33);
    plain.extend_from_slice(revocation.key.as_bytes());
    plain.extend_from_slice(&revocation.at.as_secs().to_be_bytes());
    plain.extend_from_slice(&revocation.until.as_secs().to_be_bytes());
    plain.push(match revocation.reach {
        Reach::Earlier => 0,
        Reach::Always => 1,
    });
    keys.seal(REVOCATION_DOMAIN, STREAM.as_bytes(), &plain)
        .map_err(|_| StoreError::Preparation)
}

/// The revocation that was sealed with one of these keys.
pub(super) fn opened_revocation(keys: &SealingKeys, bytes: &[u8]) -> Option<Revocation> {
    let plain = keys.open(REVOCATION_DOMAIN, STREAM.as_bytes(), bytes)?;
    let (key, rest) = plain.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (until, reach) = rest.split_first_chunk()?;
    Some(Revocation {
        key: RevocationKey::from_bytes(*key),
        at: UnixTime::from_secs(i64::from_be_bytes(*at)),
        until: UnixTime::from_secs(i64::from_be_bytes(*until)),
        reach: match reach {
            [0] => Reach::Earlier,
            [1] => Reach::Always,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SealingKey;

    fn keys() -> SealingKeys {
        SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap()
    }

    #[test]
    fn a_record_that_was_moved_or_changed_does_not_open() {
        let (keys, until) = (keys(), UnixTime::from_secs(9));
        let record = Record {
            value: b"value".to_vec(),
            version: 7,
        };
        let bytes = sealed(&keys, "here", &record, until).unwrap();
        assert_eq!(opened(&keys, "here", &bytes), Some((record, until)));
        assert_eq!(opened(&keys, "there", &bytes), None);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(opened(&keys, "here", &bytes), None, "byte {at}");
        }
        assert_eq!(opened(&self::keys(), "here", &bytes), None);
    }

    #[test]
    fn nothing_of_a_value_or_a_revocation_is_written_in_the_open() {
        let keys = keys();
        let record = Record {
            value: b"alice".to_vec(),
            version: 7,
        };
        let bytes = sealed(&keys, "here", &record, UnixTime::from_secs(9)).unwrap();
        assert!(!bytes.windows(5).any(|part| part == b"alice"));
        let key = RevocationKey::client("portal");
        let revocation = Revocation::of_all(key, UnixTime::from_secs(1), UnixTime::from_secs(2));
        let bytes = sealed_revocation(&keys, &revocation).unwrap();
        assert!(!bytes.windows(16).any(|part| part == key.as_bytes()));
        assert_eq!(opened_revocation(&keys, &bytes), Some(revocation));
    }
}
