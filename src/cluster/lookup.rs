//! Finding objects by name: one by one, or in one list if they are many.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, ResourceExt};

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;

/// With more names, one list is cheaper than a GET for each.
const MAX_GETS: usize = 8;

/// Reads those objects of these names that exist, by name. `selector` must match all of them; it keeps the list small if
/// one is made.
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

/// The same through an API of any scope.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_objects(
    session: &Session,
    api: &Api<DynamicObject>,
    names: &BTreeSet<String>,
    selector: &str,
) -> Result<BTreeMap<String, DynamicObject>, ClusterError> {
    let found: Vec<DynamicObject> = if names.len() <= MAX_GETS {
        let found = names.iter().map(|name| session.read(|| api.get_opt(name)));
        try_join_all(found).await?.into_iter().flatten().collect()
    } else {
        let params = ListParams::default().labels(selector);
        let list = session.read(|| api.list(&params)).await?;
        list.items.into_iter().filter(|object| names.contains(&object.name_any())).collect()
    };
    Ok(found.into_iter().map(|object| (object.name_any(), object)).collect())
}
