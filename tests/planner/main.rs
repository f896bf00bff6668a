//! The planner on its own: the rows of the specification, and what holds for any history.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod histories;
mod in_place;
mod in_place_model;
mod model;
