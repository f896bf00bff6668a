//! The `rollout` trait's properties.
//!
//! Rejects plans that are invalid in any cluster. Sums of absolute sizes depend on the running pods, and are checked
//! once these are known.

use std::collections::BTreeMap;

use crate::oam::application::{Amount, Batch, RolloutTrait, Strategy};
use crate::oam::batch_gates::{BatchGates, OneBatchGates};
use crate::oam::kind::WorkloadKind;
use crate::oam::manifest::batch_gates;
use crate::oam::manifest::names;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::problem::quoted;
use crate::oam::manifest::walk::{At, Walk};

/// The maximum number of batches; a longer list is a mistake.
const MAX_BATCHES: usize = 1_000;

/// The largest number of replicas, that of Kubernetes.
const MAX_REPLICAS: u32 = i32::MAX as u32;

const STRATEGIES: [(&str, Strategy); 2] =
    [("IncreaseFirst", Strategy::IncreaseFirst), ("DecreaseFirst", Strategy::DecreaseFirst)];

/// Reads the trait's properties; `None` if they are invalid.
pub(super) fn read_rollout(walk: &mut Walk<'_>, at: &At<'_>, kind: WorkloadKind) -> Option<RolloutTrait> {
    let own = ["targetRevision", "targetSize", "rolloutBatches", "batchPartition", "rolloutStrategy"];
    let known = [&own[..], &batch_gates::OF_TRAIT].concat();
    let object = walk.object_of(at, &known, |name| match name {
        "replicas" => Some("the number of replicas is `targetSize`"),
        "numBatches" => Some("list the batches in `rolloutBatches`"),
        "paused" => Some("stop after a batch with `batchPartition`"),
        _ => None,
    })?;
    let target_revision = walk.optional_text(&object, "targetRevision", names::SUBDOMAIN);
    let target_size = walk
        .required(&object, "targetSize", "an integer from 0 to 2147483647")
        .and_then(|at| walk.integer(&at, 0..=MAX_REPLICAS, "an integer"));
    let batches = object.optional("rolloutBatches", |at| read_batches(walk, at));
    let batch_partition = object.optional("batchPartition", |at| read_partition(walk, at));
    let strategy = object.optional("rolloutStrategy", |at| walk.choice(at, &STRATEGIES));
    let gates = batch_gates::read_gates(walk, &object);
    let (batches, of_batches) = batches?.unzip();
    Some(RolloutTrait {
        kind,
        target_revision: target_revision?,
        target_size: target_size?,
        batches,
        batch_partition: batch_partition?,
        strategy: strategy?.unwrap_or_default(),
        gates: BatchGates { batches: of_batches.unwrap_or_default(), ..gates? },
    })
}

fn read_partition(walk: &mut Walk<'_>, at: &At<'_>) -> Option<u32> {
    if matches!(at.node.value, NodeValue::Int(number) if number < 0) {
        walk.refuse_with(
            at,
            format!("found {}, expected an integer from 0 to {MAX_REPLICAS}", walk.found(at.node)),
            "it is the zero-based index of the last batch that may run, so batch 0 always runs",
        );
        return None;
    }
    walk.integer(at, 0..=MAX_REPLICAS, "an integer")
}

fn read_batches(walk: &mut Walk<'_>, at: &At<'_>) -> Option<(Vec<Batch>, BTreeMap<u32, OneBatchGates>)> {
    let items = walk.list(at, "a list of batches")?;
    if items.is_empty() {
        walk.refuse_with(
            at,
            "found an empty list, expected at least one batch",
            "omit `rolloutBatches` to roll out in one batch",
        );
        return None;
    }
    if items.len() > MAX_BATCHES {
        walk.refuse(at, format!("found {} batches, expected at most {MAX_BATCHES}", items.len()));
        return None;
    }
    let (batches, gates): (Vec<Batch>, Vec<OneBatchGates>) =
        walk.list_of(at, "a list of batches", read_batch)?.into_iter().unzip();
    check_percentages(walk, at, &batches)?;
    let gates = (0..).zip(gates).filter(|(_, gates)| *gates != OneBatchGates::default()).collect();
    Some((batches, gates))
}

fn read_batch(walk: &mut Walk<'_>, at: &At<'_>) -> Option<(Batch, OneBatchGates)> {
    let known = [&["replicas", "maxUnavailable"][..], &batch_gates::OF_BATCH].concat();
    let object = walk.object_of(at, &known, |name| match name {
        "instanceInterval" => Some("omit it; `soak` waits after the batch"),
        "podList" => Some("omit it"),
        _ => None,
    })?;
    let replicas = walk
        .required(&object, "replicas", "an integer of 0 or more, or a percentage such as \"20%\"")
        .and_then(|at| read_amount(walk, &at));
    let max_unavailable = object.optional("maxUnavailable", |at| read_amount(walk, at));
    let gates = batch_gates::read_batch_gates(walk, &object);
    Some((
        Batch { replicas: replicas?, max_unavailable: max_unavailable?.unwrap_or(Amount::Count(0)) },
        gates?,
    ))
}

fn read_amount(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Amount> {
    let expected = "an integer of 0 or more, or a percentage from \"0%\" to \"100%\"";
    match &at.node.value {
        value @ (NodeValue::Int(_) | NodeValue::Float(_)) => {
            let count = value.whole().and_then(|count| u32::try_from(count).ok());
            if let Some(count @ 0..=MAX_REPLICAS) = count {
                return Some(Amount::Count(count));
            }
        }
        NodeValue::Text(text) => {
            let digits = |text: &str| {
                let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                all.then(|| text.parse::<u32>().ok()).flatten()
            };
            match text.strip_suffix('%').map(digits) {
                Some(Some(percent @ 0..=100)) => return Some(Amount::Percent(percent)),
                Some(_) => {}
                // KubeVela reads a number in quotes as a percentage, which is hardly ever intended.
                None => {
                    if let Some(number) = digits(text) {
                        let message = format!("found the string {}, expected {expected}", quoted(text));
                        let hint = match number {
                            0..=100 => format!("did you mean {number} or \"{number}%\"?"),
                            _ => format!("did you mean {number}, without quotes?"),
                        };
                        walk.refuse_with(at, message, hint);
                        return None;
                    }
                }
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Map(_) => {}
    }
    walk.mismatch(at, expected);
    None
}

fn check_percentages(walk: &mut Walk<'_>, at: &At<'_>, batches: &[Batch]) -> Option<()> {
    let sizes: Vec<Amount> = batches.iter().map(|batch| batch.replicas).collect();
    let Some(Excess { message, hint }) = excess(&sizes) else { return Some(()) };
    walk.report(at, message, hint.map(str::to_owned));
    None
}

/// Why percentages exceed any number of pods.
pub(crate) struct Excess {
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

/// What is wrong with the sizes of batches, as far as this does not depend on the number of pods.
pub(crate) fn excess(sizes: &[Amount]) -> Option<Excess> {
    let percent = |size: &Amount| match size {
        Amount::Percent(percent) => Some(*percent),
        Amount::Count(_) => None,
    };
    let (_, earlier) = sizes.split_last()?;
    let sum: u32 = earlier.iter().filter_map(percent).sum();
    if sum >= 100 {
        let message = format!("the batches before the last make {sum}%, expected less than 100%");
        return Some(Excess {
            message,
            hint: Some("the last batch takes the remainder, which must not be empty"),
        });
    }
    let all: Option<Vec<u32>> = sizes.iter().map(percent).collect();
    let sum: u32 = all.unwrap_or_default().iter().sum();
    (sum > 100).then(|| Excess { message: format!("the batches make {sum}%, expected 100%"), hint: None })
}
