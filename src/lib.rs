//! obo-gateway: a reverse proxy that never lets an untrusted API see a user's token.

pub mod admin;
pub mod clock;
pub mod config;
pub mod proxy;
pub mod settings;
pub mod telemetry;
pub mod token;
