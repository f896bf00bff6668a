//! Computes when a window opens, and where a run that does not wait for it is held.

use jiff::civil::Weekday as CivilWeekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::oam::batch_gates::{Weekday, WhenClosed, Window};
use crate::plan::gate_place::GatePlace;
use crate::plan::gate_point::{GatePoint, due_point, promoted_gates};
use crate::plan::preview::PreviewStep;
use crate::plan::run::RunSpec;
use crate::plan::step::Step;

/// A closed window that holds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedWindow {
    /// The first step of the preview that is not performed, zero-based.
    pub step: usize,
    /// The batch that does not start, zero-based.
    pub batch: usize,
    /// When the window opens.
    pub opening: Timestamp,
}

/// The closed window that holds a run when it reaches the window now; `None` if the window is open, or the run waits
/// for it.
#[must_use]
pub fn closed_window(
    steps: &[PreviewStep],
    spec: &RunSpec,
    place: &GatePlace,
    now: Timestamp,
) -> Option<ClosedWindow> {
    let window = spec.gates.window.as_ref().filter(|window| window.when_closed == WhenClosed::Hold)?;
    let opening = next_opening(window, now).ok().filter(|opening| *opening > now)?;
    let mut passed = place.passed;
    for (step, foreseen) in steps.iter().enumerate() {
        let Step::Act(action) = &foreseen.step else { continue };
        while let Some(point) = due_point(spec, passed, action) {
            // A promotion only passes the window of one batch.
            if let GatePoint::Before(batch) = point
                && promoted_gates(place, point, spec) == 0
            {
                return Some(ClosedWindow { step, batch, opening });
            }
            passed = point.ordinal(spec) + 1;
        }
    }
    None
}

/// The next time at which the window is open: `now` if it is.
///
/// # Errors
/// The time zone is unknown to this system.
pub fn next_opening(window: &Window, now: Timestamp) -> Result<Timestamp, String> {
    let zone = TimeZone::get(&window.zone)
        .map_err(|_| format!("time zone `{}` is not known on this machine", window.zone))?;
    let here = now.to_zoned(zone.clone());
    let minute = |minutes: u16| SignedDuration::from_mins(i64::from(minutes));
    // Check a week and a day, since today's window may be over.
    for days in 0..=7_i64 {
        let Ok(date) = here.date().checked_add(days.days()) else { break };
        if !window.days.iter().any(|day| civil(*day) == date.weekday()) {
            continue;
        }
        let moment = |minutes| {
            let time = date.at(0, 0, 0, 0).checked_add(minute(minutes)).ok()?;
            time.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
        };
        let (Some(opens), Some(closes)) = (moment(window.from), moment(window.to)) else { continue };
        if now < closes {
            return Ok(opens.max(now));
        }
    }
    Err(format!("the window in `{}` never opens", window.zone))
}

fn civil(day: Weekday) -> CivilWeekday {
    match day {
        Weekday::Mon => CivilWeekday::Monday,
        Weekday::Tue => CivilWeekday::Tuesday,
        Weekday::Wed => CivilWeekday::Wednesday,
        Weekday::Thu => CivilWeekday::Thursday,
        Weekday::Fri => CivilWeekday::Friday,
        Weekday::Sat => CivilWeekday::Saturday,
        Weekday::Sun => CivilWeekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(days: &[Weekday], zone: &str, now: &str) -> String {
        let window = Window {
            days: days.to_vec(),
            from: 9 * 60,
            to: 16 * 60,
            zone: zone.to_owned(),
            when_closed: WhenClosed::Wait,
        };
        next_opening(&window, now.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_window_opens_on_its_days_in_its_zone() {
        use Weekday::{Fri, Mon, Sun};
        let cases = [
            // A Friday.
            (&[Mon, Fri][..], "UTC", "2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
            (&[Mon, Fri], "UTC", "2026-11-27T08:59:00Z", "2026-11-27T09:00:00Z"),
            (&[Mon, Fri], "UTC", "2026-11-27T16:00:00Z", "2026-11-30T09:00:00Z"),
            (&[Fri], "UTC", "2026-11-27T17:00:00Z", "2026-12-04T09:00:00Z"),
            (&[Fri], "Europe/Berlin", "2026-11-27T07:00:00Z", "2026-11-27T08:00:00Z"),
            // The night in which clocks go back.
            (&[Sun], "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T08:00:00Z"),
        ];
        for (days, zone, now, opens) in cases {
            assert_eq!(opening(days, zone, now), opens, "{now}");
        }
    }
}
