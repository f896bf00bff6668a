//! Decides which revision a component of a manifest is: a stored one, or a new one.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::oam::application::{Application, Component};
use crate::oam::exposure::Exposure;
use crate::oam::revision::conceal::concealed;
use crate::oam::revision::{StoredRevision, body, number};
use crate::oam::{labels, render};

/// The maximum length of a name that is also a label's value.
const MAX_NAME_CHARACTERS: usize = 63;

/// Which revision a component is.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A stored revision with the same content.
    Reuse {
        /// Its name.
        name: String,
    },
    /// A revision that is not stored yet.
    Create(NewRevision),
    /// The stored revision that `externalRevision` names, although the manifest's content differs. As in KubeVela, the
    /// manifest's changes are then not deployed.
    ReuseDiffering {
        /// Its name.
        name: String,
        /// The differences of the workloads' specs, stored before rendered, such as
        /// ``template.spec.containers[0].image: `web:1` → `web:2` ``. At most 21 lines, never empty.
        differences: Vec<String>,
    },
}

/// A revision to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRevision {
    /// Its name.
    pub name: String,
    /// Its number: the one in its name unless another revision of the component has it, otherwise the next one.
    pub number: i64,
    /// The `apps/v1 ControllerRevision` without its `data`.
    head: Value,
    /// Its `data`.
    data: Arc<Value>,
}

impl NewRevision {
    /// The complete `apps/v1 ControllerRevision`.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut object = self.head.clone();
        object["data"] = self.data.as_ref().clone();
        object
    }

    /// Its `data`.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// The revision as it will be read once it is recorded, except for fields that the server sets.
    #[must_use]
    pub fn as_stored(&self) -> Option<StoredRevision> {
        StoredRevision::read(&self.head, Arc::clone(&self.data))
    }
}

/// Why no revision can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// Another object has the name.
    #[error(
        "controller revision `{name}` is not a component revision: it has no label `{}`",
        labels::REVISION_COMPONENT
    )]
    NotAComponents {
        /// The object's name.
        name: String,
    },
    /// A component with another name owns it.
    #[error("revision `{name}` belongs to component `{owner}`, not to `{component}`")]
    OtherComponent {
        /// The revision's name.
        name: String,
        /// The component it belongs to.
        owner: String,
        /// The component that was to use it.
        component: String,
    },
    /// A component with the same name in another application owns it.
    #[error("revision `{name}` belongs to application `{owner}`, not to `{application}`")]
    OtherApplication {
        /// The revision's name.
        name: String,
        /// The application it belongs to.
        owner: String,
        /// The application that was to use it.
        application: String,
    },
    /// Its body contains no workload.
    #[error("revision `{name}` is broken: it contains no workload")]
    Broken {
        /// The revision's name.
        name: String,
    },
    /// The next automatic name is too long.
    #[error("revision name `{name}` is longer than {MAX_NAME_CHARACTERS} characters")]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// No number is left after the largest.
    #[error("component `{component}` has no revision number left after {}", i64::MAX)]
    NoNumberLeft {
        /// The component's name.
        component: String,
    },
}

/// Decides which revision the component is, by KubeVela's rules for names, numbers and reuse.
///
/// `stored` contains the namespace's revisions, including those of other components whose names might be needed.
/// Without a name in the manifest, the newest revision with the same content is reused, or a new one gets a free name;
/// a revision without an application counts as one of this application. A revision that another application owns is
/// never reused, and rejected if the manifest names it.
pub fn decide_revision(
    stored: &[StoredRevision],
    application: &Application,
    component: &Component,
    namespace: &str,
) -> Result<Decision, RevisionError> {
    let wanted = RevisionRequest { stored, application, component, namespace };
    match &component.external_revision {
        Some(name) => wanted.named(name),
        None => wanted.automatic(),
    }
}

struct RevisionRequest<'a> {
    stored: &'a [StoredRevision],
    application: &'a Application,
    component: &'a Component,
    namespace: &'a str,
}

impl RevisionRequest<'_> {
    fn named(&self, name: &str) -> Result<Decision, RevisionError> {
        let Some(existing) = self.stored.iter().find(|revision| revision.name == name) else {
            return Ok(Decision::Create(self.create(name)?));
        };
        self.check_owner(existing)?;
        let Some(differences) = self.render(name).differences(existing) else {
            return Err(RevisionError::Broken { name: name.to_owned() });
        };
        let name = name.to_owned();
        if differences.is_empty() {
            return Ok(Decision::Reuse { name });
        }
        Ok(Decision::ReuseDiffering { name, differences })
    }

    fn automatic(&self) -> Result<Decision, RevisionError> {
        let rendered = self.render("");
        let same = |revision: &&StoredRevision| {
            self.is_ours(revision)
                && rendered.differences(revision).is_some_and(|differences| differences.is_empty())
        };
        let newest =
            self.stored.iter().filter(same).max_by_key(|found| (found.revision, found.name.as_str()));
        if let Some(found) = newest {
            return Ok(Decision::Reuse { name: found.name.clone() });
        }
        Ok(Decision::Create(self.create(&self.next_name()?)?))
    }

    /// `<component>-v<K>` with the next number that no revision of the component has, and whose name is free.
    fn next_name(&self) -> Result<String, RevisionError> {
        let component = &self.component.name;
        let mut number = self.next_number()?;
        loop {
            let name = format!("{component}-v{number}");
            if name.len() > MAX_NAME_CHARACTERS {
                return Err(RevisionError::NameTooLong { name });
            }
            if !self.stored.iter().any(|revision| revision.name == name) {
                return Ok(name);
            }
            number = number.checked_add(1).ok_or_else(|| self.no_number_left())?;
        }
    }

    fn of_component(&self) -> impl Iterator<Item = &StoredRevision> {
        let component = Some(&self.component.name);
        self.stored.iter().filter(move |revision| revision.component.as_ref() == component)
    }

    /// One more than the largest number of the component.
    fn next_number(&self) -> Result<i64, RevisionError> {
        let component = &self.component.name;
        // A revision's field and the number in its name agree, unless either was edited.
        let largest = self
            .of_component()
            .map(|revision| {
                let automatic =
                    revision.name.strip_prefix(component.as_str()).is_some_and(|rest| rest.starts_with("-v"));
                let in_name = if automatic { number(&revision.name) } else { 0 };
                revision.revision.max(in_name)
            })
            .max();
        largest.unwrap_or_default().max(0).checked_add(1).ok_or_else(|| self.no_number_left())
    }

    fn no_number_left(&self) -> RevisionError {
        RevisionError::NoNumberLeft { component: self.component.name.clone() }
    }

    /// The number of a new revision. It must be unique, or it would identify neither revision.
    fn number(&self, name: &str) -> Result<i64, RevisionError> {
        let in_name = number(name);
        let is_taken = in_name == 0 || self.of_component().any(|revision| revision.revision == in_name);
        if is_taken { self.next_number() } else { Ok(in_name) }
    }

    fn is_ours(&self, revision: &StoredRevision) -> bool {
        self.check_owner(revision).is_ok()
    }

    fn check_owner(&self, existing: &StoredRevision) -> Result<(), RevisionError> {
        let name = existing.name.clone();
        match &existing.component {
            None => return Err(RevisionError::NotAComponents { name }),
            Some(owner) if *owner != self.component.name => {
                let (owner, component) = (owner.clone(), self.component.name.clone());
                return Err(RevisionError::OtherComponent { name, owner, component });
            }
            Some(_) => {}
        }
        match &existing.application {
            Some(owner) if *owner != self.application.name => {
                let (owner, application) = (owner.clone(), self.application.name.clone());
                Err(RevisionError::OtherApplication { name, owner, application })
            }
            _ => Ok(()),
        }
    }

    fn render(&self, revision: &str) -> Content {
        let Self { application, component, namespace, .. } = self;
        match component.rollout {
            Some(_) => {
                let workload = render::render_workload(application, component, namespace, revision);
                let outputs = render::render_trait_objects(application, component, namespace);
                Content::Workload(workload, outputs.iter().map(concealed).collect())
            }
            None => {
                let objects = render::render_objects(application, component, namespace, revision);
                Content::Objects(objects.iter().map(concealed).collect())
            }
        }
    }

    fn create(&self, name: &str) -> Result<NewRevision, RevisionError> {
        let content = self.render(name);
        let number = self.number(name)?;
        let exposes = serde_json::to_string(&Exposure::of(self.component));
        let of = RevisionOf {
            application: &self.application.name,
            component: &self.component.name,
            namespace: self.namespace,
        };
        let (mut head, data) = of.object(name, number, content);
        // A body without ports implies that nothing is exposed.
        let has_ports = self.component.properties().is_some_and(|properties| !properties.ports.is_empty());
        if let (true, Ok(exposes)) = (has_ports, exposes) {
            head["metadata"]["annotations"] = json!({labels::EXPOSES: exposes});
        }
        Ok(NewRevision { name: name.to_owned(), number, head, data })
    }
}

/// What a revision belongs to.
struct RevisionOf<'a> {
    application: &'a str,
    component: &'a str,
    namespace: &'a str,
}

impl RevisionOf<'_> {
    /// The ControllerRevision without its `data`, and the `data`.
    fn object(&self, name: &str, number: i64, content: Content) -> (Value, Arc<Value>) {
        // No label here may be one that a workload's selector uses.
        let head = json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {
                    labels::REVISION_COMPONENT: self.component,
                    labels::REVISION_HASH: content.hash(),
                    labels::NAME: self.application,
                },
            },
            "revision": number,
        });
        let data = json!({
            "apiVersion": "core.oam.dev/v1alpha2",
            "kind": "Component",
            "metadata": {"name": self.component, "creationTimestamp": null},
            "spec": content.into_spec(),
            "status": {"observedGeneration": 0},
        });
        (head, Arc::new(data))
    }
}

/// Revision number 0, which stores objects as they were before a component took them over; `None` if there are none, or
/// if it is already recorded.
#[must_use]
pub fn adopted_revision(
    stored: &[StoredRevision],
    application: &str,
    component: &str,
    namespace: &str,
    objects: &[Value],
) -> Option<NewRevision> {
    let name = format!("{component}-v0");
    if objects.is_empty() || stored.iter().any(|one| one.name == name) {
        return None;
    }
    let of = RevisionOf { application, component, namespace };
    let (head, data) = of.object(&name, 0, Content::Objects(objects.iter().map(concealed).collect()));
    Some(NewRevision { name, number: 0, head, data })
}

/// What a revision contains.
enum Content {
    /// The workload that is rolled out in batches, and the objects of its traits, which are not compared, because their
    /// changes need no new pods.
    Workload(Value, Vec<Value>),
    /// The objects that are applied as a whole.
    Objects(Vec<Value>),
}

impl Content {
    /// The differences from a stored revision; `None` if that is invalid. A revision that is rolled out in batches
    /// always differs from one that is applied as a whole.
    fn differences(&self, stored: &StoredRevision) -> Option<Vec<String>> {
        match (self, stored.objects()) {
            (Self::Workload(rendered, _), None) => Some(body::differences(stored.workload()?, rendered)),
            (Self::Objects(rendered), Some(stored)) => Some(body::object_differences(stored, rendered)),
            (Self::Workload(..), Some(_)) => Some(vec!["it is applied as a whole".to_owned()]),
            (Self::Objects(_), None) => Some(vec!["it is rolled out in batches".to_owned()]),
        }
    }

    fn hash(&self) -> String {
        match self {
            Self::Workload(workload, _) => body::hash(workload),
            Self::Objects(objects) => body::hash_of_objects(objects),
        }
    }

    /// The `data.spec` of the revision.
    fn into_spec(self) -> Value {
        match self {
            Self::Workload(workload, outputs) if outputs.is_empty() => json!({"workload": workload}),
            Self::Workload(workload, outputs) => json!({"workload": workload, "outputs": outputs}),
            Self::Objects(objects) => json!({"objects": objects}),
        }
    }
}
