//! The encoding of records and revocations on the server.

use crate::{
    clock::UnixTime,
    jose::SealingKeys,
    store::{
        Change, Lift, Reach, Record, RecordKey, Revocation, RevocationKey, RevokedBy, StoreError,
    },
};

/// The stream of revocations.
pub(super) const STREAM: &str = "obo-gateway:1:revocations";
/// The channel for notifications of new revocations.
pub(super) const CHANNEL: &str = "obo-gateway:1:revoked";
/// The prefix of record names.
const RECORDS: &str = "obo-gateway:1:record:";

const RECORD_DOMAIN: &str = "obo-gateway/redis-record/1";
const REVOCATION_DOMAIN: &str = "obo-gateway/redis-revocation/1";

/// The length of the unsealed prefix: the version in hexadecimal and the expiry in decimal, sixteen digits each.
const HEAD: usize = 32;
/// The greatest number that the server's scripts compare exactly.
const MOST: i64 = 9_007_199_254_740_992;

/// Returns the name of the record on the server.
pub(super) fn name_of(key: &RecordKey) -> String {
    let mut name = String::with_capacity(RECORDS.len() + 64);
    name.push_str(RECORDS);
    for byte in key.as_bytes() {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

/// Formats a version so that scripts can compare it.
pub(super) fn version(version: u64) -> String {
    format!("{version:016x}")
}

/// Formats a time so that scripts can compare it.
pub(super) fn seconds(time: UnixTime) -> String {
    format!("{:016}", time.as_secs().clamp(0, MOST))
}

/// Encodes a record: the values that scripts need unsealed, then all of it sealed and bound to its name.
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

/// Decodes the record with this `name`, and its expiry. Returns `None` for data that was not sealed with these keys.
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

/// Set in the tag of an entry that contains its maker. Earlier releases did not set it.
const SIGNED: u8 = 0x80;
const LIFTED: u8 = 0x40;
const ALWAYS: u8 = 1;
const BY_CLIENT: u8 = 2;

/// Encodes an entry of the stream: key, time, expiry, tag and note.
pub(super) fn sealed_change(keys: &SealingKeys, change: &Change) -> Result<Vec<u8>, StoreError> {
    let (key, at, until, tag, by, about) = match change {
        Change::Revoked(revocation) => {
            let tag = match revocation.reach {
                Reach::Earlier => SIGNED,
                Reach::Always => SIGNED | ALWAYS,
            };
            let about = revocation.about_bytes();
            (
                revocation.key,
                revocation.at,
                revocation.until,
                tag,
                revocation.by,
                about,
            )
        }
        // a lift is kept as long as the revocation that it lifts
        Change::Lifted(Lift { key, by, at }) => (*key, *at, *at, SIGNED | LIFTED, *by, &[][..]),
    };
    let by = match by {
        RevokedBy::Operator => 0,
        RevokedBy::Client => BY_CLIENT,
    };
    let mut plain = Vec::with_capacity(33 + about.len());
    plain.extend_from_slice(key.as_bytes());
    plain.extend_from_slice(&at.as_secs().to_be_bytes());
    plain.extend_from_slice(&until.as_secs().to_be_bytes());
    plain.push(tag | by);
    plain.extend_from_slice(about);
    keys.seal(REVOCATION_DOMAIN, STREAM.as_bytes(), &plain)
        .map_err(|_| StoreError::Preparation)
}

/// Decodes an entry that was sealed with one of these keys.
pub(super) fn opened_change(keys: &SealingKeys, bytes: &[u8]) -> Option<Change> {
    let plain = keys.open(REVOCATION_DOMAIN, STREAM.as_bytes(), bytes)?;
    let (key, rest) = plain.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (until, rest) = rest.split_first_chunk()?;
    let (&tag, about) = rest.split_first()?;
    if tag & SIGNED == 0 && !about.is_empty() {
        return None;
    }
    let key = RevocationKey::from_bytes(*key);
    let at = UnixTime::from_secs(i64::from_be_bytes(*at));
    let by = match tag & BY_CLIENT {
        0 => RevokedBy::Operator,
        _ => RevokedBy::Client,
    };
    let reach = match tag & !(SIGNED | BY_CLIENT) {
        0 => Reach::Earlier,
        ALWAYS => Reach::Always,
        LIFTED => return Some(Change::Lifted(Lift { key, by, at })),
        _ => return None,
    };
    let about = str::from_utf8(about).ok()?;
    Some(Change::Revoked(Revocation {
        key,
        at,
        until: UnixTime::from_secs(i64::from_be_bytes(*until)),
        reach,
        by,
        about: (!about.is_empty()).then(|| about.into()),
    }))
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
        let noted = revocation.clone().by_operator(Some("portal".into()));
        let [by, at] =
            [RevokedBy::Client, RevokedBy::Operator].map(|by| (by, UnixTime::from_secs(3)));
        for change in [
            Change::Revoked(revocation),
            Change::Revoked(noted),
            Change::Lifted(Lift {
                key,
                by: by.0,
                at: by.1,
            }),
            Change::Lifted(Lift {
                key,
                by: at.0,
                at: at.1,
            }),
        ] {
            let bytes = sealed_change(&keys, &change).unwrap();
            assert!(!bytes.windows(16).any(|part| part == key.as_bytes()));
            assert!(!bytes.windows(6).any(|part| part == b"portal"));
            assert_eq!(opened_change(&keys, &bytes), Some(change));
        }
    }

    #[test]
    fn what_an_earlier_release_wrote_is_an_operators() {
        let keys = keys();
        let plain = [
            &[7; 16][..],
            &1_i64.to_be_bytes(),
            &2_i64.to_be_bytes(),
            &[1],
        ]
        .concat();
        let bytes = keys
            .seal(REVOCATION_DOMAIN, STREAM.as_bytes(), &plain)
            .unwrap();
        let key = RevocationKey::from_bytes([7; 16]);
        let read = Revocation::of_all(key, UnixTime::from_secs(1), UnixTime::from_secs(2));
        assert_eq!(
            opened_change(&keys, &bytes),
            Some(Change::Revoked(read.by_operator(None)))
        );
    }
}
