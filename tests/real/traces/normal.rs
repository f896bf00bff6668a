//! The aspects of a trace that do not depend on time.
//!
//! The following is kept: the first status that reflects the write; each change of `currentRevision`, with the number
//! of pods and of updated ones at that time; the turning points of every count, i.e. how far it fell and rose, and how
//! often; and the final status. The number of steps in a fall or rise is dropped, as is which of two counts changed
//! first: pods that are created together may become ready one after the other or at once. Revisions become letters in
//! the order in which they appear.

use super::play::RequestInfo;

/// The letters of a trace's revisions.
struct Letters(Vec<String>);

impl Letters {
    fn of(&mut self, revision: &str) -> String {
        if revision.is_empty() {
            return "-".to_owned();
        }
        let at = self.0.iter().position(|known| known == revision).unwrap_or_else(|| {
            self.0.push(revision.to_owned());
            self.0.len() - 1
        });
        char::from(b'a' + u8::try_from(at).unwrap()).to_string()
    }
}

/// The same trace with letters.
fn lettered(trace: &[RequestInfo]) -> Vec<RequestInfo> {
    let mut letters = Letters(Vec::new());
    let letter = |seen: &RequestInfo| {
        let (current, update) = (letters.of(&seen.current), letters.of(&seen.update));
        RequestInfo { current, update, ..seen.clone() }
    };
    trace.iter().map(letter).collect()
}

/// A trace in readable form.
pub(super) fn told(trace: &[RequestInfo]) -> String {
    lettered(trace).iter().map(|seen| format!("  {seen}\n")).collect()
}

/// A count of a status and its name.
type Count = (&'static str, fn(&RequestInfo) -> i64);

/// The counts of both kinds; a count that a kind lacks is always zero.
const COUNTS: [Count; 7] = [
    ("replicas", |seen| seen.replicas),
    ("ready", |seen| seen.ready),
    ("available", |seen| seen.available),
    ("updated", |seen| seen.updated),
    ("updated ready", |seen| seen.updated_ready),
    ("updated available", |seen| seen.updated_available),
    ("of current", |seen| seen.of_current),
];

/// The lines in which two traces must agree.
pub(super) fn form(trace: &[RequestInfo]) -> Vec<String> {
    let trace = lettered(trace);
    let mut lines = Vec::new();
    lines.extend(trace.iter().find(|seen| !seen.is_fresh()).map(|seen| format!("written: {seen}")));
    let fresh: Vec<&RequestInfo> = trace.iter().filter(|seen| seen.is_fresh()).collect();
    lines.extend(fresh.first().map(|seen| format!("first seen: {seen}")));
    for pair in fresh.windows(2) {
        let [before, after] = pair else { continue };
        if (&before.current, &before.update) != (&after.current, &after.update) {
            let RequestInfo { replicas, updated, current, update, .. } = after;
            lines.push(format!("revisions: {update}/{current} with {updated} of {replicas} updated"));
        }
    }
    for (name, count) in COUNTS {
        let numbers: Vec<i64> = fresh.iter().map(|seen| count(seen)).collect();
        lines.push(format!("{name}: {:?}", turning_points(&numbers)));
    }
    lines.extend(fresh.last().map(|seen| format!("at the end: {seen}")));
    lines
}

/// The first and last numbers, and those in between where the direction changes.
fn turning_points(numbers: &[i64]) -> Vec<i64> {
    let mut points: Vec<i64> = Vec::new();
    for number in numbers {
        match points[..] {
            [.., last] if last == *number => continue,
            [.., before, last] if (before < last) == (last < *number) => {
                *points.last_mut().unwrap() = *number;
            }
            _ => points.push(*number),
        }
    }
    points
}
