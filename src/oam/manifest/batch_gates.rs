//! The gates of the `rollout` trait: hooks, smoke tests, metrics, soak times and windows.

mod metrics;
mod smoke_tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::oam::batch_gates::{
    BatchGates, Header, HeaderValue, Hook, HookType, OneBatchGates, Weekday, WhenClosed, Window,
};
use crate::oam::manifest::names;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::schema::read_as;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::schema::{ANY_KEY, Grammar, Shape};

/// The fields of the trait that are gates.
pub(super) const OF_TRAIT: [&str; 6] =
    ["rolloutWebhooks", "canaryMetric", "analysis", "smokeTests", "soak", "window"];

/// The fields of a batch that are gates.
pub(super) const OF_BATCH: [&str; 5] =
    ["batchRolloutWebhooks", "canaryMetric", "analysis", "smokeTests", "soak"];

const TYPES: [(&str, HookType); 4] = [
    ("initialize-rollout", HookType::InitializeRollout),
    ("pre-batch-rollout", HookType::PreBatchRollout),
    ("post-batch-rollout", HookType::PostBatchRollout),
    ("finalize-rollout", HookType::FinalizeRollout),
];

const OF_BATCH_TYPES: [(&str, HookType); 2] = [TYPES[1], TYPES[2]];

const METHODS: [(&str, &str); 5] =
    [("POST", "POST"), ("GET", "GET"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Mon),
    ("Tue", Weekday::Tue),
    ("Wed", Weekday::Wed),
    ("Thu", Weekday::Thu),
    ("Fri", Weekday::Fri),
    ("Sat", Weekday::Sat),
    ("Sun", Weekday::Sun),
];

const WHEN_CLOSED: [(&str, WhenClosed); 2] = [("wait", WhenClosed::Wait), ("hold", WhenClosed::Hold)];

const ADDRESS: &str = "an address such as `https://example.com/hook`";

const HEADER_NAME: Grammar =
    Grammar::new("a header's name, such as `Authorization`", |text| text.parse::<http::HeaderName>().is_ok());

const HEADER_VALUE: Grammar =
    Grammar::new("text without line breaks", |text| text.parse::<http::HeaderValue>().is_ok());

const ZONE: Grammar = Grammar::new("a time zone such as `Europe/Berlin` or `UTC`", |name| {
    jiff::tz::TimeZone::get(name).is_ok()
});

const TEXTS_BY_NAME: Shape = Shape::Map { of: &Shape::Text, keys: ANY_KEY, expected: "a mapping" };

const DURATION: &str = "a duration such as `30s` or `1h30m`";

/// Reads the gates of the trait, except those of single batches.
pub(super) fn read_gates(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<BatchGates> {
    let hooks = read_hooks(walk, object, "rolloutWebhooks", &TYPES);
    let smoke_tests = smoke_tests::read_smoke_tests(walk, object);
    let metrics = metrics::read_metrics(walk, object);
    let soak = object.optional("soak", |at| read_duration(walk, at));
    let window = object.optional("window", |at| read_window(walk, at));
    Some(BatchGates {
        hooks: hooks?,
        soak_seconds: soak?.unwrap_or(0),
        smoke_tests: smoke_tests?,
        metrics: metrics?,
        window: window?,
        batches: BTreeMap::new(),
    })
}

/// Reads the gates of one batch.
pub(super) fn read_batch_gates(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<OneBatchGates> {
    let hooks = read_hooks(walk, object, "batchRolloutWebhooks", &OF_BATCH_TYPES);
    let smoke_tests = smoke_tests::read_smoke_tests(walk, object);
    let metrics = metrics::read_metrics(walk, object);
    let soak = object.optional("soak", |at| read_duration(walk, at));
    Some(OneBatchGates { hooks: hooks?, soak_seconds: soak?, smoke_tests: smoke_tests?, metrics: metrics? })
}

/// Reads the entries of an optional list.
fn read_list<'n, T>(
    walk: &mut Walk<'_>,
    object: &Object<'n>,
    (name, expected): (&str, &str),
    read: impl FnMut(&mut Walk<'_>, &At<'n>) -> Option<T>,
) -> Option<Vec<T>> {
    object.optional(name, |at| walk.list_of(at, expected, read)).map(Option::unwrap_or_default)
}

/// Rejects entries with the same name.
fn without_twins<T>(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    noun: &str,
    entries: Vec<T>,
    name: impl Fn(&T) -> &String,
) -> Option<Vec<T>> {
    let mut known = BTreeSet::new();
    match entries.iter().map(name).find(|name| !known.insert(*name)) {
        None => Some(entries),
        Some(twin) => {
            walk.refuse(&object.at, format!("the {noun} `{twin}` appears twice"));
            None
        }
    }
}

fn read_hooks(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    field: &str,
    types: &[(&str, HookType)],
) -> Option<Vec<Hook>> {
    read_list(walk, object, (field, "a list of hooks"), |walk, at| read_hook(walk, at, types))
}

fn read_hook(walk: &mut Walk<'_>, at: &At<'_>, types: &[(&str, HookType)]) -> Option<Hook> {
    let known = ["type", "name", "url", "method", "expectedStatus", "metadata", "headers"];
    let object = walk.object_of(at, &known, |_| None)?;
    let hook_type =
        walk.required(&object, "type", "the type of the hook").and_then(|at| walk.choice(&at, types));
    let name = walk.required_text(&object, "name", names::LABEL);
    let url = walk.required(&object, "url", ADDRESS).and_then(|at| read_address(walk, &at));
    let method = object.optional("method", |at| walk.choice(at, &METHODS));
    let expected_status =
        read_list(walk, &object, ("expectedStatus", "a list of HTTP statuses"), |walk, at| {
            walk.integer(at, 100..=599, "a status")
        });
    let metadata = object.optional("metadata", |at| read_as(walk, at, &TEXTS_BY_NAME));
    let headers = read_headers(walk, &object);
    Some(Hook {
        hook_type: hook_type?,
        name: name?,
        url: url?,
        method: method?.unwrap_or("POST").to_owned(),
        expected_status: expected_status?,
        metadata: metadata?.unwrap_or_default(),
        headers: headers?,
    })
}

fn read_address(walk: &mut Walk<'_>, at: &At<'_>) -> Option<String> {
    let text = walk.text_for(at, ADDRESS, is_address)?;
    if is_address(text) {
        return without_login(walk, at, text).then(|| text.to_owned());
    }
    walk.refuse(at, format!("found {}, expected {ADDRESS}", walk.found(at.node)));
    None
}

/// Rejects a URL with credentials, since they would not be sent.
fn without_login(walk: &mut Walk<'_>, at: &At<'_>, address: &str) -> bool {
    let has_login = address
        .parse::<http::Uri>()
        .is_ok_and(|address| address.authority().is_some_and(|authority| authority.as_str().contains('@')));
    if has_login {
        let advice = "send them in `headers`, from a variable or a file";
        walk.refuse_with(at, "found credentials in the address", advice);
    }
    !has_login
}

fn is_address(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|address| {
        address.host().is_some() && matches!(address.scheme_str(), Some("http" | "https"))
    })
}

/// A duration in whole seconds.
pub(super) fn read_duration(walk: &mut Walk<'_>, at: &At<'_>) -> Option<u64> {
    if let NodeValue::Int(number @ 0..) = at.node.value {
        walk.refuse_with(
            at,
            format!("found {number}, expected {DURATION}"),
            format!("did you mean `{number}s`?"),
        );
        return None;
    }
    let parse = |text: &str| {
        let parsed = text.parse::<jiff::SignedDuration>().ok();
        parsed.filter(|duration| !duration.is_negative())
    };
    let Some(duration) = parse(walk.text_for(at, DURATION, |text| parse(text).is_some())?) else {
        walk.refuse(at, format!("found {}, expected {DURATION}", walk.found(at.node)));
        return None;
    };
    if duration.subsec_nanos() != 0 {
        walk.refuse(at, format!("found {}, expected whole seconds, such as `1s`", walk.found(at.node)));
        return None;
    }
    u64::try_from(duration.as_secs()).ok()
}

fn read_headers(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<Header>> {
    read_list(walk, object, ("headers", "a list of headers"), read_header)
}

fn read_header(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Header> {
    let object = walk.object_of(at, &["key", "value", "valueFrom"], |_| None)?;
    let key = walk.required(&object, "key", "a header's name").and_then(|at| walk.checked(&at, HEADER_NAME));
    let value = match (object.get("value"), object.get("valueFrom")) {
        (Some(at), None) => walk.checked(&at, HEADER_VALUE).map(|text| HeaderValue::Text(text.to_owned())),
        (None, Some(at)) => read_source(walk, &at),
        (Some(_), Some(at)) => {
            walk.refuse_with(&at, "found beside `value`", "omit one of them");
            None
        }
        (None, None) => {
            walk.refuse(at, "missing one of `value`, `valueFrom`");
            None
        }
    };
    Some(Header { key: key?.to_owned(), value: value? })
}

fn read_source(walk: &mut Walk<'_>, at: &At<'_>) -> Option<HeaderValue> {
    let object = walk.object_of(at, &["env", "file"], |name| match name {
        "secretKeyRef" => Some("the secret is read on the machine of `rollout`: name a variable or a file"),
        _ => None,
    })?;
    match (object.get("env"), object.get("file")) {
        (Some(at), None) => walk.checked(&at, names::ENV).map(|name| HeaderValue::Env(name.to_owned())),
        (None, Some(at)) => walk.text(&at, "a path").map(|path| HeaderValue::File(path.to_owned())),
        (Some(_), Some(_)) | (None, None) => {
            walk.refuse(at, "expected one of `env`, `file`");
            None
        }
    }
}

fn read_window(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Window> {
    let object = walk.object_of(at, &["days", "from", "to", "zone", "whenClosed"], |_| None)?;
    let days = object.optional("days", |at| read_days(walk, at));
    let mut time = |name: &str| {
        let expected = "a time of day such as \"09:00\", in quotes";
        let at = walk.required(&object, name, expected)?;
        let text = walk.text_for(&at, expected, |text| minutes(text).is_some())?;
        let minutes = minutes(text);
        if minutes.is_none() {
            walk.refuse(&at, format!("found {}, expected {expected}", walk.found(at.node)));
        }
        minutes
    };
    let (from, to) = (time("from"), time("to"));
    let zone = walk
        .required(&object, "zone", "a time zone such as `Europe/Berlin`")
        .and_then(|at| walk.checked(&at, ZONE));
    let when_closed = object.optional("whenClosed", |at| walk.choice(at, &WHEN_CLOSED));
    let window = Window {
        days: days?.unwrap_or_else(|| DAYS[..5].iter().map(|(_, day)| *day).collect()),
        from: from?,
        to: to?,
        zone: zone?.to_owned(),
        when_closed: when_closed?.unwrap_or_default(),
    };
    if window.from >= window.to {
        walk.refuse_with(at, "`from` is not before `to`", "a window ends on the day on which it begins");
        return None;
    }
    Some(window)
}

fn read_days(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<Weekday>> {
    let expected = "a list of days such as [Mon, Tue]";
    let mut days = walk.list_of(at, expected, |walk, item| walk.choice(item, &DAYS))?;
    if days.is_empty() {
        walk.refuse(at, "found an empty list, expected at least one day");
        return None;
    }
    days.sort_unstable();
    days.dedup();
    Some(days)
}

/// Minutes since midnight; 24:00 is the end of the day.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= 24 * 60).then_some(all)
}
