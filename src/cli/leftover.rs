//! Components that an application had and its manifest does not name any more.

use std::time::Duration;

use crate::cli::failure::Failure;
use crate::cli::setting::{Setting, unreachable};
use crate::cli::ui::Ui;
use crate::cli::until::{Until, Verdict};
use crate::cli::{delete, gather};
use crate::cluster::record;
use crate::driver::delete::{Scope, inventory};
use crate::driver::wish::Wish;

/// The components that are left, of all applications that are wished for.
///
/// # Errors
///
/// A cluster that cannot be read.
pub async fn find(setting: &Setting, wishes: &[Wish]) -> Result<Vec<Scope>, Failure> {
    let mut left = Vec::new();
    for wish in wishes {
        let names = wish.component_names();
        let known = record::load_all(&setting.session, &wish.namespace).await.map_err(unreachable)?;
        let of_application = known
            .into_iter()
            .map(|stored| stored.record)
            .filter(|record| record.application == wish.application);
        left.extend(of_application.filter(|record| !names.contains(&record.component)).map(|record| Scope {
            namespace: wish.namespace.clone(),
            application: record.application,
            component: Some(record.component),
        }));
    }
    Ok(left)
}

/// Says that they stay.
pub fn tell(left: &[Scope], ui: &mut Ui) {
    for Scope { namespace, application, component } in left {
        let component = component.as_deref().unwrap_or_default();
        let ways = format!("`--prune` of `apply` removes it, and so does `rollout delete {component}`");
        ui.warn(&format!(
            "component `{component}` of application `{application}` is not in the manifest and stays; {}",
            ui.flags().in_namespace(namespace).repeated(&ways)
        ));
    }
}

/// Shows on a terminal what is to go, and asks.
///
/// # Errors
///
/// No for an answer, and a cluster that cannot be read.
pub async fn ask(setting: &Setting, wishes: &[Wish], ui: &mut Ui) -> Result<(), Failure> {
    let mut found = Vec::new();
    for scope in &find(setting, wishes).await? {
        found.extend(inventory(&setting.session, scope).await?);
    }
    if found.is_empty() { Ok(()) } else { delete::ask(&found, ui) }
}

/// Removes them, where everything that is wished for is rolled out to its end.
///
/// # Errors
///
/// Another run that does not end in time, and a cluster that refuses.
pub async fn prune(
    setting: &Setting,
    wishes: &[Wish],
    patience: Duration,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let left = find(setting, wishes).await?;
    if left.is_empty() {
        return Ok(());
    }
    for wish in wishes {
        let names = wish.component_names();
        let mut items = gather::statuses(&setting.session, &wish.namespace).await.map_err(unreachable)?;
        items.retain(|item| names.contains(&item.component));
        if Until::Done.judge_all(&items) != Verdict::Reached {
            ui.status(&format!("{}: not yet at its end, so nothing is removed", wish.application));
            return Ok(());
        }
    }
    delete::remove(setting, &left, patience, ui, |ui, line| ui.status(line.trim_end())).await
}
