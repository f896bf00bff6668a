//! Reports: events and tables for people and for programs.
//!
//! Everything here writes to a writer; nothing accesses the process's streams.

pub mod bars;
pub mod canvas;
pub mod ci_sections;
pub mod diff;
pub mod event;
pub mod format;
pub mod github;
pub mod history;
pub mod json;
pub mod lines;
pub mod message;
pub mod paint;
pub mod plan;
#[cfg(test)]
#[path = "../../tests/support/events.rs"]
pub(crate) mod samples;
pub mod status;
pub mod structured;
pub mod table;
pub mod terminal;
pub mod text;

#[cfg(test)]
use crate::plan::{
    action::Side,
    gate_place::Phase,
    run::{Mode, Purpose},
};
