//! One deadline for the whole head of an upstream's response.
//!
//! pingora's read timeout begins anew with every read, so that an upstream which sends its head byte by byte is waited for
//! without end. Each wait stands in a list of its thread instead, which a task looks through as long as there is any; the
//! connection of one that has lasted too long is shut down, and its request ends as one whose upstream went away.

use nix::sys::socket::{Shutdown, shutdown};
use std::{cell::RefCell, os::fd::RawFd, time::Duration};
use tokio::time::{Instant, sleep};

/// A wait for the head of a response; it is over when this is dropped, which must not be later than the connection.
#[derive(Debug)]
pub(super) struct HeadDeadline {
    place: usize,
}

/// The waits of one thread. All that touches them runs on that thread.
#[derive(Debug)]
struct Waits {
    all: Vec<Option<Wait>>,
    free: Vec<usize>,
    is_watched: bool,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    socket: RawFd,
    within: Duration,
    until: Instant,
    has_come: bool,
}

thread_local! {
    static WAITS: RefCell<Waits> = const {
        RefCell::new(Waits {
            all: Vec::new(),
            free: Vec::new(),
            is_watched: false,
        })
    };
}

/// How often the waits are looked through: a deadline is this late at most.
const EVERY: Duration = Duration::from_millis(50);

impl HeadDeadline {
    /// Begins to wait for a head on `socket`. The connection is shut down if it has not come `within` this time.
    pub(super) fn begin(socket: RawFd, within: Duration) -> Self {
        let wait = Wait {
            socket,
            within,
            until: Instant::now() + within,
            has_come: false,
        };
        WAITS.with_borrow_mut(|waits| {
            if !waits.is_watched {
                waits.is_watched = true;
                tokio::spawn(watch());
            }
            let place = match waits.free.pop() {
                Some(place) => place,
                None => {
                    waits.all.push(None);
                    waits.all.len() - 1
                }
            };
            if let Some(slot) = waits.all.get_mut(place) {
                *slot = Some(wait);
            }
            Self { place }
        })
    }

    /// Begins anew: only now the upstream has what it answers.
    pub(super) fn begin_again(&self) {
        WAITS.with_borrow_mut(|waits| {
            if let Some(Some(wait)) = waits.all.get_mut(self.place) {
                wait.until = Instant::now() + wait.within;
            }
        });
    }

    /// Whether the time was over, and the connection was shut down.
    pub(super) fn has_come(&self) -> bool {
        WAITS.with_borrow(|waits| {
            let wait = waits.all.get(self.place).copied().flatten();
            wait.is_some_and(|wait| wait.has_come)
        })
    }
}

impl Drop for HeadDeadline {
    fn drop(&mut self) {
        // a thread that ends has no waits any more
        let _ = WAITS.try_with(|waits| {
            let mut waits = waits.borrow_mut();
            if let Some(slot) = waits.all.get_mut(self.place) {
                *slot = None;
                waits.free.push(self.place);
            }
        });
    }
}

/// Looks through the waits of this thread until there are none.
async fn watch() {
    loop {
        sleep(EVERY).await;
        let now = Instant::now();
        let over = WAITS.with_borrow_mut(|waits| {
            let mut open = 0_usize;
            for wait in waits.all.iter_mut().flatten() {
                open += 1;
                if wait.until <= now && !wait.has_come {
                    wait.has_come = true;
                    // the peer may have closed it already, which is as good
                    let _ = shutdown(wait.socket, Shutdown::Both);
                }
            }
            if open == 0 {
                waits.is_watched = false;
                // what a burst of requests left behind
                waits.all.clear();
                waits.free.clear();
            }
            open == 0
        });
        if over {
            return;
        }
    }
}
