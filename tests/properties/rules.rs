//! Maps, operations, roles, ceilings, chains and names of subjects: what is issued, and what is refused.

#[path = "rules/case.rs"]
mod case;
#[path = "rules/laws.rs"]
mod laws;
#[path = "rules/model.rs"]
mod model;
#[path = "rules/names.rs"]
mod names;
