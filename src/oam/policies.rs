//! The policies of an application that concern single objects. Policies that change components or their namespace are
//! applied while the manifest is read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oam::labels;

/// An application's policies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policies {
    /// `garbage-collect`: what happens to objects that are no longer in the manifest.
    pub garbage_collect: Option<GarbageCollect>,
    /// `apply-once`: fields that are not applied again once an object exists.
    pub apply_once: Vec<ApplyOnceRule>,
    /// `read-only`: objects that must exist and are never written.
    pub read_only: Vec<ObjectSelector>,
    /// `take-over`: objects that may be taken over although they belong to no application.
    pub take_over: Vec<ObjectSelector>,
    /// `shared-resource`: objects that several applications may share.
    pub shared_resource: Vec<ObjectSelector>,
    /// `resource-update`: objects that are recreated if one of these fields changes.
    pub recreate: Vec<RecreateRule>,
}

/// Fields of some objects that cannot be changed in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecreateRule {
    /// The objects.
    pub selector: ObjectSelector,
    /// The fields, such as `data.key`; never empty.
    pub fields: Vec<String>,
}

/// What happens to objects that are no longer in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GarbageCollect {
    /// Whether all of them are kept.
    #[serde(default)]
    pub keep_legacy_resource: bool,
    /// The order in which they are deleted.
    #[serde(default)]
    pub order: Option<GarbageOrder>,
    /// Rules for single objects; the first rule that selects an object applies.
    #[serde(default)]
    pub rules: Vec<GarbageRule>,
}

/// The order in which objects are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GarbageOrder {
    /// Objects are deleted before those that they depend on.
    Dependency,
}

/// What happens to some objects when they are removed from the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GarbageRule {
    /// The objects.
    pub selector: ObjectSelector,
    /// When they are deleted.
    #[serde(default)]
    pub strategy: GarbageStrategy,
    /// What happens to the objects that they own.
    #[serde(default)]
    pub propagation: Option<GarbagePropagation>,
}

/// When an object that was removed from the manifest is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GarbageStrategy {
    /// By the update that removes it from the manifest.
    #[default]
    OnAppUpdate,
    /// With the application.
    OnAppDelete,
    /// Never.
    Never,
}

/// What happens to the objects that a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GarbagePropagation {
    /// They are kept.
    Orphan,
    /// They are deleted as well.
    Cascading,
}

/// Fields of some objects that are not applied again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredApplyOnceRule", into = "StoredApplyOnceRule")]
pub struct ApplyOnceRule {
    /// The objects.
    pub selector: ObjectSelector,
    /// The fields, such as `spec.replicas`; `*` is the whole object.
    pub paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredApplyOnceRule {
    #[serde(default)]
    selector: ObjectSelector,
    strategy: StoredApplyOnceStrategy,
}

#[derive(Serialize, Deserialize)]
struct StoredApplyOnceStrategy {
    path: Vec<String>,
}

impl From<StoredApplyOnceRule> for ApplyOnceRule {
    fn from(stored: StoredApplyOnceRule) -> Self {
        Self { selector: stored.selector, paths: stored.strategy.path }
    }
}

impl From<ApplyOnceRule> for StoredApplyOnceRule {
    fn from(rule: ApplyOnceRule) -> Self {
        Self { selector: rule.selector, strategy: StoredApplyOnceStrategy { path: rule.paths } }
    }
}

/// Selects objects of an application: those that match all of the non-empty lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectSelector {
    /// Names of components.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub component_names: Vec<String>,
    /// Types of components; matches workloads only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub component_types: Vec<String>,
    /// `WORKLOAD` or `TRAIT`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub oam_types: Vec<String>,
    /// Types of traits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trait_types: Vec<String>,
    /// Kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_types: Vec<String>,
    /// Names of objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
}

impl ObjectSelector {
    /// Whether it selects an object, by its labels among others. An empty selector selects nothing.
    #[must_use]
    pub fn selects(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let lists = [
            (&self.component_names, label(labels::COMPONENT)),
            (&self.component_types, label(labels::WORKLOAD_TYPE)),
            (&self.oam_types, label(labels::RESOURCE_TYPE)),
            (&self.trait_types, label(labels::TRAIT_TYPE)),
            (&self.resource_types, object["kind"].as_str()),
            (&self.resource_names, object["metadata"]["name"].as_str()),
        ];
        let mut given = lists.iter().filter(|(wanted, _)| !wanted.is_empty()).peekable();
        let is_in = |(wanted, found): &(&Vec<String>, Option<&str>)| {
            found.is_some_and(|found| wanted.iter().any(|one| one == found))
        };
        given.peek().is_some() && given.all(is_in)
    }
}

impl Policies {
    /// Whether several applications may share an object.
    #[must_use]
    pub fn shares(&self, object: &Value) -> bool {
        self.shared_resource.iter().any(|selector| selector.selects(object))
    }

    /// Whether an object is only read.
    #[must_use]
    pub fn only_reads(&self, object: &Value) -> bool {
        self.read_only.iter().any(|selector| selector.selects(object))
    }

    /// Every selector.
    pub(in crate::oam) fn selectors_mut(&mut self) -> impl Iterator<Item = &mut ObjectSelector> {
        let Self { garbage_collect, apply_once, read_only, take_over, shared_resource, recreate } = self;
        let of_garbage = garbage_collect.iter_mut().flat_map(|policy| &mut policy.rules);
        let of_rules = of_garbage.map(|rule| &mut rule.selector);
        let of_rules = of_rules.chain(apply_once.iter_mut().map(|rule| &mut rule.selector));
        let of_rules = of_rules.chain(recreate.iter_mut().map(|rule| &mut rule.selector));
        of_rules.chain(read_only).chain(take_over).chain(shared_resource)
    }

    /// Whether there are no policies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether these policies and others differ about an object.
    #[must_use]
    pub fn differ_about(&self, object: &Value, other: &Self) -> bool {
        let is_selected = |selectors: &[ObjectSelector]| selectors.iter().any(|one| one.selects(object));
        let said = |policies: &Self| {
            let recreate = policies.recreate.iter().filter(|rule| rule.selector.selects(object));
            (
                policies.garbage_strategy(object),
                policies.fields_left_alone(object).to_vec(),
                [&policies.read_only, &policies.take_over, &policies.shared_resource]
                    .map(|one| is_selected(one)),
                recreate.flat_map(|rule| rule.fields.clone()).collect::<Vec<String>>(),
            )
        };
        said(self) != said(other)
    }

    /// When an object is deleted after it was removed from the manifest.
    #[must_use]
    pub fn garbage_strategy(&self, object: &Value) -> GarbageStrategy {
        let Some(policy) = &self.garbage_collect else { return GarbageStrategy::OnAppUpdate };
        match policy.rules.iter().find(|rule| rule.selector.selects(object)) {
            Some(rule) => rule.strategy,
            None if policy.keep_legacy_resource => GarbageStrategy::OnAppDelete,
            None => GarbageStrategy::OnAppUpdate,
        }
    }

    /// The fields of an object that are not applied again once it exists.
    #[must_use]
    pub fn fields_left_alone(&self, object: &Value) -> &[String] {
        let rule = self.apply_once.iter().find(|rule| rule.selector.selects(object));
        rule.map_or(&[], |rule| rule.paths.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({"kind": "Service", "metadata": {"name": "web", "labels": {
            "app.oam.dev/component": "web",
            "app.oam.dev/resourceType": "TRAIT",
            "trait.oam.dev/type": "expose",
        }}})
    }

    #[test]
    fn a_selector_selects_objects_that_match_all_its_lists() {
        for (selector, expected) in [
            (json!({}), false),
            (json!({"componentNames": ["web", "db"]}), true),
            (json!({"componentNames": ["db"]}), false),
            (
                json!({"componentNames": ["web"], "resourceTypes": ["Service"], "traitTypes": ["expose"]}),
                true,
            ),
            (json!({"componentNames": ["web"], "resourceTypes": ["Ingress"]}), false),
            (json!({"oamTypes": ["WORKLOAD"]}), false),
            (json!({"resourceNames": ["web"]}), true),
            (json!({"componentTypes": ["webservice"]}), false),
        ] {
            let read: ObjectSelector = serde_json::from_value(selector.clone()).expect("it is one");
            assert_eq!(read.selects(&object()), expected, "{selector}");
        }
    }

    #[test]
    fn the_first_rule_that_selects_an_object_applies() {
        let rules = json!({"keepLegacyResource": true, "rules": [
            {"selector": {"traitTypes": ["expose"]}, "strategy": "never"},
            {"selector": {"componentNames": ["web"]}, "strategy": "onAppUpdate"},
        ]});
        let policies = Policies {
            garbage_collect: serde_json::from_value(rules).expect("they are rules"),
            ..Policies::default()
        };
        assert_eq!(policies.garbage_strategy(&object()), GarbageStrategy::Never);
        assert_eq!(policies.garbage_strategy(&json!({"kind": "Pod"})), GarbageStrategy::OnAppDelete);
        assert_eq!(Policies::default().garbage_strategy(&object()), GarbageStrategy::OnAppUpdate);
    }
}
