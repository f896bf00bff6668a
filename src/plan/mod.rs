//! What to do next, decided from what is observed and what is desired. Pure and total.
//!
//! Nothing here knows a client, a clock, the environment or the terminal. [`step::plan`] is the only
//! place that decides; everything else performs or tells.

pub mod batch;
pub mod desired;
pub mod in_place;
pub mod observed;
pub mod preview;
pub mod readiness;
pub mod record;
pub mod rollback;
pub mod sides;
pub mod standing;
pub mod states;
pub mod step;
pub mod walk;
