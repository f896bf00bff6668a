//! Talks to the API server: observes, writes single steps, keeps the run record and the Lease. Decides no steps.
//!
//! Writes to existing objects are JSON Patches whose `test` operations name what the plan relied on; deletes carry
//! preconditions; creates are by name. A rejected write means *observe again*.

pub mod access_review;
pub mod autoscalers;
pub mod backoff;
pub mod batched_read;
pub mod change_signal;
pub mod classify;
pub mod clock;
pub mod constraints;
pub mod credentials;
pub mod deletion;
pub mod error;
pub mod events;
pub mod keys;
pub mod lease;
pub mod lookup;
pub mod managed_fields;
pub mod object_cache;
pub mod object_watch;
pub mod object_writer;
pub mod owned_objects;
pub mod ownership;
pub mod permissions;
pub mod pods;
pub mod process;
pub mod record_store;
pub mod record_watch;
pub mod response;
pub mod revision_store;
pub mod served_kind;
pub mod service;
pub mod session;
pub mod smoke_job;
pub mod status_mirror;
mod watch_body;
mod watch_loop;
pub mod workload;
pub mod workload_cache;
pub mod workload_watch;
pub mod workload_writer;
