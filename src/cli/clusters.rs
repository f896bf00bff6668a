//! The clusters that a command acts on: one, or those of several contexts or of a fleet's file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::hints::flags::HintFlags;
use crate::cli::input::Manifests;
use crate::cli::selection::{SelectedCluster, Selection, select_clusters};
use crate::cli::terminal::ui::Ui;
use crate::ops::manifest::FileOverrides;
use crate::ops::{Overrides, RolloutRequest, apply};
use crate::report::message::in_cluster;

/// One of the clusters that a command acts on.
pub struct Cluster {
    /// Its name; `None` if the command acts on a single cluster.
    pub name: Option<String>,
    /// The connection to it.
    pub env: Env,
    /// The flags added to the commands in its hints.
    pub flags: HintFlags,
    /// Its wave, zero-based.
    pub wave: usize,
    /// How it changes the components of manifests.
    pub overrides: Option<FileOverrides>,
}

/// The clusters that a command acts on.
pub struct Clusters {
    /// Each of them, in the order of the waves.
    pub all: Vec<Cluster>,
    /// How long each wave must stay ready before the next one; `None` is the command line's value.
    pub soaks: Vec<Option<Duration>>,
}

/// A cluster with the requests for it.
pub type ClusterRequests<'a> = (&'a Cluster, &'a [RolloutRequest]);

impl Clusters {
    /// Connects to the clusters that the flags select. Sends nothing.
    ///
    /// # Errors
    ///
    /// If the selection is invalid or a client cannot be built.
    pub async fn open(global: &GlobalArgs, access: Access, ui: &mut Ui) -> Result<Self, CommandError> {
        Self::connect(select_clusters(global)?, access, ui).await
    }

    /// Connects to clusters. Sends nothing.
    ///
    /// # Errors
    ///
    /// If two clusters are the same, or a client cannot be built.
    pub async fn connect(selection: Selection, access: Access, ui: &mut Ui) -> Result<Self, CommandError> {
        let mut all: Vec<Cluster> = Vec::new();
        for SelectedCluster { name, args, wave, overrides, origin } in selection.clusters {
            // All events count from the same moment.
            let clock = all.first().map(|first| first.env.context.session.clock().clone());
            let opened = Env::open_with(&args, access, clock, ui).await;
            let env = opened.map_err(|failure| match (&origin, &name) {
                (Some(origin), _) => failure.prefixed(&format!("{}:{}", origin.file, origin.line)),
                (None, Some(name)) => failure.prefixed(&format!("cluster `{name}`")),
                (None, None) => failure,
            })?;
            let flags = if name.is_some() { ui.flags().in_cluster(&args) } else { ui.flags().clone() };
            let cluster = Cluster { name, env, flags, wave, overrides };
            if let Some(twin) = all.iter().find(|other| other.is_at_same_place(&cluster)) {
                return Err(same_place(twin.label(), cluster.label()));
            }
            all.push(cluster);
        }
        Ok(Self { all, soaks: selection.soaks })
    }

    /// The requests of the manifests for each cluster, in the order of the clusters.
    ///
    /// # Errors
    ///
    /// If manifests contradict each other, or two clusters are the same for an application.
    pub fn requests(
        &self,
        manifests: &Manifests,
        overrides: &Overrides,
        ui: &mut Ui,
    ) -> Result<Vec<Vec<RolloutRequest>>, CommandError> {
        let mut places: BTreeMap<(String, String), &str> = BTreeMap::new();
        let mut requests = Vec::new();
        for cluster in &self.all {
            let changed = match &cluster.overrides {
                None => Cow::Borrowed(manifests.applications.as_slice()),
                Some(changes) => Cow::Owned(manifests.overridden(changes, ui)?),
            };
            let asked = apply::requests(&changed, overrides, |namespace| cluster.env.resolve(namespace));
            let asked = asked.map_err(|failure| cluster.attributed(failure))?;
            let connection = &cluster.env.connection;
            let namespaces = asked.iter().map(|request| request.namespace.as_str());
            // The namespace of a manifest may make two contexts of one server the same place.
            for namespace in namespaces.filter(|_| connection.sandbox.is_none()).collect::<BTreeSet<_>>() {
                let place = (connection.server.to_string(), namespace.to_owned());
                if let Some(twin) = places.insert(place, cluster.label()) {
                    return Err(same_place(twin, cluster.label()));
                }
            }
            requests.push(asked);
        }
        Ok(requests)
    }
}

impl Cluster {
    /// Its name for messages.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("the cluster")
    }

    /// Connects to the one cluster that the flags select. Sends nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Env::open`].
    pub async fn only(global: &GlobalArgs, access: Access, ui: &mut Ui) -> Result<Self, CommandError> {
        let env = Env::open(global, access, ui).await?;
        Ok(Self { name: None, env, flags: ui.flags().clone(), wave: 0, overrides: None })
    }

    /// A sentence about the cluster, prefixed with its name if the command acts on several.
    pub fn sentence(&self, text: &str) -> String {
        self.name.as_ref().map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"))
    }

    /// The name of one of its components, as printed in events.
    pub fn qualified(&self, component: &str) -> String {
        in_cluster(self.name.as_deref(), component)
    }

    /// A hint about a namespace of the cluster, with the missing flags added to its commands.
    pub fn hint(&self, namespace: &str, hint: &str) -> String {
        if namespace == self.env.namespace() {
            return self.flags.add_to(hint);
        }
        // The manifest sets this namespace, so no environment variable selects it for the command.
        self.flags.in_namespace(namespace).add_to(hint)
    }

    /// A failure that names the cluster, with hints that select it.
    pub fn attributed(&self, failure: impl Into<CommandError>) -> CommandError {
        let failure = failure.into();
        let Some(name) = &self.name else { return failure };
        let mut failure = failure.prefixed(&format!("cluster `{name}`"));
        failure.hints.iter_mut().for_each(|hint| *hint = self.flags.add_to(hint));
        failure
    }

    fn is_at_same_place(&self, other: &Self) -> bool {
        let (one, other) = (&self.env, &other.env);
        // Each sandbox is a separate cluster.
        one.connection.sandbox.is_none()
            && one.connection.server.to_string() == other.connection.server.to_string()
            && one.namespace() == other.namespace()
    }
}

fn same_place(one: &str, other: &str) -> CommandError {
    let message = format!("`{one}` and `{other}` are the same cluster and namespace");
    CommandError::message(Kind::Usage, message).hint("omit one of them")
}

/// Combines the failures of clusters. Prints them if there are several; the result then has the highest exit code.
///
/// # Errors
///
/// If there is any failure.
pub fn all_or_failure(mut failures: Vec<CommandError>, ui: &mut Ui) -> Result<(), CommandError> {
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0)),
        _ => {
            failures.iter().for_each(|failure| ui.fail(failure));
            let worst = failures.iter().max_by_key(|failure| failure.kind.exit_code());
            Err(CommandError::reported(worst.map_or(Kind::Internal, |failure| failure.kind)))
        }
    }
}
