//! The configuration that is served now.
//!
//! What enters are the hooks of one configuration after another; what leaves are those that are current when a request's
//! head is whole. The request keeps them to its end, so that no request ever meets parts of two configurations.

use super::Hooks;
use arc_swap::ArcSwap;
use std::{fmt, sync::Arc};

/// Gives each request the hooks of the configuration that is current. Cloning shares what is current.
#[derive(Clone)]
pub struct Serving {
    pub(super) current: Arc<ArcSwap<Hooks>>,
}

impl Serving {
    /// Serves `hooks` until others are put in their place.
    pub fn new(hooks: Hooks) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(hooks)),
        }
    }

    /// The hooks that the next request gets.
    pub fn current(&self) -> Arc<Hooks> {
        self.current.load_full()
    }

    /// Has every request from now on meet `hooks`; those under way end with what they began with.
    pub fn replace(&self, hooks: Hooks) {
        self.current.store(Arc::new(hooks));
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}
