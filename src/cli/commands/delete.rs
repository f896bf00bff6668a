//! `rollout delete`: what an application owns goes, after it was shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser as NonEmpty;

use crate::cli::commands::gather;
use crate::cli::connect::client::Access;
use crate::cli::connect::setting::{self, Setting, unreachable};
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{GlobalArgs, LockArg};
use crate::cli::input;
use crate::cli::terminal::ui::{Answer, Ui};
use crate::cluster::owned_objects::OwnedObject;
use crate::cluster::record_store;
use crate::driver::delete::{self, Extent, Removed, Remover};
use crate::driver::inventory::{self, Inventory, Scope};
use crate::report::text::sanitise;

/// Delete applications or components, with everything that they own
///
/// Deletes workloads with their pods, Services, revisions and run records, but nothing that the application did not
/// create. On a terminal, lists them first and asks for confirmation. Volumes claimed by a StatefulSet are kept, as with
/// kubectl. Waits one minute for finalizers, then exits with 3; rerun the command to resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Delete these applications or components, or the applications in these manifests
    ///
    /// An argument is a manifest if it is an existing file or directory, ends in `.yaml`, `.yml` or `.json`, or is `-`.
    #[arg(value_name = "FILE|NAME", required_unless_present = "filename", value_parser = NonEmpty::new())]
    pub names: Vec<String>,

    /// Delete the applications in this manifest, as with kubectl; can be repeated
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,

    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,

    /// Only print what would be deleted
    #[arg(long, value_name = "WHERE", require_equals = true, value_parser = ["client"])]
    pub dry_run: Option<String>,

    /// How long to wait in line.
    #[command(flatten)]
    pub lock: LockArg,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout delete app.yaml
  $ rollout delete express-server --yes
  $ rollout delete shop --dry-run=client";

/// Runs the command.
///
/// # Errors
///
/// A name that nothing goes by, a manifest that is wrong, no for an answer, and a cluster that refuses.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let words = args.names.iter().map(|word| gather::plain(word));
    let (files, names): (Vec<&str>, Vec<&str>) = words.partition(|word| is_manifest(word));
    let files: Vec<PathBuf> = args.filename.iter().cloned().chain(files.iter().map(PathBuf::from)).collect();
    let applications = if files.is_empty() { Vec::new() } else { input::applications(&files, ui)? };
    let setting = setting::open(global, Access::Write, ui).await?;
    let mut scopes = Vec::new();
    for application in &applications {
        let namespace = setting.connection.namespaces.resolve(application.namespace.as_deref()).to_owned();
        scopes.push(Scope { namespace, application: application.name.clone(), component: None });
    }
    for name in names {
        scopes.push(named(&setting, name).await?);
    }
    let mut inventories = Vec::new();
    for scope in &scopes {
        inventories.push(inventory::take(&setting.session, scope).await?);
    }
    let found: Vec<&OwnedObject> = inventories.iter().flat_map(|inventory| &inventory.objects).collect();
    let patience = args.lock.lock_timeout.unsigned_abs();
    if found.is_empty() {
        ui.status("nothing to delete");
        for inventory in &inventories {
            if args.dry_run.is_none()
                && inventory::is_unfinished(&setting.session, &inventory.scope).await.map_err(unreachable)?
            {
                remove(&setting, inventory, Extent::Scope, patience, ui).await?;
            }
        }
        return Ok(exit::SUCCESS);
    }
    if args.dry_run.is_some() {
        ui.data(
            &found.iter().map(|owned| format!("{} would be deleted\n", shown(owned))).collect::<String>(),
        );
        return Ok(exit::SUCCESS);
    }
    let extent = if args.yes { Extent::Scope } else { ask(&found, ui)? };
    for inventory in &inventories {
        remove(&setting, inventory, extent, patience, ui).await?;
    }
    Ok(exit::SUCCESS)
}

/// Shows on a terminal what is to go, and asks. What was shown is all that may go.
///
/// # Errors
///
/// No for an answer.
pub fn ask(found: &[&OwnedObject], ui: &mut Ui) -> Result<Extent, Failure> {
    let lists = found.chunk_by(|one, next| one.namespace() == next.namespace()).map(|owned| {
        let lines: String = owned.iter().map(|owned| format!("  {}\n", shown(owned))).collect();
        format!("To be deleted from namespace `{}`, with all pods:\n{lines}", sanitise(owned[0].namespace()))
    });
    match ui.confirm(&format!("{}Delete?", lists.collect::<String>()))? {
        Answer::Yes => Ok(Extent::Inventory),
        Answer::NotAsked => Ok(Extent::Scope),
        Answer::No => Err(Failure::message(Kind::Refused, "nothing was changed")),
    }
}

/// Removes an inventory and prints each object that is gone.
async fn remove(
    setting: &Setting,
    inventory: &Inventory,
    extent: Extent,
    patience: Duration,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let application = &inventory.scope.application;
    let remover = Remover { identity: &setting.identity, patience };
    let removed = delete::delete(&setting.session, inventory, extent, remover, |said| match said {
        delete::DeleteEvent::Waiting(holder) => ui.status(&waiting(application, holder)),
        delete::DeleteEvent::Removed(owned) => ui.data(&format!("{} deleted\n", shown(owned))),
        delete::DeleteEvent::Awaited(owned, finalizers) => ui.status(&held(owned, finalizers)),
    });
    match removed.await? {
        Removed::Everything => Ok(()),
        Removed::Overtaken(failure) => Err(failure.into()),
    }
}

/// Whom a removal waits for.
pub fn waiting(application: &str, holder: &str) -> String {
    format!("{application}: waiting for the run of `{holder}`, which holds the lease")
}

/// What holds an object that is on its way out.
pub fn held(owned: &OwnedObject, finalizers: &[String]) -> String {
    let finalizers = finalizers.join(", ");
    format!("{} is being deleted, blocked by its finalizers: {}", shown(owned), sanitise(&finalizers))
}

/// An object on one line.
pub fn shown(owned: &OwnedObject) -> String {
    sanitise(&owned.to_string()).into_owned()
}

fn is_manifest(word: &str) -> bool {
    let path = Path::new(word);
    word == "-" || input::is_named_so(path) || word.contains('/') || path.exists()
}

/// A component of that name, or else an application.
async fn named(setting: &Setting, name: &str) -> Result<Scope, Failure> {
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let known = record_store::load_records(&setting.session, &namespace).await.map_err(unreachable)?;
    let records = || known.iter().map(|stored| &stored.record);
    if let Some(record) = records().find(|record| record.component == name) {
        let (application, component) = (record.application.clone(), Some(record.component.clone()));
        return Ok(Scope { namespace, application, component });
    }
    if records().any(|record| record.application == name) {
        return Ok(Scope { namespace, application: name.to_owned(), component: None });
    }
    let gone = Scope { namespace: namespace.clone(), application: name.to_owned(), component: None };
    if inventory::is_unfinished(&setting.session, &gone).await.map_err(unreachable)? {
        return Ok(gone);
    }
    let names: Vec<&str> = records().map(|record| record.component.as_str()).collect();
    Err(gather::unknown(name, &names, &namespace))
}
