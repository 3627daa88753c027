//! Browser applications, and what a route can forward in addition to the defaults.

mod chromium;
mod cors;
mod events;
mod resource;
mod terms;
mod websocket;
