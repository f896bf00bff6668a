//! A thousand components in four namespaces, beside the null driver for the same set.

use crate::audit;
use crate::bench::Bench;
use crate::drivers::{Contestant, Driver};
use crate::objects::Fleet;
use crate::plane::ready_after;
use crate::process::Measured;
use crate::results::{Section, conditions};
use crate::samples::Samples;

/// A pair takes minutes, so this row has fewer.
const DIVISOR: usize = 5;

const REPLICAS: usize = 10;
const BATCHES: usize = 3;

pub(crate) fn run(bench: &mut Bench) {
    let components = bench.most.min(1_000);
    let pairs = bench.pairs.div_ceil(DIVISOR);
    let fleet = |driver: Driver| Fleet {
        namespaces: (0..4).map(|nth| format!("many-{}-{nth}", driver.key())).collect(),
        components,
        replicas: REPLICAS,
        batches: BATCHES,
    };
    let rules = ready_after(200);
    let mut lanes: Vec<(Contestant, Vec<(Measured, usize)>)> = [Driver::Rollout, Driver::Null]
        .map(|driver| (Contestant::new(bench, driver, fleet(driver), &rules), Vec::new()))
        .into();
    let log = bench.plane().audit.clone();
    for round in 0..pairs {
        for nth in 0..2 {
            let (contestant, runs) = &mut lanes[(round + nth) % 2];
            let since = audit::end(&log);
            let measured = contestant.upgrade(bench);
            let entries = audit::entries(&log, since, None);
            let agent = contestant.driver.agent();
            runs.push((measured, entries.iter().filter(|one| one.agent.starts_with(agent)).count()));
        }
    }
    let null: Vec<f64> = lanes[1].1.iter().map(|(run, _)| run.wall).collect();
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .map(|(contestant, runs)| {
            let of = |value: fn(&(Measured, usize)) -> f64| runs.iter().map(value).collect::<Vec<f64>>();
            let walls = of(|(run, _)| run.wall);
            vec![
                contestant.driver.title().to_owned(),
                Samples::new(walls.clone()).to_string(),
                Samples::ratios(&walls, &null).to_string(),
                Samples::new(of(|(run, _)| run.cpu)).to_string(),
                Samples::new(of(|(run, _)| run.peak_mib)).to_string(),
                Samples::new(of(|(_, requests)| *requests as f64)).to_string(),
                format!("{:.0}", Samples::new(of(|(run, _)| run.connections as f64)).most()),
            ]
        })
        .collect();
    let title = format!("{components} components of {REPLICAS} pods in four namespaces, {BATCHES} batches");
    let mut section = Section::new("many", &title);
    section.text(&conditions(pairs));
    let header = ["driver", "seconds", "× null driver", "its CPU, s", "peak, MiB", "requests", "connections"];
    section.table(&header, &rows);
    section.text("Goals of `rollout`: ≤ 1.15 × null, CPU ≤ 10 s, ≤ 64 MiB, ≤ 10 connections.");
    section.publish();
    bench.end_plane();
}
