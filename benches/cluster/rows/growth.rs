//! How time, CPU, requests and memory grow with components, pods and batches.

use crate::audit;
use crate::bench::Bench;
use crate::drivers::{Contestant, Driver};
use crate::objects::Fleet;
use crate::plane::ready_after;
use crate::results::Section;
use crate::samples::exponent;

/// One upgrade, once.
struct Point {
    size: usize,
    wall: f64,
    cpu: f64,
    requests: f64,
    peak_mib: f64,
}

pub(crate) fn run(bench: &mut Bench) {
    let most = bench.most;
    let up_to = |sizes: &[usize], most: usize| -> Vec<usize> {
        sizes.iter().copied().filter(|size| *size <= most).collect()
    };
    let components: Vec<Point> = up_to(&[1, 10, 100, 300, 1_000, 3_000], most)
        .into_iter()
        .map(|size| measure_point(bench, size, "components", (size, 2, 1)))
        .collect();
    let replicas: Vec<Point> = up_to(&[10, 100, 1_000, 3_000, 10_000], most * 10)
        .into_iter()
        .map(|size| measure_point(bench, size, "replicas", (1, size, 5)))
        .collect();
    let batches: Vec<Point> = [1, 5, 10, 25, 50]
        .into_iter()
        .map(|size| measure_point(bench, size, "batches", (1, 50, size)))
        .collect();
    let mut section = Section::new("growth", "Growth");
    section.text(
        "One upgrade for each line, pods ready at once. Exponents are of the power law through all points but the\n\
         first: 1 is linear. Goal: ≤ 1.1.",
    );
    report(&mut section, "components of 2 pods, one batch", &components);
    report(&mut section, "pods of one component, 5 batches", &replicas);
    report(&mut section, "batches of one component of 50 pods", &batches);
    section.publish();
    bench.end_plane();
}

fn measure_point(
    bench: &mut Bench,
    size: usize,
    what: &str,
    (components, replicas, batches): (usize, usize, usize),
) -> Point {
    let namespace = format!("growth-{what}-{size}");
    let fleet = Fleet { namespaces: vec![namespace.clone()], components, replicas, batches };
    let mut contestant = Contestant::new(bench, Driver::Rollout, fleet, &ready_after(0));
    let log = bench.plane().audit.clone();
    let since = audit::end(&log);
    let run = contestant.upgrade(bench);
    let entries = audit::entries(&log, since, None);
    let agent = Driver::Rollout.agent();
    let requests = entries.iter().filter(|one| one.agent.starts_with(agent)).count() as f64;
    bench.plane().run_kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    Point { size, wall: run.wall, cpu: run.cpu, requests, peak_mib: run.peak_mib }
}

fn report(section: &mut Section, what: &str, points: &[Point]) {
    let mut rows: Vec<Vec<String>> = points
        .iter()
        .map(|one| {
            vec![
                one.size.to_string(),
                format!("{:.2}", one.wall),
                format!("{:.2}", one.cpu),
                format!("{:.0}", one.requests),
                format!("{:.1}", one.peak_mib),
            ]
        })
        .collect();
    let grown = &points[1.min(points.len() - 1)..];
    if grown.len() > 1 {
        let of = |value: fn(&Point) -> f64| {
            format!(
                "**{:.2}**",
                exponent(&grown.iter().map(|one| (one.size as f64, value(one))).collect::<Vec<_>>())
            )
        };
        rows.push(vec![
            "exponent".to_owned(),
            of(|one| one.wall),
            of(|one| one.cpu),
            of(|one| one.requests),
            of(|one| one.peak_mib),
        ]);
    }
    section.table(&[what, "seconds", "CPU, s", "requests", "peak, MiB"], &rows);
}
