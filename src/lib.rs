//! obo-gateway: a reverse proxy that never sends a user's token to an untrusted API.
//!
//! The gateway takes the bearer token of each request, verifies it, and exchanges it for an on-behalf-of token with one
//! audience, minimal scopes and a short lifetime. It forwards the request with that token only. An embedded OAuth 2.0 Token
//! Exchange engine (RFC 8693) performs the exchange, and a cache keeps the results. Routes are configured in YAML, and
//! metrics are served for Prometheus.
//!
//! ```text
//! client ─► edge ─► gate ─► route ─► source ─► verify ─► policy ─► exchange ─► cache ─► upstream
//! ```
//!
//! Read [`pipeline`] first: it shows this whole path on one screen. Each stage consumes the proof type of the previous stage
//! and returns its own. Modules form layers, and a module imports only from the layers below it
//! (`tests/architecture/layers.rs`).
//!
//! # Guarantees and their tests
//!
//! | guarantee | test |
//! |---|---|
//! | An upstream never receives the user's token, in any header field, encoding or part of the request. | `tests/e2e/canary.rs` |
//! | Without a valid on-behalf-of token nothing is forwarded, whichever component fails. | `tests/e2e/fail_closed.rs` |
//! | An issued token never grants more than its subject token and its route allow. | `tests/properties/attenuation.rs`, `tests/properties/accept.rs` |
//! | The token that an identity provider returns is used only within what was permitted, and a failed exchange forwards nothing. | `tests/exchangers.rs`, `tests/e2e/exchangers.rs` |
//! | A proof type can be constructed only in the module that makes the check. | `tests/compile_fail.rs`, `tests/architecture/proofs.rs` |
//! | The client sees the same error for every reason why a token is not acceptable. | `error::table` (unit tests) |
//! | Any number of simultaneous first uses of a token cause one exchange. | `tests/load/single_flight.rs` |
//! | A revoked token is refused immediately, even if its exchange is cached. | `tests/e2e/revocation.rs` |
//! | A removed key is refused within `max_age`, including for cached exchanges. | `verify::key_store` (unit tests) |
//! | A reload loses no request, and no request sees parts of two configurations. | `tests/e2e/reload.rs`, `tests/ops/reloads.sh` |
//! | A shutdown loses no request that was received. | `tests/load/shutdown.rs`, `tests/edge/drain.rs` |
//! | A flood of valid tokens does not exceed the configured cache size. | `tests/load/memory.rs` |
//! | A body of any size is streamed, with memory that does not grow with its size. | `tests/streaming.rs` |
//! | No token appears in a log, a metric or an error message, at any log level. | `tests/e2e/canary.rs` |

pub mod admin;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod edge;
pub mod egress;
pub mod error;
pub mod error_class;
pub mod exchange;
pub mod gate;
pub mod jose;
pub mod own_token;
pub mod pipeline;
pub mod policy;
pub mod proxy;
pub mod rate_limit;
pub mod route;
pub mod settings;
pub mod source;
pub mod store;
pub mod sts;
pub mod telemetry;
pub mod token;
pub mod verify;
