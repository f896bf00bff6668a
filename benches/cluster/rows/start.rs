//! How long a command takes that does nothing or one read, beside kubectl's; and the program's size.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::drivers::{Contestant, Driver};
use crate::objects::Fleet;
use crate::plane::ready_after;
use crate::process::measure;
use crate::results::{Section, conditions};
use crate::samples::Samples;

/// Runs for each pair that was asked for: they are short.
const TIMES: usize = 3;

pub(crate) fn run(bench: &mut Bench) {
    let fleet = Fleet::one("start", 2, 1);
    let _component = Contestant::new(bench, Driver::Rollout, fleet, &ready_after(0));
    let runs = bench.pairs * TIMES;
    let program = bench.program.clone();
    let plane = bench.plane();
    let kubectl = plane.kubectl();
    let log = plane.folder().join("start.log");
    let timed = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        measure(command.args(arguments).env("KUBECONFIG", &plane.kubeconfig), &log)
    };
    let ours = |arguments: &[&str]| timed(&program.display().to_string(), arguments);
    let theirs = |arguments: &[&str]| {
        timed(
            &kubectl[0],
            &[&kubectl[1..].iter().map(String::as_str).collect::<Vec<_>>(), arguments].concat(),
        )
    };
    let pairs: [(&[&str], &[&str], &str); 2] = [
        (&["--version"], &["version", "--client"], "≤ 0.1"),
        (&["status", "-n", "start"], &["get", "deployments", "-n", "start"], "≤ 0.4"),
    ];
    let mut rows = Vec::new();
    for (our_arguments, their_arguments, goal) in pairs {
        let (mut our_runs, mut their_runs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            our_runs.push(ours(our_arguments));
            their_runs.push(theirs(their_arguments));
        }
        let walls = |runs: &[crate::process::Measured]| runs.iter().map(|run| run.wall).collect::<Vec<f64>>();
        let (our_walls, their_walls) = (walls(&our_runs), walls(&their_runs));
        rows.push(vec![
            format!("`rollout {}`", our_arguments[0]),
            format!("{} ms", Samples::new(our_walls.iter().map(|wall| wall * 1000.0))),
            format!(
                "`kubectl {}`: {} ms",
                their_arguments[0],
                Samples::new(their_walls.iter().map(|wall| wall * 1000.0))
            ),
            Samples::ratios(&our_walls, &their_walls).to_string(),
            goal.to_owned(),
        ]);
    }
    let mut section = Section::new("start", "Start");
    section.text(&conditions(runs));
    section.table(&["command", "time", "reference", "ratio", "goal"], &rows);
    section.text(&format!("The program has {:.1} MiB.", size_mib(&program)));
    section.publish();
    bench.end_plane();
}

fn size_mib(program: &Path) -> f64 {
    program.metadata().unwrap().len() as f64 / 1024.0 / 1024.0
}
