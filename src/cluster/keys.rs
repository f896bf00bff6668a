//! The labels and annotations of this program. They share one prefix.

/// On workloads, an annotation: the epoch of the run that may write to them.
pub const EPOCH: &str = "batch-rollout.dev/epoch";
/// On in-place workloads, an annotation with JSON: the revision of the spec, the generation since which it has it, and
/// the claim under which it was written.
pub const SPEC_STAMP: &str = "batch-rollout.dev/written";
/// On run records, a label: the component.
pub const RECORD_COMPONENT: &str = "batch-rollout.dev/component";
/// On run records and Leases, a label: the application.
pub const RECORD_APPLICATION: &str = "batch-rollout.dev/application";
/// On Services, an annotation: a hash of what was applied.
pub const APPLIED: &str = "batch-rollout.dev/applied";
/// On objects that are applied as a whole, an annotation: whether a `garbage-collect` policy keeps them when their
/// component no longer renders them (`onAppDelete`), or forever (`never`).
pub const KEPT: &str = "batch-rollout.dev/kept";
/// In the selector of a Service that was created but is not yet in use: no pod has this label.
pub const INERT: &str = "batch-rollout.dev/inert";
/// On the Jobs of smoke tests, a label: the component.
pub const SMOKE_TEST: &str = "batch-rollout.dev/smoke-test";
/// The name of this program's writes in `metadata.managedFields`.
pub const FIELD_MANAGER: &str = "rollout";

/// A key as a JSON Pointer segment (RFC 6901).
#[must_use]
pub fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
