//! The process's streams, its terminal and its signals.

mod echo;
pub mod signals;
mod stream;
pub mod ui;
