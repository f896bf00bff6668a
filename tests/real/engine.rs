//! The scenarios on a real cluster: undisturbed, also on the sandbox, and with the process killed during the run.

use std::collections::BTreeSet;
use std::future::Future;

use futures::future::join_all;
use tokio::runtime::Builder;

use crate::backend::RealBackend;
use crate::control_plane::ControlPlane;
use crate::support::end_state;
use crate::support::fault::Fate;
use crate::support::process::Run;
use crate::support::scenario::{Reference, Scenario, dying_at_effect, is_new_effect, kinds};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::in_paused_time;

/// The number of deaths per scenario.
const DEATHS: usize = 3;

/// The stages of a request at which a process can die.
const MOMENTS: [fn() -> Fate; 3] = [|| Fate::DeathBefore, || Fate::DeathUnanswered, || Fate::DeathAfter];

pub(crate) fn in_real_time<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Plays a scenario undisturbed; then repeatedly, each time with one death, spread over its effects.
pub(crate) fn play(plane: &ControlPlane, scenario: &Scenario) {
    let name = scenario.name.as_str();
    let simulated = in_paused_time(scenario.reference());
    in_real_time(async {
        let scene = scenario.open_on(cluster(plane, &format!("{name}-undisturbed"), scenario).await).await;
        let reference = scenario.play(&scene).await;
        scenario.check_done(&scene, &reference).await;
        assert_equal(&simulated, &reference);
        let effects = reference.run.effects().len();
        let first = name.len() % MOMENTS.len();
        // A scenario with few effects is played with fewer deaths.
        let at: BTreeSet<usize> =
            (0..DEATHS).map(|number| effects * (2 * number + 1) / (2 * DEATHS)).collect();
        let deaths = at.into_iter().enumerate().map(|(number, effect)| {
            dies_at(plane, name, scenario, &reference, effect, MOMENTS[(first + number) % MOMENTS.len()])
        });
        join_all(deaths).await;
    });
}

async fn cluster(plane: &ControlPlane, name: &str, scenario: &Scenario) -> TestCluster {
    TestCluster::on(RealBackend::open(plane, name, &scenario.rules).await).await
}

async fn dies_at(
    plane: &ControlPlane,
    name: &str,
    scenario: &Scenario,
    reference: &Reference,
    effect: usize,
    death: fn() -> Fate,
) {
    let scene = scenario.open_on(cluster(plane, &format!("{name}-{effect}"), scenario).await).await;
    let run = scenario.run(&scene, &dying_at_effect(effect, death)).await;
    // A delete that conflicts with a write of the status is repeated, so the number of effects may vary between runs.
    assert!(run.ends.is_none() || count_effects(&run) <= effect, "it did not die: {}", run.transcript());
    scenario.complete(&scene, &[&run], reference).await;
}

/// How many effects a run has, as [`dying_at_effect`] counts them.
fn count_effects(run: &Run) -> usize {
    let mut deleted = BTreeSet::new();
    run.requests.iter().filter(|request| is_new_effect(&request.seen, &mut deleted)).count()
}

/// The sandbox has to behave like the cluster.
fn assert_equal(simulated: &Reference, real: &Reference) {
    assert_eq!(kinds(&simulated.run), kinds(&real.run), "the sandbox's run ends otherwise");
    assert_eq!(simulated.trace, real.trace, "the sandbox's run does otherwise");
    end_state::assert_equal(&simulated.end, &real.end);
}
