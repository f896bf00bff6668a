//! The operations of `rollout`, one file each, as functions that a program can call.
//!
//! An operation takes a [`Context`] (the session with the API server, the identity, the reporter, the limits) and a
//! request. It does not depend on the command line: no flags, streams, environment or exit codes. [`apply`](mod@apply)
//! contains the pipeline that drives every run; `abort`, `scale` and `undo` only create requests for it.
//!
//! A failure has a [`FailureKind`]. That of *the server's last error* is [`FailureKind::Refused`] if a right is
//! missing, [`FailureKind::Denied`] if the API server rejects a write, [`FailureKind::Interrupted`] if the user stopped
//! the command, and otherwise [`FailureKind::Cluster`].

pub mod abort;
pub mod apply;
pub mod component;
pub mod convert;
pub mod delete;
pub mod fleet;
pub mod history;
pub mod job;
pub mod manifest;
pub mod pause;
pub mod plan;
pub mod promote;
pub mod prune;
pub mod rbac;
pub mod rehearse;
pub mod resume;
pub mod scale;
pub mod status;
pub mod status_watch;
pub mod undo;
pub mod wait_for;

pub use crate::cluster::pods::LOG_LINES;
pub use crate::driver::context::{Context, FailFast, GateTrust, Limits, OnFailure};
pub use crate::driver::control::{Control, Stopper, control};
pub use crate::driver::outcome::{ApplicationOutcome, ComponentOutcome, Failure, FailureKind};
pub use crate::driver::request::{Adoption, Overrides, RolloutRequest};
