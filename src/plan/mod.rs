//! Decides what to do next, from the observed and the desired state. Pure and total.
//!
//! Nothing here knows a client, a clock, the environment or the terminal. [`step::plan`] and
//! [`objects::next_object_action`] decide each step, [`gate_point::due_point`] the gates before it; other layers
//! perform and report it. The batch loop is [`next_action::next_action`], with one implementation for workloads of one
//! revision each, `per_revision`, and one for workloads that serve all revisions, [`in_place`].

pub mod action;
pub mod batch;
pub mod desired;
pub mod epoch;
pub mod gate_place;
pub mod gate_point;
pub mod in_place;
pub mod metric;
pub mod next_action;
pub mod object_readiness;
pub mod objects;
pub mod observed;
pub mod phrase;
pub mod preview;
pub mod readiness;
pub mod record;
pub mod replica_split;
pub mod rollback;
pub mod run;
pub mod run_status;
pub mod states;
pub mod step;
pub mod window;

mod per_revision;
