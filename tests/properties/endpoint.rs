//! The token endpoint: whatever a client asks for, with whatever tokens, it gets no more than they hold and it may have.

#[path = "endpoint/case.rs"]
mod case;
#[path = "endpoint/cells.rs"]
mod cells;
#[path = "endpoint/laws.rs"]
mod laws;
#[path = "endpoint/model.rs"]
mod model;
#[path = "endpoint/world.rs"]
mod world;
