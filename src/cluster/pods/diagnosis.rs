//! Finds the container that prevents a pod from being ready, and the reason in its status. Sends no requests.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use kube::ResourceExt;

/// A pod that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodProblem {
    /// The pod.
    pub pod: String,
    /// How often the faulty container was restarted.
    pub restarts: i32,
    /// The short reason, such as `ImagePullBackOff`.
    pub phase: String,
    /// The full reason, such as `ImagePullBackOff: back-off pulling image "x"`, with the container if the pod has
    /// several.
    pub reason: String,
    /// The reason without counts and times, by which pods are grouped.
    pub common: String,
    /// The log that may explain it.
    pub log: Option<ContainerLog>,
}

/// A container's log that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerLog {
    /// The container.
    pub container: String,
    /// Which instance of the container.
    pub instance: Instance,
}

/// An instance of a container: one that is restarted has a log for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance {
    /// The current or last instance.
    Current,
    /// The previous instance, which failed; the current one has not got as far.
    Previous,
}

/// Reasons for which a container does not start until a user changes something, although the kubelet retries forever.
///
/// A missing object counts: a run applies its own ConfigMaps and Secrets before pods start, so somebody else has to
/// create a missing one. A volume that cannot be mounted does not count, though the cause may be the same: it is only
/// reported by an event, and an event may be outdated.
const PERMANENT: [&str; 7] = [
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
];
/// A container that was restarted this often is not just waiting for something else to start. The help of `--fail-fast`
/// contains this number.
const RESTARTS_UNTIL_PERMANENT: i32 = 3;
/// Reasons for which a container waits during a normal start.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

impl PodProblem {
    /// Why this pod is not ready.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let blamed = status.and_then(FaultyContainer::of);
        let (phase, message) = match (&blamed, status) {
            (_, None) => ("no status yet".to_owned(), None),
            (Some(blamed), Some(status)) => blamed.reason().unwrap_or_else(|| pod_reason(status)),
            (None, Some(status)) => pod_reason(status),
        };
        let mut reason = with_message(&phase, message.as_deref());
        // Leave out the message, which contains the delay before the restart.
        let mut common = if phase == "CrashLoopBackOff" { phase.clone() } else { reason.clone() };
        if let Some(blamed) = &blamed {
            let place = blamed.place();
            reason = format!("{place}{reason}{}", blamed.past());
            let last = last_ending(blamed.status).map(ending);
            common = format!("{place}{common} {}", last.unwrap_or_default());
        }
        Self {
            pod: pod.name_any(),
            restarts: blamed.as_ref().map_or(0, |blamed| blamed.status.restart_count),
            phase,
            reason,
            common,
            log: blamed.as_ref().and_then(FaultyContainer::log),
        }
    }

    /// Whether waiting is unlikely to help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        PERMANENT.contains(&self.phase.as_str()) || self.restarts >= RESTARTS_UNTIL_PERMANENT
    }

    /// Whether the pod is only starting.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        let phase = self.phase.as_str();
        STARTING.contains(&phase) || ["no status yet", "Pending"].contains(&phase)
    }
}

/// The container that prevents a pod from being ready.
struct FaultyContainer<'a> {
    status: &'a ContainerStatus,
    is_init: bool,
    has_neighbours: bool,
}

impl<'a> FaultyContainer<'a> {
    /// The first container that failed; otherwise the first that runs and is not ready, for which later ones may wait;
    /// otherwise the first that is not ready.
    fn of(pod: &'a PodStatus) -> Option<Self> {
        let init = || pod.init_container_statuses.iter().flatten();
        let main = || pod.container_statuses.iter().flatten();
        let has_neighbours = main().count() > 1;
        let all = || init().map(|one| (one, true)).chain(main().map(|one| (one, false)));
        let unready = || all().filter(|(one, _)| !one.ready && !has_ended_well(one));
        let is_running = |one: &ContainerStatus| one.state.as_ref().is_some_and(|now| now.running.is_some());
        let failed = unready().find(|(one, _)| has_container_failed(one));
        let found =
            failed.or_else(|| unready().find(|(one, _)| is_running(one))).or_else(|| unready().next());
        found.map(|(status, is_init)| Self { status, is_init, has_neighbours })
    }

    /// Names the container unless it is the only one, as in most pods.
    fn place(&self) -> String {
        let name = &self.status.name;
        match (self.is_init, self.has_neighbours) {
            (true, _) => format!("init container `{name}`: "),
            (false, true) => format!("container `{name}`: "),
            (false, false) => String::new(),
        }
    }

    /// Why it is not ready: the reason and the message; `None` if it just runs.
    fn reason(&self) -> Option<(String, Option<String>)> {
        let state = self.status.state.as_ref()?;
        if let Some(waiting) = &state.waiting {
            // The kubelet appends the pod's name and UID to some messages, which would distinguish equal reasons.
            let message = waiting.message.as_deref();
            let message = message.map(|message| message.split(" pod=").next().unwrap_or(message).to_owned());
            return Some((waiting.reason.clone().unwrap_or_else(|| "waiting".to_owned()), message));
        }
        if let Some(terminated) = &state.terminated {
            return Some((ending(terminated), None));
        }
        let is_first = self.is_init && state.running.is_some();
        // The pod's condition would only name the containers that wait for this one.
        is_first.then(|| (STARTING[1].to_owned(), Some("it is still running".to_owned())))
    }

    /// How often it was restarted and how it last ended, which the state of a container that waits for its restart does
    /// not show.
    fn past(&self) -> String {
        match (self.status.restart_count, last_ending(self.status).map(ending)) {
            (0, None) => String::new(),
            (0, Some(last)) => format!(" (last ended: {last})"),
            (count, None) => format!(" (restarted {})", times(count)),
            (count, Some(last)) => format!(" (restarted {}, last ended: {last})", times(count)),
        }
    }

    /// The log to read; `None` if the container never started.
    fn log(&self) -> Option<ContainerLog> {
        let state = self.status.state.as_ref()?;
        let last = last_ending(self.status);
        let instance = match state {
            ContainerState { terminated: Some(_), .. } => Instance::Current,
            ContainerState { running: Some(_), .. } if last.is_none_or(|last| last.exit_code == 0) => {
                Instance::Current
            }
            // A container that waits may have been restarted by the time that the log is read.
            _ if last.is_some() => Instance::Previous,
            _ => return None,
        };
        Some(ContainerLog { container: self.status.name.clone(), instance })
    }
}

fn has_ended_well(container: &ContainerStatus) -> bool {
    let terminated = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    terminated.is_some_and(|ended| ended.exit_code == 0)
}

fn has_container_failed(container: &ContainerStatus) -> bool {
    let Some(state) = &container.state else { return false };
    let waits = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
    state.terminated.is_some() || waits.is_some_and(|reason| !STARTING.contains(&reason))
}

fn last_ending(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.last_state.as_ref()?.terminated.as_ref()
}

/// Why a pod is not ready if the states of its containers do not show it.
fn pod_reason(status: &PodStatus) -> (String, Option<String>) {
    let conditions = || status.conditions.iter().flatten();
    let unscheduled = conditions().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    let unready = || conditions().find(|one| one.type_ == "Ready" && one.status != "True");
    let telling = unscheduled.map(|one| (one, "not scheduled")).or_else(|| Some((unready()?, "not ready")));
    if let Some((condition, otherwise)) = telling {
        let reason = condition.reason.clone().unwrap_or_else(|| otherwise.to_owned());
        return (reason, condition.message.clone());
    }
    (status.phase.clone().unwrap_or_else(|| "not ready".to_owned()), None)
}

/// How a container ended.
fn ending(terminated: &ContainerStateTerminated) -> String {
    let reason = terminated.reason.as_deref().unwrap_or("terminated");
    match terminated.signal {
        Some(signal) if signal != 0 => {
            format!("{reason}, exit code {}, signal {signal}", terminated.exit_code)
        }
        _ => format!("{reason}, exit code {}", terminated.exit_code),
    }
}

fn times(count: i32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// A reason with its message.
pub(super) fn with_message(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
