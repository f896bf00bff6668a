//! When a window opens.

use jiff::civil::Weekday as CivilWeekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::oam::batch_gates::{Weekday, Window};

/// The next moment at which the window is open: `now` where it is.
///
/// # Errors
/// A time zone that this system does not know.
pub fn next_opening(window: &Window, now: Timestamp) -> Result<Timestamp, String> {
    let zone = TimeZone::get(&window.zone)
        .map_err(|_| format!("time zone `{}` is not known on this machine", window.zone))?;
    let here = now.to_zoned(zone.clone());
    let minute = |minutes: u16| SignedDuration::from_mins(i64::from(minutes));
    // A week and a day: today's window may be over.
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
    use crate::oam::batch_gates::WhenClosed;

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
