//! Telling: events and tables for people and for programs.
//!
//! Everything here writes to a writer that it was given; none of it knows the process's streams.

pub mod diff;
pub mod document;
pub mod event;
pub mod folds;
pub mod github;
pub mod history;
pub mod json;
pub mod lines;
pub mod plan;
pub mod status;
pub mod table;
pub mod terminal;
pub mod text;
pub mod wording;
