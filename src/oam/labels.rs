//! The keys of labels and annotations that tie Kubernetes objects to applications.
//!
//! Keys with the prefix `app.oam.dev/` are on workloads, those with `controller.oam.dev/` on revisions. Labels that a
//! workload's selector uses must not be on a revision: controllers adopt such revisions and delete them.

/// The component; the only key that a workload's selector uses, and therefore never on a revision.
pub const COMPONENT: &str = "app.oam.dev/component";
/// The application's name; on workloads, Services and revisions.
pub const NAME: &str = "app.oam.dev/name";
/// The application's namespace.
pub const NAMESPACE: &str = "app.oam.dev/namespace";
/// The component revision; on workloads and on the pods of a webservice.
pub const REVISION: &str = "app.oam.dev/revision";
/// The application's revision, which a webservice adds to its pods with `addRevisionLabel`.
pub const APP_REVISION: &str = "app.oam.dev/appRevision";
/// The role of an object: `WORKLOAD` or `TRAIT`.
pub const RESOURCE_TYPE: &str = "app.oam.dev/resourceType";
/// The component's type.
pub const WORKLOAD_TYPE: &str = "workload.oam.dev/type";
/// The type of the trait that renders an object.
pub const TRAIT_TYPE: &str = "trait.oam.dev/type";
/// The name of an object among the outputs of its trait or component.
pub const TRAIT_RESOURCE: &str = "trait.oam.dev/resource";
/// The component, on revisions.
pub const REVISION_COMPONENT: &str = "controller.oam.dev/component";
/// The hash of the workload's spec, on revisions; opaque except to its writer.
pub const REVISION_HASH: &str = "app.oam.dev/component-revision-hash";
/// Annotation: the object is not garbage-collected with the application's other objects.
pub const SKIP_GC: &str = "app.oam.dev/skipGC";
/// Annotation of an application: comma-separated keys of labels that workloads do not inherit.
pub const FILTER_LABELS: &str = "filter.oam.dev/label-keys";
/// Annotation of an application: comma-separated keys of annotations that workloads do not inherit.
pub const FILTER_ANNOTATIONS: &str = "filter.oam.dev/annotation-keys";
/// Annotation for kubectl's own use; never inherited.
pub const KUBECTL_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotation of a Secret in a revision: its values are fingerprints.
pub const CONCEALED: &str = "batch-rollout.dev/concealed";
/// Annotation of revisions: the ports that a revision exposes, as JSON. Not part of the body, which is compared.
pub const EXPOSES: &str = "batch-rollout.dev/exposes";

/// Whether a label or an annotation of a component's object identifies the object, instead of coming from its
/// application.
#[must_use]
pub fn is_own(key: &str) -> bool {
    let prefixes = ["app.oam.dev/", "workload.oam.dev/", "trait.oam.dev/", "batch-rollout.dev/"];
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}
