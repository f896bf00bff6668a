//! Faults in large numbers, run by hand and not in CI: races, kills and outages, up to the given number or time.
//!
//! * `ROLLOUT_REAL_RACES=200 ROLLOUT_REAL_KILLS=200 ROLLOUT_REAL_OUTAGES=50 cargo test --test real`
//! * `ROLLOUT_REAL_MINUTES=60 cargo test --test real` plays all three for this long.
//!
//! `ROLLOUT_REAL_FROM` is the first seed. The number of played rounds, and each failure with its seed, are printed.

mod kills;
mod outages;
mod race;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::build::{self, Cluster};
use crate::control_plane::ControlPlane;

/// The number of namespaces in use at a time.
const AT_A_TIME: usize = 3;

/// The requested faults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    races: u64,
    kills: u64,
    outages: u64,
    /// The time to play all three, instead of numbers.
    lasting: Option<Duration>,
    from: u64,
}

impl Asked {
    /// The request of the environment variables, if any.
    pub(crate) fn by_environment() -> Option<Self> {
        let number = |name| build::variable(name).map(|text| text.parse::<u64>().unwrap());
        let (races, kills) = (number("ROLLOUT_REAL_RACES"), number("ROLLOUT_REAL_KILLS"));
        let (outages, minutes) = (number("ROLLOUT_REAL_OUTAGES"), number("ROLLOUT_REAL_MINUTES"));
        races.or(kills).or(outages).or(minutes)?;
        Some(Self {
            races: races.unwrap_or(0),
            kills: kills.unwrap_or(0),
            outages: outages.unwrap_or(0),
            lasting: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
            from: number("ROLLOUT_REAL_FROM").unwrap_or(0),
        })
    }
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Race,
    Kill,
    Outage,
}

/// The number of played rounds.
#[derive(Default)]
struct Tally {
    races: AtomicU64,
    /// The processes in them.
    processes: AtomicU64,
    /// Those that were stopped until their Lease had expired, and then continued.
    stopped: AtomicU64,
    kills: AtomicU64,
    /// Those among them at a chosen request.
    at_a_request: AtomicU64,
    outages: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// Hands out the next seed of a kind.
struct Schedule {
    asked: Asked,
    begun: Instant,
    next: [AtomicU64; 3],
}

impl Schedule {
    /// The next seed, unless there have been enough.
    fn next(&self, kind: Kind) -> Option<u64> {
        let most = match kind {
            Kind::Race => self.asked.races,
            Kind::Kill => self.asked.kills,
            Kind::Outage => self.asked.outages,
        };
        let number = self.next[kind as usize].fetch_add(1, Ordering::Relaxed);
        let is_due = match self.asked.lasting {
            Some(lasting) => self.begun.elapsed() < lasting,
            None => number < most,
        };
        is_due.then_some(self.asked.from + number)
    }
}

/// Plays the requested faults, and prints the record.
#[expect(clippy::disallowed_methods, reason = "people wait for so long")]
pub(crate) fn run(cluster: &Cluster, asked: Asked) -> ExitCode {
    let Cluster::Own(program) = cluster else {
        panic!("this breaks a control plane, which has to be its own")
    };
    let tally = Tally::default();
    let schedule = Schedule { asked, begun: Instant::now(), next: Default::default() };
    let plane = ControlPlane::start_with_kruise(program);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| beside_others(&plane, &schedule, &tally));
        }
        if asked.outages > 0 || asked.lasting.is_some() {
            scope.spawn(|| {
                let plane = ControlPlane::start(program);
                while let Some(seed) = schedule.next(Kind::Outage) {
                    guarded(&tally, "outage", seed, || outages::play(&plane, seed));
                    tally.outages.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let failures = tally.failures.into_inner().unwrap();
    build::say(&format!(
        "{} races of {} processes ({} stopped until their Lease had run out); {} kills ({} at a chosen request); \
         {} outages; {} s; {} failures",
        count(&tally.races),
        count(&tally.processes),
        count(&tally.stopped),
        count(&tally.kills),
        count(&tally.at_a_request),
        count(&tally.outages),
        schedule.begun.elapsed().as_secs(),
        failures.len(),
    ));
    failures.iter().for_each(|failure| build::say(failure));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays races and kills in turn.
fn beside_others(plane: &ControlPlane, schedule: &Schedule, tally: &Tally) {
    let mut is_over = [false, false];
    while is_over != [true, true] {
        match schedule.next(Kind::Race) {
            Some(seed) => {
                guarded(tally, "race", seed, || race::play(plane, seed, tally));
                tally.races.fetch_add(1, Ordering::Relaxed);
            }
            None => is_over[0] = true,
        }
        match schedule.next(Kind::Kill) {
            Some(seed) => guarded(tally, "kill", seed, || kills::play(plane, seed, tally)),
            None => is_over[1] = true,
        }
    }
}

/// A round whose failure does not end the others.
fn guarded(tally: &Tally, what: &str, seed: u64, round: impl FnOnce()) {
    let Err(panic) = panic::catch_unwind(AssertUnwindSafe(round)) else { return };
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    let failure = format!("{what} of seed {seed}: {said}");
    build::say(&failure);
    tally.failures.lock().unwrap().push(failure);
}
