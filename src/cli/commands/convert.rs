//! `rollout convert`: generates an Application from existing objects.

use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{GlobalArgs, ManifestArgs};
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::ops::convert::{ConvertOptions, Release, convert, parse_objects};

/// Print an Application that renders the given objects
///
/// Reads YAML or JSON, also lists and the output of `helm template` and `kustomize build`. Workloads become components
/// of the type that fits, with traits for what the type has no properties for; other objects become a `k8s-objects`
/// component. AnalysisTemplates of Argo Rollouts become gates of the `rollout` trait; alone, they become the properties
/// to put there. Applications among the objects are printed as they are. Comments say what could not be carried over.
///
/// Objects stay in their namespaces. The Application is in that of `--namespace`, which is also that of objects without
/// one; by default, in that of the first workload. Sends nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ConvertArgs {
    /// What is converted.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Give the Application this name; by default that of its first workload
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Add the `rollout` trait, with the present number of replicas, where the type can have it
    #[arg(long)]
    pub rollout: bool,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout convert deployment.yaml service.yaml --rollout
  $ kubectl get deploy,service web -o yaml | rollout convert - > app.yaml
  $ helm template shop ./chart | rollout convert - --name shop
  $ kubectl get deploy/web analysistemplate/errors -o yaml | rollout convert - --rollout";

/// Runs the command.
///
/// # Errors
///
/// If the input is not an object, or the name is invalid for an application.
pub fn run(args: &ConvertArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let sources = input::read(&args.manifests.paths(), ui.stdin())?;
    let objects = parse_objects(&sources).map_err(|errors| CommandError::new(Kind::Manifest, errors))?;
    let release = if args.rollout { Release::InBatches } else { Release::AsAWhole };
    let (name, namespace) = (args.name.as_deref(), global.namespace.as_deref());
    let application = convert(&objects, ConvertOptions { name, namespace, release });
    ui.data(&application.map_err(|error| CommandError::new(Kind::Usage, error))?);
    Ok(exit::SUCCESS)
}
