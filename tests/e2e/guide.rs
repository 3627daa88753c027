//! ZITADEL's guide to impersonation and delegation by token exchange, example by example: the same requests, the same
//! answers. Where this gateway answers otherwise on purpose, `deviations` says so.

mod described;
mod deviations;
mod impersonation;
mod matrix;
mod operator;
mod refresh;
mod rig;
mod simple;
