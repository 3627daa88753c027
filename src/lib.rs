//! obo-gateway: a reverse proxy that never lets an untrusted API see a user's token.
//!
//! It takes the bearer token of each request, proves it genuine, exchanges it for an on-behalf-of token that names one
//! audience, the fewest scopes and a short life, and forwards the request with that token alone. The exchange runs in an
//! embedded OAuth 2.0 Token Exchange engine (RFC 8693); results are remembered, routes are YAML, Prometheus watches it.
//!
//! ```text
//! client ─► edge ─► gate ─► route ─► source ─► verify ─► policy ─► exchange ─► cache ─► upstream
//! ```
//!
//! Read [`pipeline`] first: it shows this whole path on one screen. Each stage takes the proof of the one before and
//! gives its own; the modules stand in the order of the request and import only from those before them.
//!
//! # Guarantees, and the test that holds each
//!
//! | guarantee | test |
//! |---|---|
//! | A downstream never sees the user's token, in whatever header, encoding or place. | `tests/e2e/canary.rs` |
//! | Nothing is forwarded without a fresh on-behalf-of token, whichever part fails. | `tests/e2e/fail_closed.rs` |
//! | An issued token is never wider than its subject and its route allow. | `tests/properties.rs` |
//! | A proof cannot be made outside the module that makes the check. | `tests/compile_fail.rs`, `tests/architecture.rs` |
//! | A refusal reads the same for every reason why a token is not acceptable. | `error::table` (unit tests) |
//! | One exchange serves any number of simultaneous first uses. | `tests/load.rs` |
//! | What is revoked is refused from then on, also where it is remembered. | `tests/e2e/revocation.rs` |
//! | A removed key is refused within `max_age`, cached exchanges included. | `verify::key_store` (unit tests) |
//! | No request is lost when another configuration is served, and none meets parts of two. | `tests/e2e/reload.rs`, `tests/ops/reloads.sh` |
//! | No request that was received is lost when the gateway is told to end. | `tests/load.rs`, `tests/edge.rs` |
//! | A body of any size passes as it comes, in memory that does not grow with it. | `tests/streaming.rs` |
//! | No token reaches a log, a metric or a message, at any level. | `tests/e2e/canary.rs` |

pub mod admin;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod egress;
pub mod error;
pub mod exchange;
pub mod gate;
pub mod jose;
pub mod pipeline;
pub mod policy;
pub mod proxy;
pub mod route;
pub mod settings;
pub mod source;
pub mod store;
pub mod sts;
pub mod telemetry;
pub mod token;
pub mod verify;
