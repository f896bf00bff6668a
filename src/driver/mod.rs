//! The loop: observe, plan, act or wait, report. It decides nothing about a rollout by itself.
//!
//! Killing the process anywhere and running it again is the recovery; there is no other.

pub mod acquire;
pub mod apply;
pub mod checks;
pub mod collisions;
pub mod component_run;
pub mod context;
pub mod control;
pub mod delete;
pub mod evidence;
pub mod exposing;
mod finalizers;
pub mod foresee;
pub mod inheriting;
pub mod inventory;
pub mod obstacles;
pub mod outcome;
pub mod pause;
pub mod prepare;
pub mod publish;
pub mod request;
pub mod resolve;
pub mod rollback;
pub mod run;
