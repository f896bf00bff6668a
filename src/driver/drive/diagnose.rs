//! Why nothing moves: a look at the pods of a batch that takes long, while there is still time to do something.

use std::time::Duration;

use crate::cluster::pods;
use crate::driver::drive::Drive;
use crate::driver::evidence;
use crate::oam::kind::WorkloadKind;
use crate::plan::desired::Desired;
use crate::plan::walk::Waiting;
use crate::report::event::What;

/// Nothing is asked while a wait is younger.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(10);
/// How often it is looked again while nothing moves.
pub(super) const NEXT_LOOK: Duration = Duration::from_secs(60);
/// The least time between two looks of a process: however many components wait, looking costs little.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// Whether a look told something that the plan may go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// It did not.
    Nothing,
    /// It did.
    Something,
}

impl Drive<'_> {
    /// Looks at the pods that are waited for, and tells what is wrong with them when that is news.
    pub(super) async fn look_at_pods(&mut self, waiting: &Waiting) -> Learnt {
        let is_about_pods = match waiting {
            Waiting::Ready { .. } => true,
            Waiting::Generation { .. } | Waiting::Drained { .. } | Waiting::Deletion { .. } => false,
        };
        let now = self.context.session.clock().moment();
        if !is_about_pods || self.context.next_look.get().is_some_and(|next| now < next) {
            return Learnt::Nothing;
        }
        self.context.next_look.set(Some(now.plus(BETWEEN_LOOKS)));
        let Desired { kind, workload, .. } = &self.job.desired;
        let (namespace, component) = (&self.job.namespace, &self.job.component);
        // A look that fails tells nothing; the wait goes on.
        let Ok(mut findings) = pods::look(&self.context.session, namespace, component, *kind, workload).await
        else {
            return Learnt::Nothing;
        };
        // A pod that is only starting is no news.
        findings.troubles.retain(|trouble| !pods::is_starting(trouble));
        let lines = evidence::causes(self.job, &findings);
        if !lines.is_empty() && lines != self.diagnosis {
            self.emit(What::Diagnosed { evidence: lines.clone() });
            self.diagnosis = lines;
        }
        if *kind != WorkloadKind::StatefulSet {
            return Learnt::Nothing;
        }
        // Its status cannot tell the ready pods of a revision while others are not ready.
        let counted = Some((findings.resource_version, findings.ready));
        if counted == self.counted {
            return Learnt::Nothing;
        }
        self.counted = counted;
        Learnt::Something
    }
}
