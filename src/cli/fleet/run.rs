//! Driving a fleet: the signals of all clusters, their events in one display, and one final table.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::join_all;

use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind, Signal};
use crate::cli::flags::args::RunOutput;
use crate::cli::fleet::{Cluster, Clusters};
use crate::cli::hints::rewriter::HintRewriter;
use crate::cli::run::{self, AFTERWARDS, SANDBOX_RESTS_WITHIN, Settings};
use crate::cli::terminal::signals::Ended;
use crate::cli::terminal::ui::{EventFormat, Ui};
use crate::ops::fleet::{self, ClusterOutcomes, ClusterRequest, FleetFailure, Wave};
use crate::ops::{self, Context, RolloutRequest};
use crate::report::event::{Event, Reporter};
use crate::report::format::Format;
use crate::report::message::RESUME_HINT;
use crate::report::status::{self as table, ComponentStatus};

/// What is asked of a fleet.
pub struct FleetRun {
    /// What is asked of each cluster, in the order of the clusters.
    pub requests: Vec<Vec<RolloutRequest>>,
    /// How long each wave must stay ready before the next one.
    pub soaks: Vec<std::time::Duration>,
    /// What becomes of the clusters when something does not become ready.
    pub on_failure: FleetFailure,
}

/// Names the cluster in every event.
struct InCluster {
    cluster: String,
    inner: Rc<RefCell<Box<dyn Reporter + Send>>>,
}

impl Reporter for InCluster {
    fn event(&mut self, event: &Event) {
        let event = Event { cluster: Some(self.cluster.clone()), ..event.clone() };
        self.inner.borrow_mut().event(&event);
    }
}

/// Drives a fleet, and prints the final table.
///
/// # Errors
///
/// The worst failure of its clusters, which the reporter has printed already.
pub async fn run(
    clusters: &Clusters,
    fleet: &FleetRun,
    settings: Settings,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let (outcomes, signal) = drive(clusters, fleet, settings, ui).await?;
    conclude(clusters, fleet, (&outcomes, signal), settings.output, ui).await
}

async fn drive(
    clusters: &Clusters,
    fleet: &FleetRun,
    Settings { limits, output }: Settings,
    ui: &Ui,
) -> Result<(Vec<ClusterOutcomes>, Option<Signal>), CommandError> {
    let event_format = if output.is_some() { EventFormat::Words } else { EventFormat::Events };
    let Some(first) = clusters.all.first() else { return Ok((Vec::new(), None)) };
    let inner = ui.reporter(event_format, first.env.context.session.clock().now());
    let inner = Rc::new(RefCell::new(inner));
    let (stopper, control) = ops::control();
    let request = |(cluster, requests): (&Cluster, &Vec<RolloutRequest>)| {
        let context = &cluster.env.context;
        let named = InCluster { cluster: cluster.label().to_owned(), inner: Rc::clone(&inner) };
        let rewriter = HintRewriter {
            inner: Box::new(named),
            reach: run::reach(&cluster.env),
            flags: cluster.flags.clone(),
            namespace: cluster.env.namespace().to_owned(),
            names_namespaces: run::is_about_several_namespaces(requests),
        };
        let reporter: Rc<RefCell<dyn Reporter>> = Rc::new(RefCell::new(rewriter));
        let session = context.session.with_stop(control.receiver());
        let control = control.clone();
        let context = Context { session, reporter, control, limits, ..context.clone() };
        ClusterRequest { context, requests: requests.clone() }
    };
    let mut waves: Vec<Wave> =
        fleet.soaks.iter().map(|soak| Wave { clusters: Vec::new(), soak: *soak }).collect();
    for (cluster, requests) in clusters.all.iter().zip(&fleet.requests) {
        waves[cluster.wave.min(fleet.soaks.len() - 1)].clusters.push(request((cluster, requests)));
    }
    let ended = run::signals()?.stop(&stopper, fleet::apply(&waves, fleet.on_failure)).await;
    for cluster in &clusters.all {
        if let Some(sandbox) = &cluster.env.connection.sandbox {
            sandbox.settle(SANDBOX_RESTS_WITHIN).await;
        }
    }
    // The display gives the terminal back before anything else is printed.
    drop((waves, inner));
    match ended {
        Ended::Dropped(signal) => {
            Err(CommandError::message(Kind::Interrupted(signal), "interrupted immediately").hint(RESUME_HINT))
        }
        Ended::Done(outcomes, signal) => Ok((outcomes.into_iter().flatten().collect(), signal)),
    }
}

async fn conclude(
    clusters: &Clusters,
    fleet: &FleetRun,
    (outcomes, signal): (&[ClusterOutcomes], Option<Signal>),
    output: RunOutput,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let kinds: Vec<Kind> =
        outcomes.iter().filter_map(|cluster| run::first_failure(cluster)).map(Kind::from).collect();
    let kinds = kinds.into_iter().map(|kind| match (kind, signal) {
        (Kind::Interrupted(_), Some(signal)) => Kind::Interrupted(signal),
        (kind, _) => kind,
    });
    let worst = kinds.max_by_key(|kind| CommandError::message(*kind, "").exit_code());
    let is_interrupted = matches!(worst, Some(Kind::Interrupted(_)));
    let has_known_end = outcomes.iter().any(|cluster| run::has_known_end(cluster));
    if let Some(format) = output.filter(|_| !is_interrupted && has_known_end) {
        let read = join_all(clusters.all.iter().zip(&fleet.requests).map(|(cluster, requests)| async {
            let clock = cluster.env.context.session.clock();
            clock.within(AFTERWARDS, statuses(cluster, requests)).await
        }));
        let read = match run::signals()?.interrupt(read).await {
            Ok(read) => read,
            Err(signal) => return Err(run::interrupted_afterwards(signal, worst)),
        };
        let mut items = Vec::new();
        for (cluster, read) in clusters.all.iter().zip(read) {
            match run::known_state(read) {
                Ok(found) => items.extend(found),
                Err(warning) => ui.warn(&cluster.sentence(&warning)),
            }
        }
        let now = clusters.all[0].env.context.session.clock().now();
        ui.data(&table::render_status(&items, format, now));
        ui.summary(&table::render_status(&items, Format::Wide, now));
    }
    match worst {
        Some(kind) => Err(CommandError::reported(kind)),
        None => Ok(exit::SUCCESS),
    }
}

/// Where the components of a cluster stand.
async fn statuses(
    cluster: &Cluster,
    requests: &[RolloutRequest],
) -> Result<Vec<ComponentStatus>, ops::Failure> {
    let components = requests.iter().flat_map(|request| {
        run::by_name(&request.namespace, request.components.iter().map(|component| component.name.as_str()))
    });
    let components: Vec<(&str, &str)> = components.collect();
    let found = run::statuses(&cluster.env.context, &components).await?;
    Ok(found.into_iter().map(|item| ComponentStatus { cluster: cluster.name.clone(), ..item }).collect())
}
