//! The types of components, and components that change theirs.

use crate::support::random::Rng;

/// The types of components, and how each is rolled out.
pub(super) const TYPES: [(&str, Style); 15] = [
    ("webservice", Style::Batches),
    ("webservice", Style::Batches),
    ("webservice", Style::Batches),
    ("cloneset-service", Style::Batches),
    ("statefulset", Style::Batches),
    ("webservice", Style::Whole),
    ("worker", Style::Batches),
    ("webservice", Style::Either),
    ("webservice", Style::Batches),
    ("worker", Style::Either),
    ("statefulset", Style::Whole),
    ("daemon", Style::Whole),
    ("task", Style::Whole),
    ("k8s-objects", Style::Whole),
    ("cloneset-service", Style::Batches),
];

/// Whether a component has the `rollout` trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Batches,
    Whole,
    /// It gains and loses the trait.
    Either,
}

/// The types that a component changes between: two kinds of workload that roll out in place are rarer, since they can
/// only be changed to by components that are applied as a whole.
const CHANGES: [(&str, Style); 15] = [
    ("webservice", Style::Batches),
    ("webservice", Style::Batches),
    ("webservice", Style::Whole),
    ("worker", Style::Batches),
    ("worker", Style::Whole),
    ("daemon", Style::Whole),
    ("daemon", Style::Whole),
    ("task", Style::Whole),
    ("cron-task", Style::Whole),
    ("statefulset", Style::Whole),
    ("statefulset", Style::Batches),
    ("cloneset-service", Style::Whole),
    ("cloneset-service", Style::Batches),
    ("k8s-objects", Style::Whole),
    ("k8s-objects", Style::Whole),
];

/// The types of a component that changes its type: one for each version, since a revision never changes.
pub(super) struct Changes {
    rng: Rng,
    /// Those that it changes between, so that changes back are frequent.
    between: Vec<(&'static str, Style)>,
    of_versions: Vec<(&'static str, Style)>,
}

impl Changes {
    /// A component that changes between two or three types. Components of the same seed change between the same.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let between = (0..2 + rng.below(2)).map(|_| *rng.pick(&CHANGES)).collect();
        Self { rng, between, of_versions: Vec::new() }
    }

    /// A component whose first version rolls out in batches, and whose next ones do not.
    pub(super) fn directed(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let mut one = |style| loop {
            let found = *rng.pick(&CHANGES);
            if found.1 == style {
                return found;
            }
        };
        let between = vec![one(Style::Batches), one(Style::Whole)];
        let of_versions = vec![between[0], between[1], one(Style::Whole)];
        Self { rng, between, of_versions }
    }

    /// The type of a version, and how it is rolled out.
    pub(super) fn of(&mut self, version: u32) -> (&'static str, Style) {
        while self.of_versions.len() < version as usize {
            let one = *self.rng.pick(&self.between);
            self.of_versions.push(one);
        }
        self.of_versions[version as usize - 1]
    }

    /// Whether a component that is applied as a whole leaves its size to the cluster.
    pub(super) fn leaves_size(&mut self) -> bool {
        self.rng.one_in(3)
    }
}
