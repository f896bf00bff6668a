//! Which clusters the flags select: one, those of several `--context`, or those of a fleet's file, of which `--context`
//! can select some.
//!
//! An invalid selection is rejected here, before the first request.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::input;
use crate::ops::manifest::{self, FileOverrides, Fleet, FleetCluster, ManifestErrors, Origin, Problem};
use crate::report::text::list_literals;

/// The clusters that the flags select.
#[derive(Debug)]
pub struct Selection {
    /// Each of them, in the order of the waves; at least one.
    pub clusters: Vec<SelectedCluster>,
    /// How long each wave must stay ready before the next one; `None` is the command line's value.
    pub soaks: Vec<Option<Duration>>,
}

/// One of the clusters.
#[derive(Debug)]
pub struct SelectedCluster {
    /// Its name; `None` if the flags select no fleet.
    pub name: Option<String>,
    /// The flags that select it alone.
    pub args: GlobalArgs,
    /// Its wave, zero-based.
    pub wave: usize,
    /// How it changes the components of manifests.
    pub overrides: Option<FileOverrides>,
    /// Its place in the fleet's file.
    pub origin: Option<Origin>,
}

/// Whether the flags may select several clusters.
pub fn is_fleet(global: &GlobalArgs) -> bool {
    global.fleet.is_some() || global.context.len() > 1
}

/// The clusters that the flags select.
///
/// # Errors
///
/// If the file is invalid, or the selection contradicts itself.
pub fn select_clusters(global: &GlobalArgs) -> Result<Selection, CommandError> {
    if let Some(first) = first_twice(&global.context) {
        return Err(usage(format!("context `{first}` appears twice")).hint("omit one of them"));
    }
    let selection = match &global.fleet {
        Some(file) => of_file(global, file)?,
        None if is_fleet(global) => of_contexts(global),
        None => of_one(global),
    };
    if global.cluster.is_some() && selection.clusters.len() > 1 {
        let message = "`--cluster` selects one cluster, but the contexts select several";
        return Err(usage(message).hint("omit it: each context has its cluster"));
    }
    let files: BTreeSet<_> = selection.clusters.iter().map(|cluster| &cluster.args.sandbox).collect();
    let is_persistent = matches!(global.sandbox, Some(Some(_)));
    if is_persistent && files.len() < selection.clusters.len() {
        return Err(
            usage("two clusters share one sandbox file").hint("their names must differ in letters or digits")
        );
    }
    Ok(selection)
}

/// The flags of a command that acts on one cluster.
///
/// # Errors
///
/// If the flags select several clusters, and those of [`select_clusters`].
pub fn only(global: &GlobalArgs) -> Result<GlobalArgs, CommandError> {
    let mut selection = select_clusters(global)?;
    selection.refuse_several()?;
    Ok(selection.clusters.remove(0).args)
}

impl Selection {
    /// Refuses several clusters.
    ///
    /// # Errors
    ///
    /// If there are several; the message names them.
    pub fn refuse_several(&self) -> Result<(), CommandError> {
        if self.clusters.len() == 1 {
            return Ok(());
        }
        let names: Vec<&String> = self.clusters.iter().filter_map(|cluster| cluster.name.as_ref()).collect();
        let message =
            format!("this command acts on one cluster, but the flags select {}", list_literals(&names));
        Err(usage(message).hint("choose one with `--context`"))
    }
}

/// Refuses a flag that acts on one cluster if several clusters are selected.
///
/// # Errors
///
/// If the flag is given and refused.
pub fn refuse_for_several(selection: &Selection, flag: Option<&str>) -> Result<(), CommandError> {
    match flag.filter(|_| selection.clusters.len() > 1) {
        None => Ok(()),
        Some(flag) => {
            let message = format!("`{flag}` acts on one cluster, but the flags select a fleet");
            Err(usage(message).hint("run it for each cluster, with one `--context`"))
        }
    }
}

/// Refuses a cluster whose file overrides components, for a command that takes manifests as they are.
///
/// # Errors
///
/// If components are overridden, and those of [`select_clusters`].
pub fn refuse_overrides(global: &GlobalArgs) -> Result<(), CommandError> {
    let clusters = select_clusters(global)?.clusters;
    let overridden = clusters.into_iter().filter(|cluster| cluster.overrides.is_some());
    let Some(name) = overridden.filter_map(|cluster| cluster.name).next() else { return Ok(()) };
    let message =
        format!("this command takes manifests as they are, and the fleet overrides components for `{name}`");
    Err(usage(message)
        .hint("select the cluster with `--context` alone, and give manifests that are meant for it"))
}

fn usage(message: impl Into<String>) -> CommandError {
    CommandError::message(Kind::Usage, message)
}

fn first_twice(names: &[String]) -> Option<&String> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(*name))
}

/// The one cluster of a command line without a fleet.
fn of_one(global: &GlobalArgs) -> Selection {
    let only = SelectedCluster { name: None, args: global.clone(), wave: 0, overrides: None, origin: None };
    Selection { clusters: vec![only], soaks: vec![None] }
}

/// A wave for each context.
fn of_contexts(global: &GlobalArgs) -> Selection {
    let clusters = global.context.iter().enumerate().map(|(wave, context)| SelectedCluster {
        name: Some(context.clone()),
        args: args_of(global, context, context, None),
        wave,
        overrides: None,
        origin: None,
    });
    Selection { clusters: clusters.collect(), soaks: vec![None; global.context.len()] }
}

fn of_file(global: &GlobalArgs, file: &Path) -> Result<Selection, CommandError> {
    if file == Path::new("-") {
        return Err(usage("the file of a fleet cannot be read from stdin"));
    }
    let sources = input::read(&[file.to_owned()], std::io::empty())?;
    let [source] = sources.as_slice() else {
        return Err(usage(format!("`--fleet` takes one file, and `{}` is a directory", file.display())));
    };
    let wrong = |errors: ManifestErrors| CommandError::new(Kind::Manifest, errors);
    let Fleet { waves } = manifest::parse_fleet(source).map_err(wrong)?;
    let all: Vec<&FleetCluster> = waves.iter().flat_map(|wave| &wave.clusters).collect();
    let mut selected: BTreeSet<&str> = BTreeSet::new();
    for wanted in &global.context {
        let of_name = all.iter().filter(|cluster| cluster.name == *wanted);
        let mut found: Vec<&str> = of_name.map(|cluster| cluster.name.as_str()).collect();
        if found.is_empty() {
            let of_context = all.iter().filter(|cluster| cluster.context == *wanted);
            found = of_context.map(|cluster| cluster.name.as_str()).collect();
        }
        if found.is_empty() {
            let names: Vec<&str> = all.iter().map(|cluster| cluster.name.as_str()).collect();
            return Err(usage(format!("fleet `{}` has no cluster `{wanted}`", source.name))
                .hint(format!("it has {}", list_literals(&names))));
        }
        selected.extend(found);
    }
    check_namespaces(global, &all).map_err(wrong)?;
    let is_selected =
        |cluster: &&FleetCluster| selected.is_empty() || selected.contains(cluster.name.as_str());
    let waves = waves.iter().map(|wave| (wave, wave.clusters.iter().filter(is_selected).collect::<Vec<_>>()));
    let mut selection = Selection { clusters: Vec::new(), soaks: Vec::new() };
    for (wave, clusters) in waves.filter(|(_, clusters)| !clusters.is_empty()) {
        let place = selection.soaks.len();
        selection.soaks.push(wave.soak_seconds.map(Duration::from_secs));
        selection.clusters.extend(clusters.into_iter().map(|cluster| SelectedCluster {
            name: Some(cluster.name.clone()),
            args: args_of(global, &cluster.context, &cluster.name, cluster.namespace.as_ref()),
            wave: place,
            overrides: cluster.overrides.clone(),
            origin: Some(cluster.origin.clone()),
        }));
    }
    Ok(selection)
}

/// Checks that `--namespace` does not contradict the file.
fn check_namespaces(global: &GlobalArgs, all: &[&FleetCluster]) -> Result<(), ManifestErrors> {
    let Some(flag) = &global.namespace else { return Ok(()) };
    let problems = all.iter().filter_map(|cluster| {
        let namespace = cluster.namespace.as_ref().filter(|namespace| *namespace != flag)?;
        let Origin { file, line, column } = cluster.origin.clone();
        let message = format!("`{namespace}` for cluster `{}`, and `--namespace` is `{flag}`", cluster.name);
        let hint = Some("omit one of them".to_owned());
        Some(Problem { file, line, column, path: "namespace".to_owned(), message, hint })
    });
    let problems: Vec<Problem> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(ManifestErrors { problems }) }
}

/// The flags that select one of the clusters.
fn args_of(global: &GlobalArgs, context: &str, name: &str, namespace: Option<&String>) -> GlobalArgs {
    let sandbox = global.sandbox.as_ref().map(|file| file.as_ref().map(|file| sandbox_file(file, name)));
    GlobalArgs {
        context: vec![context.to_owned()],
        namespace: namespace.or(global.namespace.as_ref()).cloned(),
        fleet: None,
        sandbox,
        ..global.clone()
    }
}

/// The file of a cluster's sandbox: `box.json` of cluster `eu` is `box.eu.json`.
fn sandbox_file(file: &Path, name: &str) -> PathBuf {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let name: String = name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let end = file.extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    file.with_file_name(format!("{stem}.{name}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn selected(flags: &[&str]) -> Result<Selection, String> {
        let typed = ["rollout", "status"].iter().chain(flags);
        let cli = crate::cli::Cli::try_parse_from(typed).unwrap();
        select_clusters(&cli.global).map_err(|failure| failure.error.to_string())
    }

    #[test]
    fn each_context_is_a_wave() {
        let fleet = selected(&["--context", "eu", "--context", "us", "--sandbox=d/box.json"]).unwrap();
        let shown = |one: &SelectedCluster| {
            (one.name.clone(), one.args.context.clone(), one.wave, one.args.sandbox.clone().flatten())
        };
        let expected = |name: &str, wave, file: &str| {
            (Some(name.to_owned()), vec![name.to_owned()], wave, Some(PathBuf::from(file)))
        };
        let shown: Vec<_> = fleet.clusters.iter().map(shown).collect();
        assert_eq!(shown, [expected("eu", 0, "d/box.eu.json"), expected("us", 1, "d/box.us.json")]);
        assert_eq!(fleet.soaks, [None, None]);
    }

    #[test]
    fn one_context_is_not_a_fleet() {
        for flags in [["--context", "eu"].as_slice(), &[]] {
            let selection = selected(flags).unwrap();
            assert!(selection.clusters.len() == 1 && selection.clusters[0].name.is_none(), "{selection:?}");
        }
    }

    #[test]
    fn contradictory_selections_are_rejected() {
        let cases: [(&[&str], &str); 3] = [
            (&["--context", "eu", "--context", "eu"], "context `eu` appears twice"),
            (
                &["--context", "eu", "--context", "us", "--cluster", "x"],
                "`--cluster` selects one cluster, but the contexts select several",
            ),
            (
                &["--context", "a/b", "--context", "a.b", "--sandbox=box.json"],
                "two clusters share one sandbox file",
            ),
        ];
        for (flags, message) in cases {
            assert_eq!(selected(flags).unwrap_err(), message);
        }
    }

    #[test]
    fn contexts_select_clusters_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fleet.yaml");
        let text = "waves:\n- clusters: [{name: eu, context: c-eu, namespace: shop}]\n  soak: 1m\n\
                    - clusters: [{name: us, context: c-us}, {name: asia, context: c-asia}]\n";
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let all = selected(&["--fleet", file]).unwrap();
        let waves: Vec<_> = all.clusters.iter().map(|one| (one.name.as_deref().unwrap(), one.wave)).collect();
        assert_eq!(waves, [("eu", 0), ("us", 1), ("asia", 1)]);
        assert_eq!(all.soaks, [Some(Duration::from_mins(1)), None]);
        let some = selected(&["--fleet", file, "--context", "asia", "-n", "shop"]).unwrap();
        let [asia] = some.clusters.as_slice() else { panic!("{some:?}") };
        assert_eq!((asia.args.context.as_slice(), asia.wave), (["c-asia".to_owned()].as_slice(), 0));
        let problem = selected(&["--fleet", file, "--context", "mars"]).unwrap_err();
        assert!(problem.ends_with("has no cluster `mars`"), "{problem}");
        let problem = selected(&["--fleet", file, "-n", "other"]).unwrap_err();
        assert!(problem.contains("fleet.yaml:2:14: namespace: `shop` for cluster `eu`"), "{problem}");
    }
}
