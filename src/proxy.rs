//! The only module that names pingora: sockets and connections (`edge`).
pub mod edge;
