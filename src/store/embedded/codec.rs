//! The encoding of records and revocations in the file. Each has a checksum over its key and its contents.

use crate::{
    clock::UnixTime,
    jose::FieldDigest,
    store::{Reach, RecordKey, Revocation, RevocationKey, RevokedBy},
};
use std::sync::Arc;

/// A record as it is stored.
pub(super) struct Kept {
    pub(super) version: u64,
    pub(super) until: UnixTime,
    pub(super) value: Vec<u8>,
}

/// The contents of the file are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// The length of an entry in the order of expiry: expiry time, kind and key.
pub(super) const END: usize = 8 + 1 + 32;

/// The kind of an entry that expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpiringKey {
    Record([u8; 32]),
    Revocation([u8; 16]),
}

/// The length of a checksum, in bytes.
const DIGEST: usize = 8;

impl Kept {
    /// Encodes the version and the expiry in eight bytes each, then the value and the checksum.
    pub(super) fn encode(&self, key: &RecordKey) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.value.len() + DIGEST);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.until.as_secs().to_be_bytes());
        bytes.extend_from_slice(&self.value);
        sealed(key.as_bytes(), bytes)
    }

    pub(super) fn decode(key: &[u8], bytes: &[u8]) -> Result<Self, Damaged> {
        let bytes = unsealed(key, bytes)?;
        let (version, bytes) = bytes.split_first_chunk().ok_or(Damaged)?;
        let (until, value) = bytes.split_first_chunk().ok_or(Damaged)?;
        Ok(Self {
            version: u64::from_be_bytes(*version),
            until: UnixTime::from_secs(i64::from_be_bytes(*until)),
            value: value.to_vec(),
        })
    }
}

/// Set in the tag of a revocation that contains its maker and a note. Earlier releases stored neither.
const NOTED: u8 = 0x80;
const ALWAYS: u8 = 1;
const BY_CLIENT: u8 = 2;

/// Encodes the revocations of one key, at most one of each maker: time and expiry in eight bytes each, the tag, the
/// length of the note in two bytes, and the note. A checksum follows.
pub(super) fn encode(key: &[u8; 16], revocations: &[Revocation]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for revocation in revocations {
        bytes.extend_from_slice(&revocation.at.as_secs().to_be_bytes());
        bytes.extend_from_slice(&revocation.until.as_secs().to_be_bytes());
        let reach = match revocation.reach {
            Reach::Earlier => 0,
            Reach::Always => ALWAYS,
        };
        let by = match revocation.by {
            RevokedBy::Operator => 0,
            RevokedBy::Client => BY_CLIENT,
        };
        bytes.push(NOTED | reach | by);
        let about = revocation.about_bytes();
        let length = u16::try_from(about.len()).unwrap_or_default();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(about.get(..usize::from(length)).unwrap_or_default());
    }
    sealed(key, bytes)
}

pub(super) fn decode(key: [u8; 16], bytes: &[u8]) -> Result<Vec<Revocation>, Damaged> {
    let mut bytes = unsealed(&key, bytes)?;
    let mut revocations = Vec::with_capacity(1);
    while !bytes.is_empty() {
        let (at, rest) = bytes.split_first_chunk().ok_or(Damaged)?;
        let (until, rest) = rest.split_first_chunk().ok_or(Damaged)?;
        let (&tag, rest) = rest.split_first().ok_or(Damaged)?;
        let (about, rest) = match tag & NOTED {
            // written by an earlier release, without maker and note
            0 if rest.is_empty() && tag <= ALWAYS => (None, rest),
            0 => return Err(Damaged),
            _ => note(rest)?,
        };
        let (reach, by) = match tag & !NOTED {
            0 => (Reach::Earlier, RevokedBy::Operator),
            ALWAYS => (Reach::Always, RevokedBy::Operator),
            BY_CLIENT => (Reach::Earlier, RevokedBy::Client),
            3 => (Reach::Always, RevokedBy::Client),
            _ => return Err(Damaged),
        };
        revocations.push(Revocation {
            key: RevocationKey::from_bytes(key),
            at: UnixTime::from_secs(i64::from_be_bytes(*at)),
            until: UnixTime::from_secs(i64::from_be_bytes(*until)),
            reach,
            by,
            about,
        });
        bytes = rest;
    }
    if revocations.is_empty() {
        return Err(Damaged);
    }
    Ok(revocations)
}

fn note(bytes: &[u8]) -> Result<(Option<Arc<str>>, &[u8]), Damaged> {
    let (length, rest) = bytes.split_first_chunk().ok_or(Damaged)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (about, rest) = rest.split_at_checked(length).ok_or(Damaged)?;
    let about = str::from_utf8(about).map_err(|_| Damaged)?;
    Ok(((!about.is_empty()).then(|| about.into()), rest))
}

impl ExpiringKey {
    /// Returns the position in the order of expiry.
    pub(super) fn at(self, until: UnixTime) -> [u8; END] {
        let (kind, key): (u8, &[u8]) = match &self {
            Self::Record(key) => (0, key),
            Self::Revocation(key) => (1, key),
        };
        let bytes = ordered(until);
        let bytes = bytes.iter().chain([&kind]).chain(key);
        let mut place = [0; END];
        place
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        place
    }

    /// Returns the entry at a position.
    pub(super) fn of(place: &[u8; END]) -> Result<Self, Damaged> {
        let (_, rest) = place.split_first_chunk::<8>().ok_or(Damaged)?;
        let (kind, key) = rest.split_first_chunk::<1>().ok_or(Damaged)?;
        match kind {
            [0] => Ok(Self::Record(*key.first_chunk().ok_or(Damaged)?)),
            [1] => Ok(Self::Revocation(*key.first_chunk().ok_or(Damaged)?)),
            _ => Err(Damaged),
        }
    }
}

/// Returns the first position of entries that expire after `now`.
pub(super) fn first_after(now: UnixTime) -> [u8; END] {
    ExpiringKey::Record([0; 32]).at(now.plus(std::time::Duration::from_secs(1)))
}

/// Encodes a time as bytes with the same order.
fn ordered(time: UnixTime) -> [u8; 8] {
    (time.as_secs().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn sealed(key: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = digest(key, &bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

fn unsealed<'a>(key: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], Damaged> {
    let (bytes, found) = bytes.split_last_chunk::<DIGEST>().ok_or(Damaged)?;
    if digest(key, bytes) == *found {
        Ok(bytes)
    } else {
        Err(Damaged)
    }
}

fn digest(key: &[u8], bytes: &[u8]) -> [u8; DIGEST] {
    let digest = FieldDigest::new("obo-gateway/embedded-store/1");
    let mut first = [0; DIGEST];
    first
        .iter_mut()
        .zip(digest.field(key).field(bytes).finish())
        .for_each(|(to, from)| *to = from);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_stands_under_another_key_is_damaged() {
        let (key, other) = (RecordKey::new("a", b"1"), RecordKey::new("a", b"2"));
        let kept = Kept {
            version: 7,
            until: UnixTime::from_secs(9),
            value: b"value".to_vec(),
        };
        let bytes = kept.encode(&key);
        assert!(Kept::decode(key.as_bytes(), &bytes).is_ok_and(|kept| kept.value == b"value"));
        assert!(Kept::decode(other.as_bytes(), &bytes).is_err());
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(Kept::decode(key.as_bytes(), &bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn revocations_of_both_sides_and_their_notes_come_back_as_they_were() {
        let key = RevocationKey::client("portal");
        let at = UnixTime::from_secs;
        let client = Revocation::of_all(key, at(1), at(2));
        let about: Option<Arc<str>> = Some("{\"kind\":\"client\"}".into());
        let operator = Revocation::of_earlier(key, at(3), at(4)).by_operator(about);
        for kept in [
            vec![client.clone()],
            vec![operator.clone()],
            vec![operator.clone(), client.clone()],
            vec![client, operator],
        ] {
            let bytes = encode(key.as_bytes(), &kept);
            assert_eq!(decode(*key.as_bytes(), &bytes), Ok(kept));
            for cut in 0..bytes.len() {
                assert!(decode(*key.as_bytes(), &bytes[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn what_an_earlier_release_wrote_is_an_operators() {
        let key = RevocationKey::client("portal");
        for (tag, reach) in [(0, Reach::Earlier), (1, Reach::Always)] {
            let plain = [&7_i64.to_be_bytes()[..], &9_i64.to_be_bytes(), &[tag]].concat();
            let read = decode(*key.as_bytes(), &sealed(key.as_bytes(), plain)).unwrap();
            let [read] = read.as_slice() else {
                panic!("{read:?}")
            };
            assert_eq!((read.reach, read.by), (reach, RevokedBy::Operator));
            assert_eq!((read.at.as_secs(), read.until.as_secs()), (7, 9));
        }
        for tag in [2, 3, 4, 0x84, 0xff] {
            let plain = [&[0; 16][..], &[tag]].concat();
            assert!(decode(*key.as_bytes(), &sealed(key.as_bytes(), plain)).is_err());
        }
    }

    #[test]
    fn places_stand_in_the_order_of_time_also_before_1970() {
        let place = |at| ExpiringKey::Revocation([9; 16]).at(UnixTime::from_secs(at));
        assert!(place(-5) < place(0) && place(0) < place(1) && place(1) < place(i64::MAX));
        assert_eq!(
            ExpiringKey::of(&place(1)),
            Ok(ExpiringKey::Revocation([9; 16]))
        );
        let ended = first_after(UnixTime::from_secs(1));
        assert!(place(1) < ended && ended < place(2));
    }
}
