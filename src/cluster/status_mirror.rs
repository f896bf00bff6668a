//! The optional views for kubectl: an Application and a Rollout object that mirror the status of a run.
//!
//! They are written if the cluster has the definitions that `rollout crds` prints, and never read back. A failure is a
//! warning, never an error of the run.

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::permissions::{self, Right, RightPurpose};
use crate::cluster::session::Session;
use crate::cluster::workload_writer::{create_params, json_patch, patch_params};

/// The category of the definitions that `rollout crds` prints. KubeVela's definitions have no category; its controllers
/// would act on the objects.
const CATEGORY: &str = "batch-rollout";

/// The kinds of the mirrored objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorKind {
    /// `core.oam.dev/v1beta1 Application`
    Application,
    /// `standard.oam.dev/v1alpha1 Rollout`
    Rollout,
}

/// Writes the views whose kinds the cluster has.
#[derive(Debug, Clone)]
pub struct StatusMirror {
    session: Session,
    available: Vec<MirrorKind>,
}

impl MirrorKind {
    fn resource(self) -> ApiResource {
        let (group, version, kind) = match self {
            Self::Application => ("core.oam.dev", "v1beta1", "Application"),
            Self::Rollout => ("standard.oam.dev", "v1alpha1", "Rollout"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }
}

impl StatusMirror {
    /// Discovers which kinds the cluster has. A kind whose discovery fails counts as absent.
    pub async fn discover(session: &Session) -> Self {
        let (application, rollout) =
            tokio::join!(has(session, MirrorKind::Application), has(session, MirrorKind::Rollout));
        let found = [(MirrorKind::Application, application), (MirrorKind::Rollout, rollout)];
        let available = found.into_iter().filter_map(|(view, is_there)| is_there.then_some(view));
        Self { session: session.clone(), available: available.collect() }
    }

    /// A mirror that writes nothing.
    #[must_use]
    pub fn disabled(session: &Session) -> Self {
        Self { session: session.clone(), available: Vec::new() }
    }

    /// The rights needed to write the views.
    pub fn rights(&self) -> impl Iterator<Item = Right<'static>> {
        let groups: Vec<String> = self.available.iter().map(|view| view.resource().group).collect();
        permissions::required_rights(RightPurpose::Views)
            .filter(move |right| groups.iter().any(|group| group == right.group))
    }

    /// The API resource of a kind, if the cluster has it.
    #[must_use]
    pub fn resource(&self, view: MirrorKind) -> Option<ApiResource> {
        self.available.contains(&view).then(|| view.resource())
    }

    /// Writes an object's status, and its spec if there is one. `status` makes the status from that of the existing
    /// object, which is null if there is none. Returns the object, or `None` if the cluster does not have the kind.
    ///
    /// # Errors
    /// See [`Session::request_once`].
    pub async fn write(
        &self,
        view: MirrorKind,
        namespace: &str,
        name: &str,
        spec: Option<&Value>,
        status: impl FnOnce(&Value) -> Value,
    ) -> Result<Option<DynamicObject>, ClusterError> {
        if !self.available.contains(&view) {
            return Ok(None);
        }
        let resource = view.resource();
        let api = self.session.dynamic(namespace, &resource);
        let seen = match self.session.request_once(api.get_opt(name)).await? {
            Some(seen) => seen,
            // Without a manifest, there is no spec to create the object with.
            None if spec.is_none() => return Ok(None),
            None => {
                let object: DynamicObject = serde_json::from_value(json!({
                    "apiVersion": resource.api_version,
                    "kind": resource.kind,
                    "metadata": {"name": name},
                    "spec": spec.cloned().unwrap_or_else(|| json!({})),
                }))
                .map_err(|error| ClusterError::Other(error.to_string()))?;
                let params = create_params();
                self.session.request_once(api.create(&params, &object)).await?
            }
        };
        if let Some(spec) = spec.filter(|spec| seen.data.get("spec") != Some(spec)) {
            self.replace(&api, &seen, "spec", spec).await?;
        }
        let before = &seen.data["status"];
        let status = status(before);
        if *before != status {
            self.replace(&api, &seen, "status", &status).await?;
        }
        Ok(Some(seen))
    }

    async fn replace(
        &self,
        api: &Api<DynamicObject>,
        seen: &DynamicObject,
        part: &str,
        value: &Value,
    ) -> Result<(), ClusterError> {
        let patch = json_patch(json!([
            {"op": "test", "path": "/metadata/uid", "value": seen.uid()},
            {"op": "add", "path": format!("/{part}"), "value": value},
        ]))?;
        let params = patch_params();
        let name = seen.name_any();
        if part == "status" {
            self.session.request_once(api.patch_status(&name, &params, &patch)).await?;
        } else {
            self.session.request_once(api.patch(&name, &params, &patch)).await?;
        }
        Ok(())
    }
}

async fn has(session: &Session, view: MirrorKind) -> bool {
    let resource = view.resource();
    let served = session.request_once(session.discover(&resource.api_version)).await;
    served.is_ok_and(|list| {
        let mut ours = list
            .resources
            .iter()
            .filter(|one| one.categories.iter().flatten().any(|category| category == CATEGORY));
        ours.any(|one| one.name == resource.plural)
    })
}

/// The owner reference that makes an Application the controller of a revision, which `kubectl get controllerrevision`
/// shows.
#[must_use]
pub fn controller_reference(application: &DynamicObject) -> Value {
    let resource = MirrorKind::Application.resource();
    json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": application.name_any(),
        "uid": application.uid(),
        "controller": true,
        "blockOwnerDeletion": false,
    })
}
