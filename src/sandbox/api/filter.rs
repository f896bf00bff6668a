//! Which objects of a collection a query selects: by namespace, labels and fields.

use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::api::field_selector::Fields;
use crate::sandbox::api::label_query;
use crate::sandbox::api::route::{Query, ResourcePath};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::objects::Store;

pub(crate) struct Filter {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    selector: Selector,
    fields: Fields,
}

impl Filter {
    pub(crate) fn of(resource: &ResourcePath, query: &Query) -> Result<Self, StatusError> {
        let selector = label_query::parse(query.value("labelSelector").unwrap_or_default());
        let selector = selector.map_err(StatusError::bad_request)?;
        let fields = Fields::parse(query.value("fieldSelector").unwrap_or_default(), resource.kind)?;
        Ok(Self { kind: resource.kind, namespace: resource.namespace.clone(), selector, fields })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.selector.matches(meta::labels(object)) && self.fields.matches(object)
    }

    /// Whether it has no selectors.
    pub(crate) fn is_plain(&self) -> bool {
        self.selector == Selector::default() && self.fields.is_empty()
    }

    /// Whether it selects the object at this key.
    pub(crate) fn matches_at(&self, key: &Key, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace) && self.matches(object)
    }

    pub(crate) fn select<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        store.of_kind(self.kind, self.namespace.as_deref()).filter(|(_, object)| self.matches(object))
    }
}
