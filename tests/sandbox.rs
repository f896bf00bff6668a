//! The sandbox through a client: its responses, and its controllers as time passes.

#[cfg(test)]
#[path = "sandbox/clonesets.rs"]
mod clonesets;
#[cfg(test)]
#[path = "sandbox/controllers.rs"]
mod controllers;
#[cfg(test)]
#[path = "sandbox/definitions.rs"]
mod definitions;
#[cfg(test)]
#[path = "sandbox/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "sandbox/file.rs"]
mod file;
#[cfg(test)]
#[path = "sandbox/fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "sandbox/init_containers.rs"]
mod init_containers;
#[cfg(test)]
#[path = "sandbox/jobs.rs"]
mod jobs;
#[cfg(test)]
#[path = "sandbox/kubelet.rs"]
mod kubelet;
#[cfg(test)]
#[path = "sandbox/lists.rs"]
mod lists;
#[cfg(test)]
#[path = "sandbox/managers.rs"]
mod managers;
#[cfg(test)]
#[path = "sandbox/mutated_bodies.rs"]
mod mutated_bodies;
#[cfg(test)]
#[path = "sandbox/patches.rs"]
mod patches;
#[cfg(test)]
#[path = "sandbox/plain_controllers.rs"]
mod plain_controllers;
#[cfg(test)]
#[path = "sandbox/plain_kinds.rs"]
mod plain_kinds;
#[cfg(test)]
#[path = "sandbox/start_failures.rs"]
mod start_failures;
#[cfg(test)]
#[path = "sandbox/statefulsets.rs"]
mod statefulsets;
#[cfg(test)]
#[path = "sandbox/watches.rs"]
mod watches;
#[cfg(test)]
#[path = "sandbox/writes.rs"]
mod writes;
