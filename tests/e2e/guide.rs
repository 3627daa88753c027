//! ZITADEL's guide to impersonation and delegation by token exchange, example by example: the same requests get the same
//! responses. `deviations` contains the intended differences.

mod described;
mod deviations;
mod impersonation;
mod matrix;
mod operator;
mod refresh;
mod rig;
mod simple;
