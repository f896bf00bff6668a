//! What waiting costs.

use std::time::Duration;

use rollout::sandbox::fault::Verb;

use crate::common::fault::Request;
use crate::common::manifest::{web, wish};
use crate::common::process::Process;
use crate::common::scenario::IDENTITY;
use crate::common::stage::Stage;

/// Ten minutes for a pod, and nothing is asked but what keeps the watch and the Lease.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_waiting() {
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
    let renewals = others.iter().filter(is_renewal).count();
    assert_eq!(renewals, others.len(), "{}", run.story());
    assert!((20..=30).contains(&watches.len()), "{} watches\n{}", watches.len(), run.story());
    assert!((130..=160).contains(&renewals), "{renewals} renewals\n{}", run.story());
}
