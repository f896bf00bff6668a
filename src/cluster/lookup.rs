//! Finds objects by name, one by one, or in one list if there are many and the user may list them; and selects objects
//! by the values of a label.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::{Expression, Selector};
use kube::{Api, ResourceExt};

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;

/// With more names than this, one list is cheaper than a GET for each.
const MAX_GETS: usize = 8;

/// The maximum total length of a selector's values, in bytes. The selector is part of the URI, for which servers and
/// proxies accept at least 8 KiB.
const MAX_SELECTOR_BYTES: usize = 4096;

/// Selects the objects whose label has one of these values. If a URI has no room for all values, it selects every
/// object that has the label, and the caller has to filter.
#[must_use]
pub fn label_selector<'a>(label: &str, values: impl IntoIterator<Item = &'a String>) -> Selector {
    let values: BTreeSet<String> = values.into_iter().cloned().collect();
    // A comma is encoded in three bytes.
    let length: usize = values.iter().map(|value| value.len() + 3).sum();
    let expression = match length <= MAX_SELECTOR_BYTES {
        true => Expression::In(label.to_owned(), values),
        false => Expression::Exists(label.to_owned()),
    };
    expression.into()
}

/// Reads the objects with these names that exist, by name. `selector` must match all of them; it limits the list, if
/// one is requested.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_by_name(
    session: &Session,
    namespace: &str,
    resource: &ApiResource,
    names: &BTreeSet<String>,
    selector: &str,
) -> Result<BTreeMap<String, DynamicObject>, ClusterError> {
    find_objects(session, &session.dynamic(namespace, resource), names, selector).await
}

/// Like [`find_by_name`], through an API of any scope.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_objects(
    session: &Session,
    api: &Api<DynamicObject>,
    names: &BTreeSet<String>,
    selector: &str,
) -> Result<BTreeMap<String, DynamicObject>, ClusterError> {
    let listed = if names.len() > MAX_GETS {
        let params = ListParams::default().labels(selector);
        match session.read(|| api.list(&params)).await {
            // To read each of them takes fewer rights.
            Err(ClusterError::Forbidden(_)) => None,
            list => Some(list?.items),
        }
    } else {
        None
    };
    let found: Vec<DynamicObject> = match listed {
        Some(all) => all.into_iter().filter(|object| names.contains(&object.name_any())).collect(),
        None => {
            let found = names.iter().map(|name| find_object(session, api, name));
            try_join_all(found).await?.into_iter().flatten().collect()
        }
    };
    Ok(found.into_iter().map(|object| (object.name_any(), object)).collect())
}

/// Reads one object. An answer about another object is an error, since a run would mistake it for this one.
async fn find_object(
    session: &Session,
    api: &Api<DynamicObject>,
    name: &str,
) -> Result<Option<DynamicObject>, ClusterError> {
    let found = session.read(|| api.get_opt(name)).await?;
    match found {
        Some(object) if object.name_any() != name => {
            let other = object.name_any();
            Err(ClusterError::Other(format!("the server was asked for `{name}` and answered with `{other}`")))
        }
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_fits_into_a_uri() {
        let names = |count: usize| (0..count).map(|index| format!("component-{index}")).collect::<Vec<_>>();
        assert_eq!(label_selector("of", &names(2)).to_string(), "of in (component-0,component-1)");
        for count in [1, 100, 300, 3_000] {
            assert!(label_selector("of", &names(count)).to_string().len() < 8_000, "{count}");
        }
        assert_eq!(label_selector("of", &names(3_000)).to_string(), "of");
    }
}
