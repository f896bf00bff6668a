//! All applications of a command at once, over one watch per kind and namespace and one for their records.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::cluster::records::{self, Records};
use crate::cluster::view::View;
use crate::cluster::watch::{self, Subject};
use crate::cluster::workload;
use crate::driver::apply::{Ends, apply};
use crate::driver::context::{Context, Ground};
use crate::driver::wish::Wish;
use crate::oam::kind::WorkloadKind;

/// Drives every wish to its end, side by side. The ends come in the wishes' order.
///
/// Nothing outlives this future: dropping it stops everything where it is.
pub async fn run(context: &Context, wishes: &[Wish]) -> Vec<Ends> {
    let grounds = grounds(wishes);
    let work = join_all(wishes.iter().map(|wish| apply(context, &grounds[wish.namespace.as_str()], wish)));
    let feeds = join_all(grounds.iter().map(|(namespace, ground)| async {
        let listen = records::follow(&context.session, namespace, None, |heard| ground.records.absorb(heard));
        let watches = ground.subjects.iter();
        let watches = watches.map(|subject| watch::feed(&context.session, subject, &ground.view));
        tokio::join!(join_all(watches), listen);
        // A watch that cannot go on has told the view; whoever looks at it ends.
        std::future::pending::<()>().await;
    }));
    tokio::select! {
        ends = work => ends,
        _ = feeds => Vec::new(),
    }
}

fn grounds(wishes: &[Wish]) -> BTreeMap<&str, Ground> {
    let mut components: BTreeMap<&str, BTreeMap<WorkloadKind, BTreeSet<String>>> = BTreeMap::new();
    for wish in wishes {
        let by_kind = components.entry(&wish.namespace).or_default();
        for component in &wish.components {
            by_kind.entry(component.kind()).or_default().insert(component.name.clone());
        }
    }
    let ground = |namespace: &str, by_kind: BTreeMap<WorkloadKind, BTreeSet<String>>| {
        let view = View::of(by_kind.keys().copied());
        let subject = |(kind, names): (WorkloadKind, BTreeSet<String>)| {
            let names: Vec<String> = names.into_iter().collect();
            Subject { namespace: namespace.to_owned(), kind, selector: workload::selector(&names) }
        };
        Ground { subjects: by_kind.into_iter().map(subject).collect(), view, records: Records::default() }
    };
    components.into_iter().map(|(namespace, by_kind)| (namespace, ground(namespace, by_kind))).collect()
}
