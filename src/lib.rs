//! obo-gateway: a reverse proxy that never lets an untrusted API see a user's token.

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
pub mod sts;
pub mod telemetry;
pub mod token;
pub mod verify;
