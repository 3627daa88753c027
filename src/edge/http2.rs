//! Which versions of HTTP a listener offers.

/// Selects if clients are offered HTTP/2 in addition to HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// `h2` is preferred over `http/1.1`.
    Offered,
    /// Only `http/1.1`.
    Off,
}
