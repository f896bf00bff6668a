//! All applications of a command at once, over one watch per namespace.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::cluster::view::View;
use crate::cluster::watch::{self, Subject};
use crate::cluster::workload;
use crate::driver::apply::{Ends, apply};
use crate::driver::context::{Context, Ground};
use crate::driver::wish::Wish;

/// Drives every wish to its end, side by side. The ends come in the wishes' order.
///
/// Nothing outlives this future: dropping it stops everything where it is.
pub async fn run(context: &Context, wishes: &[Wish]) -> Vec<Ends> {
    let grounds = grounds(wishes);
    let work = join_all(wishes.iter().map(|wish| apply(context, &grounds[wish.namespace.as_str()], wish)));
    let feeds = join_all(grounds.values().map(|ground| async {
        watch::feed(&context.session, &ground.subject, &ground.view).await;
        // A watch that cannot go on has told the view; whoever looks at it ends.
        std::future::pending::<()>().await;
    }));
    tokio::select! {
        ends = work => ends,
        _ = feeds => Vec::new(),
    }
}

fn grounds(wishes: &[Wish]) -> BTreeMap<&str, Ground> {
    let mut components: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for wish in wishes {
        components.entry(&wish.namespace).or_default().extend(wish.component_names());
    }
    let ground = |(namespace, names): (&'_ str, BTreeSet<String>)| {
        let names: Vec<String> = names.into_iter().collect();
        let subject = Subject {
            namespace: namespace.to_owned(),
            resource: workload::deployments(),
            selector: workload::selector(&names),
        };
        Ground { subject, view: View::default() }
    };
    components.into_iter().map(|(namespace, names)| (namespace, ground((namespace, names)))).collect()
}
