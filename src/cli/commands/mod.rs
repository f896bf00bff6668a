//! One file per command: its flags, with their help, and what it prints.

pub mod abort;
pub mod apply;
pub mod completions;
pub mod component;
pub mod crds;
pub mod delete;
pub mod driving;
mod files;
pub mod follow;
pub mod forecast;
pub mod gather;
pub mod history;
pub mod job;
pub mod leftover;
pub mod man;
pub mod pause;
pub mod plan;
pub mod promote;
pub mod rbac;
pub mod rehearse;
pub mod resume;
pub mod scale;
pub mod status;
pub mod undo;
pub mod until;
