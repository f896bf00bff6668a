//! The control loop: observe, plan, act or wait, report. The planner decides each step; this layer prepares, checks and
//! waits.
//!
//! A process can be killed at any point; rerunning the command recovers, without any other recovery code.

pub mod acquire;
pub mod application_run;
pub mod checks;
pub mod component_run;
pub mod component_services;
pub mod context;
pub mod control;
pub mod evidence;
mod field_conflict;
pub mod hooks;
pub mod inherited_metadata;
pub mod leftovers;
pub mod live_objects;
mod lost_revision;
pub mod namespace_watch;
pub mod object_owner;
mod other_application;
pub mod outcome;
pub mod planned_component;
pub mod prepare;
pub mod prepared_objects;
pub mod preview;
pub mod publish;
pub mod rejected;
pub mod request;
pub mod resolve;
pub mod rollback;
pub mod snapshot;
mod workflow;
pub mod workflow_place;
