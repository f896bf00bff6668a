//! The live objects of components that are applied as a whole, as they are before a run.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::lookup::find_objects;
use crate::cluster::record_store::load_records;
use crate::cluster::served_kind::{ServedKind, ServedKinds, find_kinds};
use crate::cluster::session::Session;
use crate::cluster::{keys, owned_objects};
use crate::oam::kind_scope::KindScope;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::plan::record::Record;

/// Objects by their reference, and how their kinds are served.
#[derive(Debug, Clone, Default)]
pub struct LiveObjects {
    kinds: ServedKinds,
    /// By reference, including the namespace.
    objects: BTreeMap<ObjectRef, DynamicObject>,
    /// Kinds that will be served later, by group and kind.
    defined: BTreeMap<(String, String), KindScope>,
    /// Objects that were kept when the component that they belong to was deleted.
    abandoned: BTreeSet<ObjectRef>,
}

impl LiveObjects {
    /// Reads the objects that exist. A reference without a namespace is looked up in `namespace`.
    ///
    /// # Errors
    /// See [`Session::read`].
    pub async fn read(
        session: &Session,
        namespace: &str,
        references: &BTreeSet<ObjectRef>,
    ) -> Result<Self, ClusterError> {
        let kinds = find_kinds(session, references).await?;
        let mut live = Self { kinds, ..Self::default() };
        // One get or list for each kind and namespace.
        let mut groups: BTreeMap<(&str, &str, Option<String>), BTreeSet<String>> = BTreeMap::new();
        for reference in references {
            let located = live.locate(reference, namespace);
            let group = (reference.api_version.as_str(), reference.kind.as_str(), located.namespace);
            groups.entry(group).or_default().insert(located.name);
        }
        let reads = groups.iter().map(|((api_version, kind, namespace), names)| async {
            let Some(served) = live.kind(api_version, kind) else { return Ok(Vec::new()) };
            let found =
                find_objects(session, &session.objects(&served.resource, namespace.as_deref()), names, "")
                    .await?;
            let reference = |name: String| ObjectRef {
                api_version: (*api_version).to_owned(),
                kind: (*kind).to_owned(),
                namespace: namespace.clone(),
                name,
            };
            Ok::<_, ClusterError>(found.into_iter().map(|(name, object)| (reference(name), object)).collect())
        });
        let found = try_join_all(reads).await?;
        drop(groups);
        // A namespace that is only assumed to exist, as in the sandbox, has no UID.
        let exists = |(_, object): &(ObjectRef, DynamicObject)| object.metadata.uid.is_some();
        live.objects = found.into_iter().flatten().filter(exists).collect();
        Ok(live)
    }

    /// Adds the kinds that the CustomResourceDefinitions among these objects define.
    #[must_use]
    pub fn with_definitions<'a>(self, objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let definitions = objects.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition");
        let defined = definitions.filter_map(|definition| {
            let text = |pointer: &str| Some(definition.pointer(pointer)?.as_str()?.to_owned());
            let is_cluster_scoped = definition["spec"]["scope"] == "Cluster";
            let scope = if is_cluster_scoped { KindScope::Cluster } else { KindScope::Namespaced };
            Some(((text("/spec/group")?, text("/spec/names/kind")?), scope))
        });
        Self { defined: defined.collect(), ..self }
    }

    /// Finds the objects that were kept when their component, of another application, was deleted: it has no run record
    /// any more. If the records cannot be read, it counts as existing.
    pub async fn find_abandoned(self, session: &Session, application: &str, namespace: &str) -> Self {
        let owner = |(reference, object): (&ObjectRef, &DynamicObject)| {
            let label = |key: &str| object.labels().get(key).cloned();
            let name = label(labels::NAME).filter(|name| name != application)?;
            let home = label(labels::NAMESPACE).or_else(|| reference.namespace.clone());
            let home = home.unwrap_or_else(|| namespace.to_owned());
            let is_stamped = object.annotations().contains_key(keys::EPOCH);
            let is_kept = is_stamped && owned_objects::is_kept(&reference.kind, object);
            is_kept.then(|| ((home, name, label(labels::COMPONENT)), reference.clone()))
        };
        let kept: Vec<_> = self.objects.iter().filter_map(owner).collect();
        let homes: BTreeSet<&String> = kept.iter().map(|((home, _, _), _)| home).collect();
        let mut abandoned = BTreeSet::new();
        for home in homes {
            let Ok(records) = load_records(session, home).await else { continue };
            let is_abandoned = |(of, name, component): &(String, String, Option<String>)| {
                let is_of = |record: &Record| {
                    record.application == *name
                        && component.as_ref().is_none_or(|component| record.component == *component)
                };
                of == home && !records.iter().any(|stored| is_of(&stored.record))
            };
            let found = kept.iter().filter(|(owner, _)| is_abandoned(owner));
            abandoned.extend(found.map(|(_, reference)| reference.clone()));
        }
        Self { abandoned, ..self }
    }

    /// Whether [`LiveObjects::find_abandoned`] has found an object.
    #[must_use]
    pub fn is_abandoned(&self, located: &ObjectRef) -> bool {
        self.abandoned.contains(located)
    }

    /// Whether [`LiveObjects::with_definitions`] has added a kind.
    #[must_use]
    pub fn defines(&self, reference: &ObjectRef) -> bool {
        self.defined_scope(reference).is_some()
    }

    fn defined_scope(&self, reference: &ObjectRef) -> Option<KindScope> {
        self.defined.get(&(reference.group().to_owned(), reference.kind.clone())).copied()
    }

    /// How a kind is served; `None` if it is not.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&ServedKind> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?.as_ref()
    }

    /// The reference with the object's namespace: `namespace` if it names none and its kind is namespaced.
    #[must_use]
    pub fn locate(&self, reference: &ObjectRef, namespace: &str) -> ObjectRef {
        let served = self.kind(&reference.api_version, &reference.kind).map(|kind| kind.scope);
        let scope = served.or_else(|| self.defined_scope(reference));
        let found = scope.and_then(|scope| scope.namespace_of(reference, namespace)).map(str::to_owned);
        ObjectRef { namespace: found, ..reference.clone() }
    }

    /// An object, by the reference that [`LiveObjects::locate`] returns.
    #[must_use]
    pub fn get(&self, located: &ObjectRef) -> Option<&DynamicObject> {
        self.objects.get(located)
    }
}
