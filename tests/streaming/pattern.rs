//! A body of any length that is generated and checked piece by piece, so that neither end stores it.

use std::sync::LazyLock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::streaming::support::PATIENCE;

/// The longest piece.
pub const PIECE: usize = 64 << 10;
/// A prime, so that a lost, repeated or moved piece does not match at its offset.
const PERIOD: usize = 1_048_573;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise = std::iter::repeat_with(|| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    });
    let mut bytes: Vec<u8> = noise.take(PERIOD).collect();
    bytes.extend_from_within(..PIECE);
    bytes
});

/// Returns the piece of a body of `size` bytes that begins at `offset`, at most `most` bytes.
pub fn piece(size: u64, offset: u64, most: usize) -> &'static [u8] {
    let left = usize::try_from(size - offset).unwrap_or(usize::MAX);
    let start = (offset % PERIOD as u64) as usize;
    &BYTES[start..][..left.min(most).min(PIECE)]
}

/// Returns `true` if `bytes` are those at `offset`.
pub fn is_at(offset: u64, bytes: &[u8]) -> bool {
    let mut at = offset;
    bytes.chunks(PIECE).all(|part| {
        let same = part == piece(u64::MAX, at, part.len());
        at += part.len() as u64;
        same
    })
}

/// Writes a body of `size` bytes; each piece has a deadline.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, size: u64) {
    let mut offset = 0;
    while offset < size {
        let piece = piece(size, offset, PIECE);
        timeout(PATIENCE, to.write_all(piece))
            .await
            .unwrap_or_else(|_| panic!("the reader stopped at byte {offset}"))
            .unwrap_or_else(|error| panic!("{error} at byte {offset}"));
        offset += piece.len() as u64;
    }
}

/// Reads a body of `size` bytes and compares it with the pattern; each piece has a deadline.
pub async fn read<R: AsyncRead + Unpin>(from: &mut R, size: u64) {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < size {
        let room = (size - offset).min(PIECE as u64) as usize;
        let read = timeout(PATIENCE, from.read(&mut buffer[..room]))
            .await
            .unwrap_or_else(|_| panic!("the writer stopped at byte {offset}"))
            .unwrap_or_else(|error| panic!("{error} at byte {offset}"));
        assert_ne!(read, 0, "the body ends at byte {offset}");
        assert!(is_at(offset, &buffer[..read]), "another byte near {offset}");
        offset += read as u64;
    }
}

/// Reads a head, and none of the bytes after it.
pub async fn head<R: AsyncRead + Unpin>(from: &mut R) -> String {
    let reading = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(from.read_u8().await.expect("the head ends early"));
        }
        String::from_utf8(head).unwrap()
    };
    timeout(PATIENCE, reading).await.expect("no head")
}
