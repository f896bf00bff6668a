//! The planner alone: a case for each rule, and properties of random histories.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod histories;
mod in_place;
mod in_place_model;
mod model;
mod remaining_pods;
mod tolerance;
