//! Plays a script on a cluster in this process.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use rollout::driver::context::{Context, OnFailure};
use rollout::sandbox::Change;
use tokio::sync::Notify;

use crate::batch_gates::{self, Asked, Mood};
use crate::conduct;
use crate::environment::{self, Environment};
use crate::network::Connection;
use crate::script::{Command, Disturbance, EnvironmentEvent, Invocation, Pace, Script};
use crate::support::admission::Admission;
use crate::support::fault::Tap;
use crate::support::process::{Process, Run};
use crate::support::random::Rng;
use crate::support::rules::{self, Circumstances, world};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::in_paused_time;
use crate::support::{pod_rules, preconditions};
use crate::verdict::{self, Failure};

/// The results of a command.
pub(crate) struct Played {
    pub(crate) command: Command,
    /// The user agent of its requests.
    pub(crate) user_agent: String,
    pub(crate) run: Run,
    /// The epochs of the records that it read first, by component.
    pub(crate) decided_from: Option<BTreeMap<String, u64>>,
    /// The requests without an answer, or with one that leaves their outcome open.
    pub(crate) unanswered: BTreeSet<usize>,
    /// Its requests to hooks and providers, and whether they were answered as good.
    pub(crate) asked: Vec<Asked>,
    /// Whether its machine lacks the programs of metrics.
    pub(crate) lacks_programs: bool,
    /// A request that it repeated earlier than the server had asked for.
    pub(crate) hasty: Option<String>,
}

impl Played {
    /// Whether the command made a change.
    pub(crate) fn made(&self, change: &Change) -> bool {
        change.user_agent.as_deref() == Some(&self.user_agent)
    }
}

/// The results of a script.
pub(crate) struct Outcome {
    pub(crate) history: Vec<Change>,
    pub(crate) requests: usize,
    pub(crate) failure: Option<Failure>,
}

/// A running simulation.
struct Simulation<'a> {
    cluster: &'a TestCluster,
    admission: Arc<Admission>,
    circumstances: Circumstances,
    requests: AtomicUsize,
    /// Wakes those that wait for a fault of another process.
    struck: Arc<Notify>,
}

/// Plays a script to its end.
pub(crate) async fn play(script: &Script) -> Outcome {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let events = || script.environment.iter().map(|disturbance| &disturbance.event);
    let simulation = Simulation {
        cluster: &cluster,
        admission: Arc::default(),
        circumstances: Circumstances {
            pods_are_harmed: script.environment.iter().any(Disturbance::harms_pods),
            others_edit: events().any(|event| event.edits()),
            sizes_are_lowered: events().any(EnvironmentEvent::lowers_sizes),
            others_cut_off: events().any(EnvironmentEvent::cuts_off_pods),
        },
        requests: AtomicUsize::new(0),
        struck: Arc::default(),
    };
    let failure = simulation.play(script).await.err();
    // A violation in the history explains any other failure.
    let failure = simulation.judge().err().or(failure);
    Outcome { history: cluster.history(), requests: simulation.requests.into_inner(), failure }
}

impl Simulation<'_> {
    async fn play(&self, script: &Script) -> Result<(), Failure> {
        let begin = self.cluster.clock.moment();
        let environment = Environment {
            cluster: self.cluster,
            client: self.connection(environment::USER_AGENT, None, Tap::new(|_| crate::support::fault::PASS)),
            admission: self.admission.clone(),
            deleted_revisions: RefCell::default(),
        };
        let users = script.users.iter().enumerate().map(async |(index, user)| {
            let mut all = Vec::new();
            for (number, invocation) in user.invocations.iter().enumerate() {
                self.wait_for(invocation).await;
                let name = format!("{}-{number}", index + 1);
                all.push(self.run(&user.identity, &name, invocation).await);
            }
            all
        });
        let (played, ()) = tokio::join!(join_all(users), environment.happen(begin, &script.environment));
        environment.calm_down().await;
        self.cluster.settle().await;
        let played: Vec<Played> = played.into_iter().flatten().collect();
        let (history, start) = (self.cluster.history(), self.start());
        conduct::of_queue(&history)?;
        for played in &played {
            verdict::of_run(played)?;
            verdict::of_lease(played, &history, start)?;
            verdict::of_decision(played, &history)?;
            conduct::of_retries(played)?;
            conduct::of_plan(played, &history)?;
            conduct::of_rollback(played, &history)?;
            if !self.circumstances.others_edit {
                conduct::of_restored_size(played, &history)?;
            }
            conduct::of_removal(played)?;
            conduct::of_dependency(played, &history)?;
            batch_gates::judge(played, &history)?;
            // A run of another process may have gates that are not known beforehand.
            if script.users.len() == 1 {
                batch_gates::of_missing_programs(played)?;
            }
            if script.has_only_failing_pods() {
                conduct::of_tolerance(played)?;
            }
        }
        // Each user reruns the last command.
        for (index, user) in script.users.iter().enumerate() {
            let Some(last) = user.invocations.last() else { continue };
            if last.command.goes_further() {
                continue;
            }
            let again =
                self.run_planned(&user.identity, &format!("{}-again", index + 1), &last.command).await?;
            verdict::of_rerun(&again)?;
            self.cluster.settle().await;
            verdict::of_word(&again, self.cluster)?;
            verdict::of_deletion(&again, self.cluster)?;
            verdict::of_scale(&again, self.cluster)?;
        }
        self.conclude(script, &environment).await
    }

    /// Rolls out the last manifest, checks the result, and checks that its removal leaves nothing behind.
    async fn conclude(&self, script: &Script, environment: &Environment<'_>) -> Result<(), Failure> {
        let last = Command::Apply { manifest: script.last.clone(), prune: true, undo_on_failure: false };
        // The components of the other application may have the names of those in the last manifest.
        self.run_calm("last", "other", &Command::DeleteOther).await;
        self.cluster.settle().await;
        // Paused components stay paused until they are resumed.
        for component in &script.last {
            if self.cluster.record(&component.name).is_some_and(|record| record["run"]["paused"].is_object())
            {
                self.run_calm("last", "resume", &Command::Resume(component.name.clone())).await;
            }
        }
        let mut applied = self.run_planned("last", "last", &last).await?;
        if script.changes_type() && verdict::is_refused(&applied) {
            verdict::of_rerun(&applied)?;
            // Some types need another name, or the deletion of the component.
            self.run_calm("last", "clearance", &Command::DeleteApplication).await;
            self.cluster.settle().await;
            applied = self.run_planned("last", "last", &last).await?;
        }
        verdict::of_last(&applied)?;
        self.cluster.settle().await;
        verdict::of_end(&script.last, self.cluster)?;
        let again = self.run_planned("last", "idle", &last).await?;
        verdict::of_idle(&again)?;
        environment.plant_look_alikes().await;
        self.cluster.settle().await;
        let removed = self.run_calm("last", "removal", &Command::DeleteApplication).await;
        verdict::of_last(&removed)?;
        self.cluster.settle().await;
        verdict::of_removal(None, self.cluster)
    }

    /// Waits until a user types a command.
    async fn wait_for(&self, invocation: &Invocation) {
        let until = self.cluster.clock.pause(invocation.after);
        if !invocation.at_fault {
            return until.await;
        }
        tokio::select! {
            biased;
            () = self.struck.notified() => {}
            () = until => {}
        }
    }

    async fn run(&self, identity: &str, name: &str, invocation: &Invocation) -> Played {
        let command = &invocation.command;
        let mut process = Process::new(identity);
        let asked = Rc::default();
        process.probe = batch_gates::probe(invocation.seed, &self.cluster.clock, &asked);
        process.limits.batch = Duration::from_secs(40);
        process.limits.run = Duration::from_secs(200);
        process.limits.lock = Duration::from_secs(90);
        if let Command::Apply { undo_on_failure: true, .. } = command {
            process.limits.on_failure = OnFailure::Undo;
        }
        let of = if matches!(command, Command::ApplyOther(_)) { world::OF_OTHER } else { "" };
        let agent = format!("{}{of}{identity}/{name} {}", rules::PROCESS, command.word());
        let (client, connection) = self.connected(&agent, Some(invocation), process.tap.clone());
        let work = async |context: &Context| command.perform(context).await;
        let mut run = connection.run(process.perform(client, &self.cluster.clock, work)).await;
        let sent = connection.requests.lock().unwrap().clone();
        run.requests.iter_mut().for_each(|request| request.at = sent[request.seen.index]);
        self.requests.fetch_add(run.requests.len(), Ordering::Relaxed);
        let decided_from = connection.decided_from.lock().unwrap().clone();
        let unanswered = connection.unanswered.lock().unwrap().clone();
        let hasty = connection.hasty.lock().unwrap().clone();
        let asked = asked.take();
        let lacks_programs = Mood::new(invocation.seed).lacks_programs;
        let (command, user_agent) = (command.clone(), agent);
        Played { command, user_agent, run, decided_from, unanswered, asked, lacks_programs, hasty }
    }

    /// Runs a command; an `apply` is planned before.
    async fn run_planned(&self, identity: &str, name: &str, command: &Command) -> Result<Played, Failure> {
        let Command::Apply { manifest, .. } = command else {
            return Ok(self.run_calm(identity, name, command).await);
        };
        let plan = Command::Plan(manifest.clone());
        let planned = self.run_calm(identity, &format!("{name}-plan"), &plan).await;
        let applied = self.run_calm(identity, name, command).await;
        verdict::of_plan(&planned, &applied).map(|()| applied)
    }

    async fn run_calm(&self, identity: &str, name: &str, command: &Command) -> Played {
        let invocation = Invocation {
            after: Duration::ZERO,
            at_fault: false,
            command: command.clone(),
            pace: Pace::Instant,
            faults: Vec::new(),
            seed: 0,
        };
        self.run(identity, name, &invocation).await
    }

    /// The time at which the clock started.
    fn start(&self) -> Timestamp {
        let clock = &self.cluster.clock;
        clock.now() - clock.elapsed()
    }

    /// Checks all rules.
    fn judge(&self) -> Result<(), Failure> {
        rules::check(&self.cluster.history(), self.circumstances).map_err(Failure::Rule)
    }

    fn connection(&self, agent: &str, invocation: Option<&Invocation>, tap: Arc<Tap>) -> kube::Client {
        self.connected(agent, invocation, tap).0
    }

    fn connected(
        &self,
        agent: &str,
        invocation: Option<&Invocation>,
        tap: Arc<Tap>,
    ) -> (kube::Client, Arc<Connection>) {
        let connection = Arc::new(Connection {
            tap,
            clock: self.cluster.clock.clone(),
            user_agent: agent.to_owned(),
            pace: invocation.map_or(Pace::Instant, |invocation| invocation.pace),
            faults: Mutex::new(
                invocation.map(|one| one.faults.iter().copied().collect()).unwrap_or_default(),
            ),
            rng: Mutex::new(Rng(invocation.map_or(0, |invocation| invocation.seed))),
            requests: Mutex::default(),
            unanswered: Mutex::default(),
            struck: self.struck.clone(),
            frozen: Mutex::default(),
            outage: Mutex::default(),
            lease_outage: Mutex::default(),
            asked_to_wait: Mutex::default(),
            hasty: Mutex::default(),
            admission: self.admission.clone(),
            decided_from: Mutex::default(),
        });
        (connection.client(&self.cluster.client()), connection)
    }
}

thread_local! {
    /// The location of this thread's last panic.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Silences panics: they are reported with their script.
pub(crate) fn hush_panics() {
    panic::set_hook(Box::new(|info| {
        PANICKED_AT.set(info.location().map(ToString::to_string).unwrap_or_default());
    }));
}

/// Plays a script on its own clock.
pub(crate) fn play_through(script: &Script) -> Outcome {
    in_paused_time(play(script))
}

/// The failure of a script, if any. A panic is a failure.
pub(crate) fn failure_of(script: &Script) -> Option<Failure> {
    match panic::catch_unwind(AssertUnwindSafe(|| play_through(script))) {
        Ok(outcome) => outcome.failure,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            let detail = format!("{said}, at {}", PANICKED_AT.take());
            Some(Failure::Other { what: "panic", detail })
        }
    }
}

/// Checks that the requests of a run have their preconditions.
pub(crate) fn check_requests(run: &Run) {
    preconditions::check(&run.requests);
}
