//! Finding objects by name: one by one, or in one list if they are many.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, ListParams};

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
    let api = session.dynamic(namespace, resource);
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
