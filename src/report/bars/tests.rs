//! Bars in any state, on terminals of any size.

use super::row::BarCounts;
use super::*;

/// Bars after events of components, each given as (second, component, event).
fn bars(events: &[(i64, &str, EventKind)]) -> Bars {
    let mut bars = Bars::default();
    for (second, component, what) in events {
        bars.event(&Event {
            elapsed: SignedDuration::from_secs(*second),
            cluster: None,
            namespace: None,
            application: "shop".to_owned(),
            component: (!component.is_empty()).then(|| (*component).to_owned()),
            what: what.clone(),
        });
    }
    bars
}

fn drawn(bars: &Bars, columns: u16, rows: u16) -> String {
    let lines = bars.lines(Size { columns, rows }, SignedDuration::from_secs(65), Paint::Plain);
    for line in &lines {
        assert!(
            crate::report::text::columns(line) < columns.into(),
            "{line:?} is wider than {columns} columns"
        );
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn at(batch: usize, upgraded: u32, ready: u32) -> Progress {
    Progress { batch, batches: 3, target_size: 6, upgraded, ready, source: 6 - upgraded }
}

fn waiting(progress: Progress, on: &str) -> EventKind {
    EventKind::Waiting { progress, on: on.to_owned(), at_gate: false }
}

fn every_state() -> Bars {
    let stuck = "pod `cart-v2-x`: ImagePullBackOff: Back-off pulling image";
    bars(&[
        (1, "web", waiting(at(0, 1, 0), "`web-v2`: 0 of 1 ready")),
        (50, "web", waiting(at(1, 4, 2), "`web-v2`: 2 of 4 ready")),
        (2, "cart", waiting(at(0, 1, 0), "`cart-v2`: 0 of 1 ready")),
        (5, "cart", EventKind::Diagnosed { evidence: vec![stuck.to_owned()] }),
        (32, "cart", waiting(at(0, 1, 0), "`cart-v2`: 0 of 1 ready")),
        (60, "search", EventKind::BatchReady { progress: at(2, 6, 6) }),
        (40, "api", EventKind::Paused { progress: at(1, 3, 3), by: "jane".to_owned() }),
        (0, "mail", EventKind::DependencyAwaited { on: vec!["web".to_owned(), "cart".to_owned()] }),
        (3, "", EventKind::Queued { holder: "ci/job/7".to_owned() }),
    ])
}

#[test]
fn every_state_in_any_width() {
    let text: String =
        [200, 120, 80, 40, 20].map(|columns| drawn(&every_state(), columns, 24) + "\n").concat();
    insta::assert_snapshot!(text, @"
    ! cart   ▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░ 0/6 batch 1/3 1m03s  not progressing: pod `cart-v2-x`: ImagePullBackOff: Back-off pulling image
    • web    ██████████▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░ 2/6 batch 2/3   15s  `web-v2`: 2 of 4 ready
    ✓ search ██████████████████████████████ 6/6 batch 3/3    5s  batch ready
    ‖ api    ███████████████░░░░░░░░░░░░░░░ 3/6 batch 2/3   25s  paused by `jane`
    · shop   1m02s  waiting for the run of `ci/job/7`, which holds the lease
    · mail   1m05s  waiting for `web` and `cart` to complete

    ! cart   ▒▒▒░░░░░░░░░░░░░░░░░░░░ 0/6 batch 1/3 1m03s  not progressing: pod `cart-v2-x`: ImagePullBackOff: Back-off pul…
    • web    ███████▒▒▒▒▒▒▒▒░░░░░░░░ 2/6 batch 2/3   15s  `web-v2`: 2 of 4 ready
    ✓ search ███████████████████████ 6/6 batch 3/3    5s  batch ready
    ‖ api    ███████████░░░░░░░░░░░░ 3/6 batch 2/3   25s  paused by `jane`
    · shop   1m02s  waiting for the run of `ci/job/7`, which holds the lease
    · mail   1m05s  waiting for `web` and `cart` to complete

    ! cart   ▒▒░░░░░░░░░░░░░ 0/6 batch 1/3 1m03s  not progressing: pod `cart-v2-x`…
    • web    █████▒▒▒▒▒░░░░░ 2/6 batch 2/3   15s  `web-v2`: 2 of 4 ready
    ✓ search ███████████████ 6/6 batch 3/3    5s  batch ready
    ‖ api    ███████░░░░░░░░ 3/6 batch 2/3   25s  paused by `jane`
    · shop   1m02s  waiting for the run of `ci/job/7`, which holds the lease
    · mail   1m05s  waiting for `web` and `cart` to complete

    ! cart   ▒░░░░░░ 0/6 1/3 1m03s
    • web    ██▒▒░░░ 2/6 2/3   15s
    ✓ search ███████ 6/6 3/3    5s
    ‖ api    ███░░░░ 3/6 2/3   25s
    · shop   1m02s  waiting for the run of…
    · mail   1m05s  waiting for `web` and …

    ! cart   ▒░░░░░ 0/6
    • web    ██▒▒░░ 2/6
    ✓ search ██████ 6/6
    ‖ api    ███░░░ 3/6
    · shop   1m02s
    · mail   1m05s
    ");
}

#[test]
fn colour_repeats_the_state_character() {
    let lines = every_state().lines(Size { columns: 80, rows: 24 }, SignedDuration::ZERO, Paint::Coloured);
    insta::assert_snapshot!(lines.join("\n").replace('\u{1b}', "^"), @"
    ^[33m!^[0m cart   ^[33m▒▒^[0m^[2m░░░░░░░░░░░░░^[0m 0/6 batch 1/3  0s  ^[33mnot progressing: pod `cart-v2-x`: …^[0m
    ^[36m•^[0m web    ^[32m█████^[0m^[36m▒▒▒▒▒^[0m^[2m░░░░░^[0m 2/6 batch 2/3  0s  `web-v2`: 2 of 4 ready
    ^[32m✓^[0m search ^[32m███████████████^[0m 6/6 batch 3/3  0s  batch ready
    ^[33m‖^[0m api    ^[32m███████^[0m^[2m░░░░░░░░^[0m 3/6 batch 2/3  0s  paused by `jane`
    · shop    0s  waiting for the run of `ci/job/7`, which holds the lease
    · mail    0s  waiting for `web` and `cart` to complete
    ");
}

#[test]
fn a_total_follows_if_not_all_components_fit() {
    let names: Vec<String> = (0..20).map(|index| format!("c{index:02}")).collect();
    let mut events: Vec<(i64, &str, EventKind)> = Vec::new();
    for name in &names[..8] {
        events.push((1, name, waiting(at(1, 4, 2), "pods")));
    }
    for name in &names[8..] {
        events.push((1, name, EventKind::DependencyAwaited { on: vec!["c00".to_owned()] }));
    }
    let failed = EventKind::Failed { progress: None, reason: String::new(), evidence: vec![], hints: vec![] };
    events.push((60, "c00", failed));
    events.push((60, "c01", EventKind::Succeeded { progress: at(2, 6, 6), changed: true }));
    let bars = bars(&events);
    insta::assert_snapshot!(drawn(&bars, 80, 8), @"
    • c02           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
    • c03           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
    • c04           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
    • c05           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
    • c06           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
    • c07           █████▒▒▒▒▒░░░░░   2/6 batch 2/3 1m04s  pods
      20 components ██████▒▒▒▒░░░░░ 20/48 1/20 done 1m05s  … 12 more, 1 failed
    ");
    assert_eq!(drawn(&bars, 80, 24).lines().count(), MOST_BARS + 1);
    assert_eq!(drawn(&bars, 80, 1).lines().count(), 2);
}

#[test]
fn hostile_and_long_names_stay_on_one_line() {
    let names = ["\u{1b}[2Jx\r\n", "发布发布发布发布发布发布发布发布", "👩‍🚀❤️", &"long-".repeat(20), "\t"];
    for name in names {
        let bars = bars(&[(0, name, waiting(at(1, 4, 2), name))]);
        for columns in 1..130 {
            let text = drawn(&bars, columns, 24);
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.trim_end_matches('\n').chars().any(crate::report::text::is_unsafe), "{text:?}");
        }
    }
}

#[test]
fn a_bar_always_has_its_full_width() {
    for (ready, updated, target) in [(7, 7, 3), (0, 0, 0), (u32::MAX, u32::MAX, u32::MAX), (1, 0, 1000)] {
        let drawn = BarCounts { ready, updated, target }.draw(10, None, Paint::Plain);
        assert_eq!(drawn.chars().count(), 10, "{drawn}");
    }
}
