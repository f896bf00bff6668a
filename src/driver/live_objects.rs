//! The live objects of components that are applied as a whole, as they are before a run.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::lookup::find_objects;
use crate::cluster::served_kind::{ServedKind, ServedKinds, find_kinds};
use crate::cluster::session::Session;
use crate::oam::kind_scope::KindScope;
use crate::oam::object::ObjectRef;

/// Objects by their reference, and how their kinds are served.
#[derive(Debug, Clone, Default)]
pub struct LiveObjects {
    kinds: ServedKinds,
    /// By reference, including the namespace.
    objects: BTreeMap<ObjectRef, DynamicObject>,
    /// Kinds that will be served later, by group and kind.
    defined: BTreeMap<(String, String), KindScope>,
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
