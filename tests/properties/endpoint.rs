//! The token endpoint: whatever a client asks for, with whatever tokens, it gets no more than they hold and it may have.

#[path = "endpoint/cells.rs"]
mod cells;
#[path = "endpoint/world.rs"]
mod world;
