//! Provides the current configuration to requests.
//!
//! A request takes the hooks of the current configuration when its head is complete and keeps them until it ends, so no
//! request sees parts of two configurations.

use super::Hooks;
use crate::edge::lease::{Review, Reviewed};
use arc_swap::ArcSwap;
use std::{fmt, sync::Arc};

/// Provides the hooks of the current configuration. Clones share it.
#[derive(Clone)]
pub struct Serving {
    pub(super) current: Arc<ArcSwap<Hooks>>,
}

impl Serving {
    /// Serves `hooks` until they are replaced.
    pub fn new(hooks: Hooks) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(hooks)),
        }
    }

    /// Returns the hooks that the next request gets.
    pub fn current(&self) -> Arc<Hooks> {
        self.current.load_full()
    }

    /// Uses `hooks` for all requests from now on. Requests in progress keep the hooks that they began with.
    pub fn replace(&self, hooks: Hooks) {
        self.current.store(Arc::new(hooks));
    }
}

impl Review for Serving {
    fn current(&self) -> Reviewed {
        let hooks = Self::current(self);
        Reviewed {
            clock: Arc::clone(&hooks.clock),
            revocations: hooks.pipeline.revocations.clone(),
        }
    }

    fn to_owned(&self) -> Box<dyn Review> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}
