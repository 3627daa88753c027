//! Request ids and span ids: unique and cheap. They are not secret.
//!
//! One random seed is drawn at start. Each thread makes ids from its own prefix and counter, so that a request costs no
//! system call, no lock and no shared cache line. Two processes have different seeds.

use super::json;
use crate::clock::{NoRandomness, Randomness};
use std::{
    cell::RefCell,
    fmt,
    hint::cold_path,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// A request id of 128 bits, as 32 lower-case hexadecimal digits. It is `request_id` in logs, and `X-Request-Id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

/// A span id of 64 bits, as 16 lower-case hexadecimal digits, never all zero (W3C Trace Context §3.2.2.4, `parent-id`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 16]);

/// Makes the ids of one process. Clones share the seed.
#[derive(Clone)]
pub struct IdSource(Arc<Seed>);

struct Seed {
    prefix: u64,
    spans: u64,
    threads: AtomicU64,
}

struct PerThread {
    seed: Weak<Seed>,
    prefix: [u8; 16],
    requests: u64,
    spans: u64,
}

thread_local! {
    static PER_THREAD: RefCell<PerThread> = const {
        RefCell::new(PerThread { seed: Weak::new(), prefix: [b'0'; 16], requests: 0, spans: 0 })
    };
}

impl IdSource {
    /// Draws the seed.
    ///
    /// # Errors
    /// [`NoRandomness`] if the system has none available.
    pub fn new(randomness: &dyn Randomness) -> Result<Self, NoRandomness> {
        let (mut prefix, mut spans) = ([0; 8], [0; 8]);
        randomness.fill(&mut prefix)?;
        randomness.fill(&mut spans)?;
        Ok(Self(Arc::new(Seed {
            prefix: u64::from_be_bytes(prefix),
            spans: u64::from_be_bytes(spans),
            threads: AtomicU64::new(0),
        })))
    }

    /// Returns a new request id.
    pub fn request_id(&self) -> RequestId {
        self.with(|thread| {
            thread.requests = thread.requests.wrapping_add(1);
            let mut id = [0; 32];
            let (prefix, count) = id.split_at_mut(16);
            prefix.copy_from_slice(&thread.prefix);
            count.copy_from_slice(&json::hex(thread.requests));
            RequestId(id)
        })
    }

    /// Returns a new span id.
    pub fn span_id(&self) -> SpanId {
        self.with(|thread| {
            thread.spans = thread.spans.wrapping_add(1);
            SpanId(json::hex(scatter(thread.spans).max(1)))
        })
    }

    fn with<T>(&self, make: impl FnOnce(&mut PerThread) -> T) -> T {
        PER_THREAD.with_borrow_mut(|thread| {
            if !std::ptr::eq(thread.seed.as_ptr(), Arc::as_ptr(&self.0)) {
                cold_path();
                *thread = self.start_thread();
            }
            make(thread)
        })
    }

    fn start_thread(&self) -> PerThread {
        let number = self.0.threads.fetch_add(1, Ordering::Relaxed);
        PerThread {
            seed: Arc::downgrade(&self.0),
            prefix: json::hex(scatter(self.0.prefix.wrapping_add(number))),
            requests: 0,
            // Every thread counts in its own range of 2^40 values.
            spans: self.0.spans.wrapping_add(number << 40),
        }
    }
}

impl fmt::Debug for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdSource").finish_non_exhaustive()
    }
}

/// The finalizer of `SplitMix64`. It is a bijection, so that different counts stay different, but close counts look
/// unrelated.
const fn scatter(count: u64) -> u64 {
    let mut z = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

macro_rules! hex_text {
    ($name:ident) => {
        impl $name {
            /// The digits as text.
            pub fn as_str(&self) -> &str {
                json::ascii(&self.0)
            }

            pub(crate) const fn digits(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    };
}

hex_text!(RequestId);
hex_text!(SpanId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandomness;
    use std::collections::HashSet;

    #[test]
    fn ids_of_many_threads_and_sources_never_repeat() {
        let sources = [0, 1].map(|_| IdSource::new(&SystemRandomness).unwrap());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let sources = sources.clone();
                std::thread::spawn(move || {
                    (0..1_000)
                        .map(|n| {
                            let source = &sources[n % 7 % 2];
                            (source.request_id(), source.span_id())
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let (mut requests, mut spans) = (HashSet::new(), HashSet::new());
        for (request, span) in threads.into_iter().flat_map(|t| t.join().unwrap()) {
            assert!(requests.insert(request), "{request:?}");
            assert!(spans.insert(span), "{span:?}");
        }
    }

    #[test]
    fn an_id_is_lower_case_hexadecimal_of_its_full_length() {
        let source = IdSource::new(&SystemRandomness).unwrap();
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (request, span) = (source.request_id(), source.span_id());
        assert!(request.as_str().len() == 32 && hex(request.as_str()));
        assert!(span.as_str().len() == 16 && hex(span.as_str()));
    }
}
