//! The token endpoint: for every request, a client gets no more than the tokens contain and the client may have.

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
