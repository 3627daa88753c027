//! What a browser's application meets, and what a route lets cross beyond the usual.

mod chromium;
mod cors;
mod events;
mod resource;
mod terms;
mod websocket;
