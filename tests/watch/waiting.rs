//! What waiting costs.

use std::time::Duration;

use rollout::sandbox::fault::Verb;

use crate::common::fault::Request;
use crate::common::manifest::{web, wish};
use crate::common::process::Process;
use crate::common::scenario::IDENTITY;
use crate::common::stage::Stage;

/// Ten minutes for a pod, and nothing is asked but what keeps the watch and the Lease, and once a minute why.
#[tokio::test(start_paused = true)]
async fn next_to_nothing_is_asked_while_waiting() {
    let stage = Stage::open("- {image: '*', readyAfter: 10m}").await;
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(3_600);
    let run = stage.run(&process, &wish(&[web(1, 2)])).await;
    assert!(run.is_well(), "{}", run.story());
    let scaled =
        run.requests.iter().rposition(|one| one.seen.verb == Verb::Patch && one.seen.kind == "deployments");
    let since: Vec<&Request> = run.requests[scaled.unwrap() + 1..].iter().collect();
    let waiting = since.iter().filter(|request| request.at < Duration::from_secs(590));
    let (watches, others): (Vec<&&Request>, Vec<&&Request>) =
        waiting.partition(|request| request.seen.verb == Verb::Watch);
    let is_renewal = |request: &&&&Request| request.seen.kind == "leases" && request.seen.verb == Verb::Patch;
    let is_look = |request: &&&&Request| {
        let Request { seen, .. } = request;
        matches!((seen.verb, seen.kind.as_str()), (Verb::List, "pods") | (Verb::Get, "deployments"))
    };
    let renewals = others.iter().filter(is_renewal).count();
    let looks = others.iter().filter(is_look).count();
    assert_eq!(renewals + looks, others.len(), "{}", run.story());
    assert!((2..=22).contains(&looks), "{looks} looks\n{}", run.story());
    // One watches the workloads, one the run records.
    assert!((40..=60).contains(&watches.len()), "{} watches\n{}", watches.len(), run.story());
    assert!((130..=160).contains(&renewals), "{renewals} renewals\n{}", run.story());
}
