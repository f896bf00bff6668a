//! Random histories, each generated from a seed.

use super::histories::{Act, Death, History, Moment};
use super::manifest::{Component, component};

/// A random number generator with a seed: splitmix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap()
    }

    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(u32::try_from(all.len()).unwrap()) as usize]
    }
}

/// The state of a component while its history is generated.
struct Part {
    name: &'static str,
    depends_on: Option<&'static str>,
    /// The newest version.
    version: u32,
    /// Its target revision.
    target: u32,
    size: u32,
}

/// Lists of batches that fit most sizes.
const PERCENTAGES: [&[&str]; 6] =
    [&["100%"], &["50%", "50%"], &["20%", "80%"], &["34%", "33%", "33%"], &["60%", "40%"], &["1%", "99%"]];

/// The applications of histories: names of components, and their dependencies.
const APPLICATIONS: [&[(&str, Option<&str>)]; 4] = [
    &[("web", None)],
    &[("web", None)],
    &[("db", None), ("web", Some("db"))],
    &[("api", None), ("web", None)],
];

/// The most replicas of a component.
const LARGEST: u32 = 5;

/// Generates the history of a seed.
pub(crate) fn history(seed: u64) -> History {
    let mut rng = Rng(seed);
    let is_calm = rng.one_in(2);
    let application = *rng.pick(&APPLICATIONS);
    let mut parts: Vec<Part> = application
        .iter()
        .map(|(name, depends_on)| Part { name, depends_on: *depends_on, version: 0, target: 0, size: 0 })
        .collect();
    let mut acts = Vec::new();
    for _ in 0..2 + rng.below(4) {
        if rng.one_in(5) {
            let part = rng.pick(&parts);
            let images =
                if rng.one_in(3) { vec![] } else { vec![format!("{}:{}", part.name, part.version + 1)] };
            acts.push(Act::Fail(images));
        }
        let manifest = parts.iter_mut().map(|part| wanted(&mut rng, part, Purpose::Any)).collect();
        let death = rng.one_in(2).then(|| Death {
            effect: rng.below(14) as usize,
            moment: *rng.pick(&[Moment::Before, Moment::Unanswered, Moment::After]),
        });
        acts.push(Act::Apply { manifest, death });
    }
    let last = parts.iter_mut().map(|part| wanted(&mut rng, part, Purpose::Last)).collect();
    History { seed, is_calm, acts, last }
}

/// The purpose of a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It may be held or even rejected.
    Any,
    /// It must complete from any state.
    Last,
}

fn wanted(rng: &mut Rng, part: &mut Part, purpose: Purpose) -> Component {
    let before = (part.target, part.size);
    if part.version == 0 || rng.one_in(2) {
        part.version += 1;
        part.target = part.version;
    } else if part.version > 1 && rng.one_in(3) {
        part.target = 1 + rng.below(part.version);
    }
    if part.size == 0 || rng.one_in(3) {
        part.size = rng.below(LARGEST + 1);
    }
    let mut wanted = component(part.name, part.version, part.size);
    // The content depends on the version, since a revision never changes.
    wanted = match part.version % 4 {
        0 => wanted,
        2 => wanted.exposing(81),
        _ => wanted.exposing(80),
    };
    if let Some(on) = part.depends_on {
        wanted = wanted.depends_on(on);
    }
    if part.target != part.version && purpose == Purpose::Any {
        wanted = wanted.target_revision(&format!("{}-v{}", part.name, part.target));
    }
    if rng.one_in(4) {
        wanted = wanted.decrease_first();
    }
    if rng.one_in(4) {
        wanted = wanted.max_unavailable(1);
    }
    match (purpose, rng.below(4)) {
        (_, 0) => wanted,
        // Only a single pod may be left to change.
        (Purpose::Last, _) => wanted.batches(&["100%"]),
        (Purpose::Any, 1) => {
            let change = if before.0 == part.target { before.1.abs_diff(part.size) } else { part.size };
            wanted.batches(&counts(rng, change).iter().map(String::as_str).collect::<Vec<_>>())
        }
        (Purpose::Any, _) => {
            let percentages = *rng.pick(&PERCENTAGES);
            let gate = percentages.len() > 1 && rng.one_in(3);
            let wanted = wanted.batches(percentages);
            if gate { wanted.partition(0) } else { wanted }
        }
    }
}

/// Sizes of batches that add up to a change.
fn counts(rng: &mut Rng, change: u32) -> Vec<String> {
    let mut left = change;
    let mut counts = Vec::new();
    while left > 0 {
        let batch = 1 + rng.below(left);
        counts.push(batch.to_string());
        left -= batch;
    }
    counts
}
