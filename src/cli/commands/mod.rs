//! One file per command: its flags, with their help, and what it prints.

pub mod abort;
pub mod apply;
pub mod completions;
pub mod convert;
pub mod crds;
pub mod delete;
mod files;
pub mod history;
pub mod job;
pub mod man;
pub mod pause;
pub mod plan;
pub mod promote;
pub mod prune;
pub mod rbac;
pub mod rehearse;
pub mod resume;
pub mod scale;
pub mod status;
pub mod undo;
