//! The number of requests in a run, according to the server's audit log.

use crate::real_env::{RealEnv, Request, v1, v2};

/// The accepted writes, except for the views for kubectl. A delete that conflicts with a write of the status is
/// rejected, changes nothing, and is repeated.
fn writes(requests: &[Request]) -> Vec<String> {
    let counts = |one: &&Request| {
        one.is_write() && one.code < 300 && !["applications", "rollouts"].contains(&one.resource.as_str())
    };
    let writes = requests.iter().filter(counts);
    writes.map(|one| format!("{} {} {}", one.verb, one.resource, one.name)).collect()
}

pub(crate) fn an_upgrade_is_frugal(env: &RealEnv) {
    env.applied(&v1());
    let before = env.requests().len();
    env.applied(&v2());
    let writes = writes(&env.requests()[before..]);
    assert!(writes.len() <= 2 * 2 + 6, "2 batches and 10 writes at most: {writes:#?}");
}

pub(crate) fn waiting_is_free(env: &RealEnv) {
    env.applied(&v1());
    env.script("- {image: '*', fail: NeverReady}\n");
    let mut running = env.apply_until(&v2(), &["--batch-timeout", "45s"], "0 of 2 ready");
    let begun = env.requests().len();
    running.until("not ready after 45s");
    let requests = env.requests();
    // The evidence and the record of the failure follow the wait.
    let end = requests.iter().rposition(|one| one.resource == "pods").unwrap_or(requests.len());
    let idle: Vec<&Request> = requests[begun..end]
        .iter()
        .filter(|one| one.resource != "leases" && one.verb != "watch" && one.resource != "configmaps")
        .collect();
    // Reads of the workload and its pods after three and thirteen seconds, to report the delay, and the one at the end.
    let (looks, others): (Vec<&Request>, Vec<&Request>) = idle.into_iter().partition(|one| {
        matches!((one.verb.as_str(), one.resource.as_str()), ("get", "deployments") | ("list", "pods"))
    });
    assert!(looks.len() <= 6 && others.is_empty(), "{looks:#?} {others:#?}");
    assert_eq!(running.end().code, Some(3));
}

pub(crate) fn twice_is_nothing(env: &RealEnv) {
    for manifest in [v1(), v2(), v2().size(7).batches(&["1", "1"])] {
        env.applied(&manifest);
        let before = env.requests().len();
        let again = env.applied(&manifest);
        assert!(again.stderr.contains("nothing to do"), "{again:#?}");
        let requests = env.requests();
        let writes: Vec<&Request> = requests[before..].iter().filter(|one| one.verb != "watch").collect();
        let writes: Vec<&&Request> =
            writes.iter().filter(|one| !["get", "list"].contains(&one.verb.as_str())).collect();
        assert!(writes.is_empty(), "{writes:#?}");
    }
}
