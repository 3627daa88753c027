//! Scope maps, operations, roles, client limits, chains and forms of subjects: which tokens are issued, and what is refused.

#[path = "rules/case.rs"]
mod case;
#[path = "rules/laws.rs"]
mod laws;
#[path = "rules/model.rs"]
mod model;
#[path = "rules/names.rs"]
mod names;
