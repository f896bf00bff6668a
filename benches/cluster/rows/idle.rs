//! What a run costs while it waits for pods that do not become ready.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::audit;
use crate::bench::Bench;
use crate::drivers::{Contestant, Driver};
use crate::objects::Fleet;
use crate::plane::ready_after;
use crate::process::cpu_seconds;
use crate::results::Section;

/// When the first diagnoses are over.
const SETTLED: Duration = Duration::from_secs(20);
/// How long it is observed for.
const OBSERVED: Duration = Duration::from_secs(120);

pub(crate) fn run(bench: &mut Bench) {
    let mut rows = Vec::new();
    for components in [1, 200] {
        let namespace = format!("idle-{components}");
        let fleet = Fleet { namespaces: vec![namespace.clone()], components, replicas: 2, batches: 2 };
        let contestant = Contestant::new(bench, Driver::Rollout, fleet, &ready_after(0));
        let program = bench.program.clone();
        let plane = bench.plane();
        plane.script(&namespace, "- {image: '*', fail: NeverReady}\n");
        let manifests = plane.folder().join(&namespace);
        contestant.fleet.write_manifests(contestant.version() + 1, &manifests);
        let mut child = Command::new(program)
            .args(["apply", "--quiet"])
            .arg(manifests)
            .env("KUBECONFIG", &plane.kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(SETTLED);
        let (since, cpu) = (audit::end(&plane.audit), cpu_seconds(child.id()));
        thread::sleep(OBSERVED);
        let used = cpu_seconds(child.id()) - cpu;
        let entries = audit::entries(&plane.audit, since, Some(&namespace));
        let minutes = OBSERVED.as_secs_f64() / 60.0;
        let count = |resource: Option<&str>| {
            let own = entries.iter().filter(|one| one.agent.starts_with(Driver::Rollout.agent()));
            own.filter(|one| resource.is_none_or(|resource| one.resource == resource)).count() as f64
                / minutes
        };
        child.kill().unwrap();
        let _ended = child.wait().unwrap();
        rows.push(vec![
            components.to_string(),
            format!("{:.1}", count(None)),
            format!("{:.1}", count(Some("leases"))),
            format!("{:.2} %", used / OBSERVED.as_secs_f64() * 100.0),
            "≤ 20 requests a minute, ≤ 0.1 % CPU".to_owned(),
        ]);
    }
    let mut section = Section::new("idle", "A run that waits");
    section.text(
        "For two minutes, pods that were never ready. The requests are those of one process: the Lease is renewed, \
         watches end and begin again, and what is late is diagnosed once a minute.",
    );
    section.table(
        &["components", "requests a minute", "of them for the Lease", "CPU of one core", "goal"],
        &rows,
    );
    section.publish();
    bench.end_plane();
}
