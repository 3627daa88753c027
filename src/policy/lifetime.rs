//! The limits of configurable lifetimes.

use std::time::Duration;

/// The shortest lifetime with which a token is usable.
pub(super) const SHORTEST_LIFETIME: Duration = Duration::from_secs(2);
