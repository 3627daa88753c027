//! Public keys that are known to be weak.

/// The points of small order on Ed25519 and their other encodings, without the sign bit.
///
/// With such a key, a signature "verifies" for messages that were never signed.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    with_ends(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    with_ends(0xec, 0xff, 0x7f),
    with_ends(0xed, 0xff, 0x7f),
    with_ends(0xee, 0xff, 0x7f),
];

#[allow(clippy::indexing_slicing)] // evaluated by the compiler, which would refuse a wrong index
const fn with_ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut point = [middle; 32];
    point[0] = first;
    point[31] = last;
    point
}

pub(super) fn is_small_order_ed25519(x: &[u8]) -> bool {
    let Ok(mut point) = <[u8; 32]>::try_from(x) else {
        return false;
    };
    if let Some(last) = point.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&point)
}

/// The primes that identify keys affected by CVE-2017-15361 ("ROCA"): modulo each of them, such a modulus is a power of
/// 65537. Only one in about 2²⁷ other moduli has that property for all of them.
const ROCA_PRIMES: [u32; 17] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
];

pub(super) fn is_roca(n: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let residue = n
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65_537 % prime));
        powers.take(*prime as usize).any(|power| power == residue)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_are_recognized_with_and_without_the_sign_bit() {
        for mut point in SMALL_ORDER {
            assert!(is_small_order_ed25519(&point));
            point[31] |= 0x80;
            assert!(is_small_order_ed25519(&point));
        }
        assert!(!is_small_order_ed25519(&[9; 32]));
        assert!(!is_small_order_ed25519(&[0; 31]));
    }

    #[test]
    fn a_power_of_65537_is_recognized_and_its_neighbour_is_not() {
        let modulus = 65_537_u128.pow(7);
        assert!(is_roca(&modulus.to_be_bytes()));
        assert!(!is_roca(&(modulus + 2).to_be_bytes()));
    }
}
