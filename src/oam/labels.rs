//! The keys of labels and annotations that tie Kubernetes objects to applications.
//!
//! Those below `app.oam.dev/` are on workloads, those below `controller.oam.dev/` on revisions. Nothing that
//! a workload's selector uses may be on a revision: controllers take such a revision for their own and
//! remove it.

/// The component; the only key that a workload's selector uses, and therefore never on a revision.
pub const COMPONENT: &str = "app.oam.dev/component";
/// The application's name; on workloads, Services and revisions.
pub const NAME: &str = "app.oam.dev/name";
/// The application's namespace.
pub const NAMESPACE: &str = "app.oam.dev/namespace";
/// The component revision; on workloads and on the pods of a webservice.
pub const REVISION: &str = "app.oam.dev/revision";
/// The application's revision, which a webservice asks for on its pods with `addRevisionLabel`.
pub const APP_REVISION: &str = "app.oam.dev/appRevision";
/// What part an object plays: `WORKLOAD` or `TRAIT`.
pub const RESOURCE_TYPE: &str = "app.oam.dev/resourceType";
/// The component's type.
pub const WORKLOAD_TYPE: &str = "workload.oam.dev/type";
/// What kind of trait an object comes from.
pub const TRAIT_TYPE: &str = "trait.oam.dev/type";
/// Which of a component's further outputs an object is.
pub const TRAIT_RESOURCE: &str = "trait.oam.dev/resource";
/// The component, on revisions.
pub const REVISION_COMPONENT: &str = "controller.oam.dev/component";
/// The hash of the workload's spec, on revisions; opaque to everybody but its writer.
pub const REVISION_HASH: &str = "app.oam.dev/component-revision-hash";
/// Annotation: the object is not to be collected with the application's other objects.
pub const SKIP_GC: &str = "app.oam.dev/skipGC";
/// Annotation of an application: comma-separated keys of labels that workloads do not inherit.
pub const FILTER_LABELS: &str = "filter.oam.dev/label-keys";
/// Annotation of an application: comma-separated keys of annotations that workloads do not inherit.
pub const FILTER_ANNOTATIONS: &str = "filter.oam.dev/annotation-keys";
/// Annotation that kubectl keeps for itself; never inherited.
pub const KUBECTL_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotation of a Secret in a revision: its values are fingerprints.
pub const CONCEALED: &str = "batch-rollout.dev/concealed";
/// Annotation of revisions: what of its ports a revision exposes, as JSON. Not part of its body, which is compared.
pub const EXPOSES: &str = "batch-rollout.dev/exposes";

/// Whether a label or an annotation of a component's object says what the object is, and does not come from its
/// application.
#[must_use]
pub fn is_own(key: &str) -> bool {
    let prefixes = ["app.oam.dev/", "workload.oam.dev/", "trait.oam.dev/", "batch-rollout.dev/"];
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}
