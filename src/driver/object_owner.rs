//! Decides who owns an object that a component renders, and what a run does to it, from its labels, the application's
//! policies and the command line.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cluster::keys;
use crate::driver::checks::objects::contains;
use crate::driver::live_objects::LiveObjects;
use crate::driver::outcome::Failure;
use crate::driver::request::Adoption;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::oam::policies::{GarbageStrategy, ObjectSelector, Policies};
use crate::oam::revision::is_concealed;

/// What a run does to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Applies it, and takes over fields of other managers only if they were the component's before.
    Apply,
    /// Takes it over: it exists and belongs to no application.
    Adopt,
    /// Leaves it as it is.
    Keep,
    /// Recreates it: a field changes that a `resource-update` policy names.
    Recreate,
}

/// The owner of objects, and the policies that apply to them.
#[derive(Debug, Clone, Copy)]
pub struct ObjectOwner<'a> {
    /// The application.
    pub application: &'a str,
    /// The component.
    pub component: &'a str,
    /// The application's namespace.
    pub namespace: &'a str,
    /// The policies; `None` without a manifest.
    pub policies: Option<&'a Policies>,
    /// What to do with objects that belong to no application.
    pub adoption: Adoption,
}

impl ObjectOwner<'_> {
    /// What a run does to an object, given its rendered body, the live objects and, if known, the body that was last
    /// applied.
    pub(super) fn handling(
        &self,
        body: &Value,
        live: &LiveObjects,
        applied: Option<&Value>,
        reference: &ObjectRef,
    ) -> Result<Handling, Failure> {
        let before = live.get(reference);
        let is_selected =
            |selectors: &[ObjectSelector]| selectors.iter().any(|selector| selector.selects(body));
        let policies = self.policies;
        if is_concealed(body) {
            return match before {
                Some(before) => match foreign_reason(before, reference, *self) {
                    None => Ok(Handling::Keep),
                    Some(reason) => Err(Failure::refused(reason).hint("rename the component or the object")),
                },
                None => Err(Failure::refused(format!(
                    "{reference} does not exist, and revisions do not record its values"
                ))
                .hint("create it, or apply the manifest that has its values")),
            };
        }
        // A read-only object that does not exist yet is waited for.
        if policies.is_some_and(|policies| policies.only_reads(body)) {
            return Ok(Handling::Keep);
        }
        let Some(before) = before else { return Ok(Handling::Apply) };
        if policies.is_some_and(|policies| policies.fields_left_alone(body).iter().any(|one| one == "*")) {
            return Ok(Handling::Keep);
        }
        let may_adopt = self.adoption == Adoption::TakeOver
            || policies.is_some_and(|policies| is_selected(&policies.take_over));
        let is_shared = self.shares(body);
        let is_labelled = before.labels().contains_key(labels::NAME);
        let is_abandoned = live.is_abandoned(reference);
        match foreign_reason(before, reference, *self) {
            None if self.is_recreated(body, before, applied) => Ok(Handling::Recreate),
            None => Ok(Handling::Apply),
            Some(_) if may_adopt && (!is_labelled || is_abandoned) => Ok(Handling::Adopt),
            // The application that the object belongs to writes it.
            Some(_) if is_shared && is_labelled => Ok(Handling::Keep),
            Some(reason) if is_abandoned => {
                let reason = format!("{reason}, which was deleted and has kept it");
                Err(Failure::refused(reason).hint("take it over with `--take-over`, or rename the object"))
            }
            Some(reason) if self.is_of_application(before) => {
                Err(self.refused_sibling(reason, before, reference))
            }
            Some(reason) if is_labelled => {
                Err(Failure::refused(reason).hint("rename the component or the object"))
            }
            Some(reason) => Err(Failure::refused(reason).hint(
                "rename the component or the object, delete that object, or take it over with `--take-over`",
            )),
        }
    }

    /// Refuses an object that belongs to another component of the application.
    fn refused_sibling(&self, reason: String, live: &DynamicObject, reference: &ObjectRef) -> Failure {
        if reference.kind != "PersistentVolumeClaim" && !self.keeps(live) {
            return Failure::refused(reason)
                .hint("rename the object, or apply the manifest first without it, which deletes it");
        }
        let (object, label, component) = (reference.kubectl_arguments(), labels::COMPONENT, self.component);
        Failure::refused(reason).hint("rename the object").hint(format!(
            "or give it to component `{component}` as it is: `kubectl label {object} {label}={component} --overwrite`"
        ))
    }

    /// Whether the policies keep an object that the component no longer renders.
    pub(super) fn keeps(&self, live: &DynamicObject) -> bool {
        let strategy = self.policies.map(|policies| policies.garbage_strategy(&json!(live)));
        live.annotations().contains_key(keys::KEPT)
            || strategy.is_some_and(|strategy| strategy != GarbageStrategy::OnAppUpdate)
    }

    /// Whether an object belongs to a component of the application.
    fn is_of_application(&self, live: &DynamicObject) -> bool {
        let label = |key: &str| live.labels().get(key).map(String::as_str);
        label(labels::NAME) == Some(self.application)
            && label(labels::NAMESPACE).is_none_or(|namespace| namespace == self.namespace)
    }

    /// Whether a changed field requires recreating the object.
    fn is_recreated(&self, body: &Value, before: &DynamicObject, applied: Option<&Value>) -> bool {
        let rules = self.policies.map_or(&[][..], |policies| policies.recreate.as_slice());
        let mut fields =
            rules.iter().filter(|rule| rule.selector.selects(body)).flat_map(|rule| &rule.fields);
        fields.any(|field| {
            let pointer = pointer(field);
            let (wanted, live) = (body.pointer(&pointer), before.data.pointer(&pointer));
            let is_missing = |wanted: &Value| live.is_none_or(|live| !contains(live, wanted));
            let is_left = |applied: &Value| {
                wanted.is_none_or(|wanted| !contains(wanted, applied))
                    && live.is_some_and(|live| contains(live, applied))
            };
            wanted.is_some_and(is_missing)
                || applied.and_then(|applied| applied.pointer(&pointer)).is_some_and(is_left)
        })
    }

    /// Whether a `shared-resource` policy selects an object: the application that it belongs to writes it.
    pub(super) fn shares(&self, body: &Value) -> bool {
        self.policies.is_some_and(|policies| policies.shares(body))
    }

    /// The value of the annotation for an object that is kept when its component no longer renders it; `None` if it is
    /// deleted. An application does not delete objects that it shares.
    pub(super) fn kept(&self, body: &Value) -> Option<&'static str> {
        let policies = self.policies?;
        if policies.shares(body) {
            return Some("never");
        }
        match policies.garbage_strategy(body) {
            GarbageStrategy::OnAppUpdate => None,
            GarbageStrategy::OnAppDelete => Some("onAppDelete"),
            GarbageStrategy::Never => Some("never"),
        }
    }
}

/// A path such as `spec.replicas` as a JSON Pointer.
pub(super) fn pointer(path: &str) -> String {
    path.split('.').map(|field| format!("/{}", keys::escape_pointer(field))).collect()
}

/// Why an object is not the component's; `None` if it is.
pub(super) fn foreign_reason(
    live: &DynamicObject,
    reference: &ObjectRef,
    owner: ObjectOwner<'_>,
) -> Option<String> {
    let label = |key: &str| live.labels().get(key).map(String::as_str);
    let of_component = label(labels::COMPONENT);
    match (label(labels::NAME), of_component) {
        (Some(application), _) if application != owner.application => {
            Some(format!("{reference} belongs to application `{application}`"))
        }
        (Some(_), Some(component)) if component != owner.component => {
            Some(format!("{reference} belongs to component `{component}`"))
        }
        (Some(_), Some(_)) if owner.is_of_application(live) => None,
        (Some(application), Some(_)) => {
            let namespace = label(labels::NAMESPACE).unwrap_or_default();
            Some(format!("{reference} belongs to application `{application}` in namespace `{namespace}`"))
        }
        (Some(_), None) | (None, _) => Some(match managers(live).as_slice() {
            [] => format!("{reference} exists and is not managed by this application"),
            managers => format!("{reference} exists and is managed by `{}`", managers.join("`, `")),
        }),
    }
}

/// The managers that own fields of an object, apart from its status.
fn managers(live: &DynamicObject) -> Vec<String> {
    let entries = live.managed_fields().iter();
    let of_object = entries.filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty());
    let names: BTreeSet<String> = of_object.filter_map(|entry| entry.manager.clone()).collect();
    names.into_iter().collect()
}
