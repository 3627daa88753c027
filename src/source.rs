//! The extraction of the token that a request presents (RFC 6750 §2.1, RFC 9110 §11.6.2).
//!
//! A [`Source`] finds the only [`Credential`] of a request head, and [`Bearer::present`] makes a
//! [`PresentedToken`] of it. A request without exactly one token gets a [`SourceError`]. A presented token is not
//! verified and cannot be forwarded: no function turns it back into a header field.

mod authorization;
mod error;
mod location;
mod needle;
mod token;

pub use error::SourceError;
pub use location::{Credential, Scheme, Source};
pub use needle::{TokenNeedle, needles};
pub use token::{Bearer, PresentedToken, form_token};

#[cfg(test)]
mod tests;
