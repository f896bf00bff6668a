//! `rollout delete`: deletes what an application owns, after listing it.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser as NonEmpty;

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::directories::is_named_so;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{GateArg, GlobalArgs, LockArg, RecursiveArg};
use crate::cli::input::Manifests;
use crate::cli::interrupt::stoppable;
use crate::cli::terminal::ui::{Confirmation, Ui};
use crate::ops::component::without_prefix;
use crate::ops::delete::{self, DeleteEvent, DeleteExtent, Inventory, OwnedObject, Removed, Scope};
use crate::ops::{Context, Limits};
use crate::report::message;
use crate::report::text::{format_duration, list_literals, sanitise};

/// Delete applications or components, with everything that they own
///
/// Deletes workloads with their pods, Services, revisions and run records, but nothing that the application did not
/// create. On a terminal, lists them first and asks for confirmation. Volumes claimed by a StatefulSet are kept, as
/// with kubectl. Waits one minute for finalizers, then exits with 3; rerun the command to resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DeleteArgs {
    /// Delete these applications or components, or the applications in these manifests
    ///
    /// An argument is a manifest if it is an existing file or directory, ends in `.yaml`, `.yml` or `.json`, or is `-`.
    /// A name that both have means the component.
    #[arg(value_name = "FILE|NAME", required_unless_present = "filename", value_parser = NonEmpty::new())]
    pub names: Vec<String>,

    /// Delete the applications in this manifest, as with kubectl; can be repeated
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,

    /// How directories are read.
    #[command(flatten)]
    pub recursive: RecursiveArg,

    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,

    /// Only print what would be deleted
    #[arg(long, value_name = "WHERE", require_equals = true, value_parser = ["client"])]
    #[arg(num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: Option<String>,

    /// What the hooks of deleted runs may do.
    #[command(flatten)]
    pub gates: GateArg,

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
/// If a name matches nothing, a manifest is invalid, the user declines, or the cluster refuses.
pub async fn run(args: &DeleteArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let words = args.names.iter().map(|word| without_prefix(word));
    let (files, names): (Vec<&str>, Vec<&str>) = words.partition(|word| is_manifest(word));
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let files = args.recursive.paths(args.filename.iter().chain(&files));
    let applications = if files.is_empty() { Vec::new() } else { Manifests::read(&files, ui)?.applications };
    let env = Env::open(global, Access::Write, ui).await?;
    let lock = args.lock.lock_timeout.unsigned_abs();
    let limits = Limits { lock, gates: args.gates.trust(), ..Limits::default() };
    let context = Context { limits, ..env.context.clone() };
    let of_manifest = applications.iter().map(|application| Scope {
        namespace: env.resolve(application.namespace.as_deref()).to_owned(),
        application: application.name.clone(),
        component: None,
    });
    let mut scopes: Vec<Scope> = of_manifest.collect();
    for name in names {
        let scope = delete::find_scope(&context, env.namespace(), name).await?;
        let remaining = delete::remaining_components(&context, &scope).await?;
        if !remaining.is_empty() {
            ui.warn(&format!(
                "`{name}` is a component here: {} of application `{name}` remains; to delete the application, pass its \
                 manifest, or rerun the command after this",
                list_literals(&remaining)
            ));
        }
        scopes.push(scope);
    }
    let inventories = delete::take_inventories(&context, &scopes).await?;
    if inventories.iter().all(|inventory| inventory.objects.is_empty()) {
        ui.status("nothing to delete");
        for inventory in &inventories {
            if args.dry_run.is_none() && delete::is_unfinished(&context, &inventory.scope).await? {
                delete_inventory(&context, inventory, DeleteExtent::Scope, ui).await?;
            }
        }
        return Ok(exit::SUCCESS);
    }
    if args.dry_run.is_some() {
        inventories.iter().flat_map(|inventory| &inventory.kept).for_each(|owned| ui.status(&kept(owned)));
        let found = inventories.iter().flat_map(|inventory| &inventory.objects);
        ui.data(&found.map(|owned| format!("{} would be deleted\n", shown(owned))).collect::<String>());
        return Ok(exit::SUCCESS);
    }
    let extent = if args.yes { DeleteExtent::Scope } else { ask(&inventories, ui)? };
    stoppable(&context, async |context| {
        for inventory in &inventories {
            delete_inventory(context, inventory, extent, ui).await?;
        }
        Ok(exit::SUCCESS)
    })
    .await
}

/// Lists the objects to delete and asks for confirmation, on a terminal. If confirmed, only listed objects are deleted.
///
/// # Errors
///
/// If the user declines.
pub fn ask(inventories: &[Inventory], ui: &mut Ui) -> Result<DeleteExtent, CommandError> {
    let found: Vec<&OwnedObject> = inventories.iter().flat_map(|inventory| &inventory.objects).collect();
    if found.is_empty() {
        return Ok(DeleteExtent::Scope);
    }
    let lists = found.chunk_by(|one, next| one.namespace() == next.namespace()).map(|owned| {
        let lines: String = owned.iter().map(|owned| format!("  {}\n", shown(owned))).collect();
        format!("To be deleted from namespace `{}`, with all pods:\n{lines}", sanitise(owned[0].namespace()))
    });
    match ui.confirm(&format!("{}Delete?", lists.collect::<String>()))? {
        Confirmation::Yes => Ok(DeleteExtent::Inventory),
        Confirmation::NotAsked => Ok(DeleteExtent::Scope),
        Confirmation::No => Err(CommandError::message(Kind::Refused, "nothing was changed")),
    }
}

/// Deletes an inventory and prints each object that is gone.
async fn delete_inventory(
    context: &Context,
    inventory: &Inventory,
    extent: DeleteExtent,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let application = &inventory.scope.application;
    inventory.kept.iter().for_each(|owned| ui.status(&kept(owned)));
    let report = |event: DeleteEvent<'_>| {
        if let DeleteEvent::Removed(owned) = event {
            ui.data(&format!("{} deleted\n", shown(owned)));
        } else {
            print_event(application, &event, ui);
        }
    };
    match delete::delete(context, inventory, extent, report).await? {
        Removed::Everything => Ok(()),
        Removed::Overtaken(failure) => Err(failure.into()),
    }
}

/// The line about an object that stays.
pub fn kept(owned: &OwnedObject) -> String {
    format!("{} is kept: delete it with kubectl, if nothing needs it", shown(owned))
}

/// Prints an event of the deletion of an application.
pub fn print_event(application: &str, event: &DeleteEvent<'_>, ui: &mut Ui) {
    match event {
        DeleteEvent::Waiting(holder) => ui.status(&format!("{application}: {}", message::queued(holder))),
        DeleteEvent::Removed(owned) => ui.status(&format!("{} deleted", shown(owned))),
        DeleteEvent::Superseding(time) => {
            let time = format_duration((*time).try_into().unwrap_or_default());
            ui.status(&format!(
                "{application}: waiting {time} for late writes of the run that was in progress"
            ));
        }
        DeleteEvent::Warned(component, message) => ui.warn(&format!("{component}: {message}")),
        DeleteEvent::Awaited(owned, finalizers) => {
            let (owned, finalizers) = (shown(owned), finalizers.join(", "));
            let blocked = match sanitise(&finalizers) {
                // The finalizers of a namespace are in its spec.
                none if none.is_empty() => String::new(),
                finalizers => format!(", blocked by its finalizers: {finalizers}"),
            };
            ui.status(&format!("{owned} is being deleted{blocked}"));
        }
    }
}

/// An object on one line.
fn shown(owned: &OwnedObject) -> String {
    sanitise(&owned.to_string()).into_owned()
}

fn is_manifest(word: &str) -> bool {
    let path = Path::new(word);
    word == "-" || is_named_so(path) || word.contains('/') || path.exists()
}
