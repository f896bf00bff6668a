//! CronJobs: defaults and rules, including the syntax of schedules.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>.

use serde_json::{Value, json};

use super::defaulting::{default as set, default_status, template};
use super::job;
use super::workload::not_negative;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

/// The maximum length of a name, to which a Job's name adds eleven characters.
const LONGEST_NAME: usize = 52;

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    set(spec, "concurrencyPolicy", json!("Allow"));
    set(spec, "suspend", json!(false));
    set(spec, "successfulJobsHistoryLimit", json!(3));
    set(spec, "failedJobsHistoryLimit", json!(1));
    let job = spec.entry("jobTemplate").or_insert_with(|| json!({}));
    meta::object_mut(job, "metadata");
    template(meta::object_mut(job, "spec"));
    default_status(object, json!({}));
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let schedule = meta::text(spec, "/schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if let Err(problem) = self::schedule(schedule) {
        errors.push(FieldError::invalid("spec.schedule", &json!(schedule), &problem));
    }
    errors.extend(not_negative("startingDeadlineSeconds", &spec["startingDeadlineSeconds"]));
    let policies = ["Allow", "Forbid", "Replace"];
    if !policies.contains(&meta::text(spec, "/concurrencyPolicy")) {
        errors.push(FieldError::unsupported("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &policies));
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.extend(not_negative(field, &spec[field]));
    }
    errors.extend(job::pod_template(
        "spec.jobTemplate.spec.template",
        &spec["jobTemplate"]["spec"]["template"],
    ));
    let name = meta::name(object);
    if before.is_none() && name.len() > LONGEST_NAME {
        let detail = format!("must be no more than {LONGEST_NAME} characters");
        errors.insert(0, FieldError::invalid("metadata.name", &json!(name), &detail));
    }
    errors
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What is wrong with a schedule.
fn schedule(text: &str) -> Result<(), String> {
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        return Err("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".to_owned());
    }
    if text.starts_with('@') {
        let known = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        let is_known = known.contains(&text) || text.starts_with("@every ");
        return if is_known { Ok(()) } else { Err(format!("unrecognized descriptor: {text}")) };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    };
    field(minute, 0, 59, &[])?;
    field(hour, 0, 23, &[])?;
    field(day, 1, 31, &[])?;
    field(month, 1, 12, &MONTHS)?;
    field(weekday, 0, 6, &DAYS)
}

fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Result<(), String> {
    text.split(',').filter(|range| !range.is_empty()).try_for_each(|text| range(text, least, most, names))
}

fn range(text: &str, least: u32, most: u32, names: &[&str]) -> Result<(), String> {
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text.to_lowercase());
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + least);
        named.or_else(|| text.parse().ok()).ok_or_else(|| format!("failed to parse int from {text}"))
    };
    let steps: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = steps[0].split('-').collect();
    let (first, mut last) = match ends.as_slice() {
        ["*" | "?"] => (least, most),
        [one] => (number(one)?, number(one)?),
        [first, last] => (number(first)?, number(last)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    match steps.as_slice() {
        [_] => (),
        [_, step] if number(step)? == 0 => {
            return Err(format!("step of range should be a positive number: {text}"));
        }
        [_, _] if ends.len() == 1 => last = most,
        [_, _] => (),
        _ => return Err(format!("too many slashes: {text}")),
    }
    if first < least {
        return Err(format!("beginning of range ({first}) below minimum ({least}): {text}"));
    }
    if last > most {
        return Err(format!("end of range ({last}) above maximum ({most}): {text}"));
    }
    if first > last {
        return Err(format!("beginning of range ({first}) beyond end of range ({last}): {text}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_validated() {
        for (text, problem) in [
            ("*/5 0-6 1,15 jan-MAR mon", ""),
            ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
            ("@daily", ""),
            ("@every 5m", ""),
            ("@never", "unrecognized descriptor: @never"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("5-2 * * * *", "beginning of range (5) beyond end of range (2): 5-2"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("x * * * *", "failed to parse int from x"),
        ] {
            assert_eq!(schedule(text).err().unwrap_or_default(), problem, "{text}");
        }
    }
}
