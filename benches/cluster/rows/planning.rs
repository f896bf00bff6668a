//! `rollout plan` of many components without a cluster: reading the manifest, rendering and planning.

use std::process::Command;

use crate::bench::Bench;
use crate::objects::Fleet;
use crate::process::{Measured, measure};
use crate::results::{Section, conditions};
use crate::samples::{Samples, exponent};

/// How many components.
const SIZES: [usize; 4] = [1, 100, 1_000, 10_000];

pub(crate) fn run(bench: &mut Bench) {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    let mut points = Vec::new();
    for components in SIZES {
        // A manifest may have 3 MiB.
        let applications = components.div_ceil(1_000);
        let namespaces = (0..applications).map(|nth| format!("shop-{nth}")).collect();
        let fleet = Fleet { namespaces, components, replicas: 10, batches: 3 };
        let manifests = folder.path().join(components.to_string());
        fleet.write_manifests(1, &manifests);
        let runs: Vec<Measured> = (0..bench.pairs)
            .map(|_| {
                let mut command = Command::new(&bench.program);
                measure(command.args(["plan", "--sandbox"]).arg(&manifests), &folder.path().join("log"))
            })
            .collect();
        let wall = Samples::new(runs.iter().map(|run| run.wall * 1000.0));
        let peak = Samples::new(runs.iter().map(|run| run.peak_mib));
        if components >= 100 {
            points.push((components as f64, (wall.median(), peak.median())));
        }
        let goal = if components == 1_000 { "≤ 50 ms, ≤ 40 MiB" } else { "" };
        rows.push(vec![components.to_string(), wall.to_string(), format!("{peak}"), goal.to_owned()]);
    }
    let growth = |of: fn(&(f64, f64)) -> f64| {
        exponent(&points.iter().map(|(size, values)| (*size, of(values))).collect::<Vec<_>>())
    };
    let (time, memory) = (growth(|values| values.0), growth(|values| values.1));
    let mut section = Section::new("plan", "`rollout plan` without a cluster");
    section.text(&conditions(bench.pairs));
    section.table(&["components", "ms, start included", "peak, MiB", "goal"], &rows);
    section.text(&format!(
        "Exponents of growth from 100 components on: time {time:.2}, memory {memory:.2} (goal ≤ 1.1)."
    ));
    section.publish();
}
