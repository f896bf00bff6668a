//! Screens of terminals of several widths, during runs and at the end.

use rustix::process::Signal;

use crate::support::manifest::{application, component, shop};
use crate::support::screen::Screen;
use crate::support::test_env::TestEnv;

const FAILING: &str = "- {image: '*:2', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 20ms}";

fn on_screen(env: &TestEnv, line: &str, columns: u16) -> String {
    Screen::start(env.command(line), columns).end()
}

#[test]
fn an_upgrade() {
    let env = TestEnv::new();
    env.run_ok("apply examples/express-server-v1.yaml");
    let canary = on_screen(&env, "apply examples/express-server-v2-canary.yaml", 120);
    let rest = on_screen(&env, "apply examples/express-server-v2.yaml", 80);
    insta::assert_snapshot!(format!("{canary}\n\n{rest}"), @"
    [   0s] express-server: upgrade to `express-server-v2`
    [   0s]   from `express-server-v1`: 5 replicas in 2 batches (2 and 3), batch timeout 10m
    [   0s] express-server: revision 2 recorded as `express-server-v2`
    [   0s] express-server: workload `express-server-v2` created
    [   0s] express-server: batch 1 of 2 ready: 2 of 5 upgraded, 2 ready, source 3
    [   0s] express-server: held after batch 1 of 2 as requested: 2 of 5 upgraded, 2 ready, source 3
    [   0s]   hint: continue with `rollout promote express-server --sandbox=box.json`
    NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    express-server   5        2          2       batchReady    rollingInBatches   0s
    [exit 0]

    [   0s] express-server: resuming the upgrade to `express-server-v2`
    [   0s]   from `express-server-v1`: 5 replicas in 2 batches (2 and 3), batch tim
    eout 10m
    [   0s] express-server: batch 2 of 2 ready: 5 of 5 upgraded, 5 ready
    [   0s] express-server: workload `express-server-v1` deleted
    [   0s] express-server: done: 5 of 5 upgraded, 5 ready
    NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    express-server   5        5          5       batchReady    rolloutSucceed   0s
    [exit 0]
    ");
}

#[test]
fn three_components() {
    let env = TestEnv::new();
    let names = ["api", "job", "web"];
    let texts = names.map(|name| application(name, &[component(name, 1, 2).image("web:1")]));
    env.write("three.yaml", texts.join("---\n"));
    // Components end in any order.
    let screen = on_screen(&env, "apply three.yaml", 80);
    for name in names {
        assert!(screen.contains(&format!("{name}: done: 2 of 2 upgraded, 2 ready\n")), "{screen}");
        assert_eq!(screen.matches(&format!("\n{name} ")).count(), 1, "one row in the table: {screen}");
    }
    assert!(!screen.contains(['•', '█', '░']), "no bar is left: {screen}");
}

#[test]
fn an_image_that_cannot_be_pulled_at_three_widths() {
    let mut screens = String::new();
    for columns in [120, 80, 40] {
        let env = TestEnv::new();
        env.write("v1.yaml", shop("v1", "web:1"));
        env.write("v2.yaml", shop("v2", "web:2"));
        env.run_ok("apply v1.yaml");
        env.pods(FAILING);
        screens.push_str(&on_screen(&env, "apply v2.yaml --batch-timeout 500ms", columns));
        screens.push_str("\n\n");
    }
    insta::assert_snapshot!(screens, @r#"
    [   0s] web: upgrade to `web-v2`
    [   0s]   from `web-v1`: 3 replicas in 2 batches (1 and 2), batch timeout 500ms
    [   0s] web: revision 2 recorded as `web-v2`
    [   0s] web: workload `web-v2` created
    [   0s] web: failed in batch 1 of 2: not ready after 500ms (`--batch-timeout`): `web-v2`: 0 of 1 ready
    [   0s]   waited 0s for `web-v2`: 0 of 1 ready
    [   0s]   pod `web-v2-85574c6955-4bvfk`: ImagePullBackOff: Back-off pulling image "web:2": ErrImagePull: failed to pull
    and unpack image "web:2": failed to resolve reference "web:2": web:2: not found
    [   0s]   warning event: Failed: Failed to pull image "web:2": failed to pull and unpack image "web:2": failed to resolv
    e reference "web:2": web:2: not found
    [   0s]   running now: `web-v1` 3/3 ready, `web-v2` 0/1 ready
    [   0s]   hint: the run is recorded: rerun the same command to resume it
    [   0s]   hint: roll back with `rollout undo web --to-revision web-v1 --sandbox=box.json`
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s
    [exit 3]

    [   0s] web: upgrade to `web-v2`
    [   0s]   from `web-v1`: 3 replicas in 2 batches (1 and 2), batch timeout 500ms
    [   0s] web: revision 2 recorded as `web-v2`
    [   0s] web: workload `web-v2` created
    [   0s] web: failed in batch 1 of 2: not ready after 500ms (`--batch-timeout`):
    `web-v2`: 0 of 1 ready
    [   0s]   waited 0s for `web-v2`: 0 of 1 ready
    [   0s]   pod `web-v2-85574c6955-4bvfk`: ImagePullBackOff: Back-off pulling imag
    e "web:2": ErrImagePull: failed to pull and unpack image "web:2": failed to reso
    lve reference "web:2": web:2: not found
    [   0s]   warning event: Failed: Failed to pull image "web:2": failed to pull an
    d unpack image "web:2": failed to resolve reference "web:2": web:2: not found
    [   0s]   running now: `web-v1` 3/3 ready, `web-v2` 0/1 ready
    [   0s]   hint: the run is recorded: rerun the same command to resume it
    [   0s]   hint: roll back with `rollout undo web --to-revision web-v1 --sandbox=
    box.json`
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s
    [exit 3]

    [   0s] web: upgrade to `web-v2`
    [   0s]   from `web-v1`: 3 replicas in 2
     batches (1 and 2), batch timeout 500ms
    [   0s] web: revision 2 recorded as `web
    -v2`
    [   0s] web: workload `web-v2` created
    [   0s] web: failed in batch 1 of 2: not
     ready after 500ms (`--batch-timeout`):
    `web-v2`: 0 of 1 ready
    [   0s]   waited 0s for `web-v2`: 0 of 1
     ready
    [   0s]   pod `web-v2-85574c6955-4bvfk`:
     ImagePullBackOff: Back-off pulling imag
    e "web:2": ErrImagePull: failed to pull
    and unpack image "web:2": failed to reso
    lve reference "web:2": web:2: not found
    [   0s]   warning event: Failed: Failed
    to pull image "web:2": failed to pull an
    d unpack image "web:2": failed to resolv
    e reference "web:2": web:2: not found
    [   0s]   running now: `web-v1` 3/3 read
    y, `web-v2` 0/1 ready
    [   0s]   hint: the run is recorded: rer
    un the same command to resume it
    [   0s]   hint: roll back with `rollout
    undo web --to-revision web-v1 --sandbox=
    box.json`
    NAME   TARGET   UPGRADED   READY   BATCH
    -STATE         ROLLING-STATE   AGE
    web    3        1          0       batch
    VerifyFailed   rolloutFailed   0s
    [exit 3]
    "#);
}

#[test]
fn stopped_and_resumed_in_a_narrow_terminal() {
    let env = TestEnv::new();
    env.write("v1.yaml", shop("v1", "web:1"));
    env.pods("- {image: '*', fail: NeverReady}");
    let mut screen = Screen::start(env.command("apply v1.yaml"), 40);
    screen.until("• web ▒▒");
    assert!(screen.text().lines().all(|line| line.chars().count() <= 40), "{}", screen.text());
    let stopped = screen.signal(Signal::INT).end();
    env.pods("- {image: '*', readyAfter: 20ms}");
    // The pod may be ready before the run is resumed.
    let told = "[   0s] web: batch 1 of 2 ready: 1 of 3\nupgraded, 1 ready\n";
    let resumed = on_screen(&env, "apply v1.yaml", 40).replace(told, "");
    insta::assert_snapshot!(format!("{stopped}\n\n{resumed}"), @"
    [   0s] web: first release of `web-v1`
    [   0s]   3 replicas in 2 batches (1 and
     2), batch timeout 10m
    [   0s] web: revision 1 recorded as `web
    -v1`
    [   0s] web: workload `web-v1` created
    [   0s] web: interrupted in batch 1 of 2
    : 1 of 3 upgraded, 0 ready
    [   0s]   hint: the run is recorded: rer
    un the same command to resume it
    [exit 130]

    [   0s] web: resuming the first release
    of `web-v1`
    [   0s]   3 replicas in 2 batches (1 and
     2), batch timeout 10m
    [   0s] web: batch 2 of 2 ready: 3 of 3
    upgraded, 3 ready
    [   0s] web: done: 3 of 3 upgraded, 3 re
    ady
    NAME   TARGET   UPGRADED   READY   BATCH
    -STATE   ROLLING-STATE    AGE
    web    3        3          3       batch
    Ready    rolloutSucceed   0s
    [exit 0]
    ");
}

/// Two components with pods that never become ready, and one that waits for the first.
fn stuck() -> TestEnv {
    let env = TestEnv::new();
    let one = |name: &str| component(name, 1, 3).image("web:1").batches(&["2", "1"]);
    let components = [one("web"), one("a-name-that-is-longer-than-most"), one("worker").depends_on("web")];
    env.write("shop.yaml", application("shop", &components));
    env.pods("- {image: '*', fail: NeverReady}");
    env
}

fn are_drawn(text: &str) -> bool {
    text.lines().filter(|line| line.contains('▒')).count() == 2 && text.contains("· worker")
}

#[test]
fn bars_at_four_widths() {
    let bars = [40, 80, 120, 200].map(|columns| {
        let env = stuck();
        let mut screen = Screen::start(env.command("apply shop.yaml"), columns);
        let bars = screen.until_shown("bars", are_drawn).bars();
        screen.signal(Signal::INT).end();
        bars
    });
    insta::assert_snapshot!(bars.join("\n"), @"
    • a-name-t… ▒▒▒▒░░░ 0/3 1/2  0s
    • web       ▒▒▒▒░░░ 0/3 1/2  0s
    · worker     0s  waiting for `web` to …

    • a-name-that-is-lon… ▒▒▒▒▒▒▒▒▒▒░░░░░ 0/3 batch 1/2  0s  `a-name-that-is-longe…
    • web                 ▒▒▒▒▒▒▒▒▒▒░░░░░ 0/3 batch 1/2  0s  `web-v1`: 0 of 2 ready
    · worker               0s  waiting for `web` to complete

    • a-name-that-is-longer-than-m… ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░ 0/3 batch 1/2  0s  `a-name-that-is-longer-than-most-v1`: 0 of …
    • web                           ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░ 0/3 batch 1/2  0s  `web-v1`: 0 of 2 ready
    · worker                         0s  waiting for `web` to complete

    • a-name-that-is-longer-than-most ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░ 0/3 batch 1/2  0s  `a-name-that-is-longer-than-most-v1`: 0 of 2 ready
    • web                             ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░ 0/3 batch 1/2  0s  `web-v1`: 0 of 2 ready
    · worker                           0s  waiting for `web` to complete
    ");
}

#[test]
fn a_terminal_that_is_resized_during_a_run() {
    let env = stuck();
    let mut screen = Screen::start(env.command("apply shop.yaml"), 100);
    screen.until_shown("bars", are_drawn);
    let before = screen.text().lines().filter(|line| line.starts_with('[')).count();
    let mut bars = String::new();
    for columns in [40, 140, 60] {
        let is_drawn = |text: &str| {
            let web = text.lines().rfind(|line| line.contains(" web "));
            let web = web.map_or(0, |line| line.matches(['▒', '░']).count());
            are_drawn(text) && web == (usize::from(columns) - 1) / 5
        };
        bars.push_str(&screen.resize(columns).until_shown("bars of the new width", is_drawn).bars());
        bars.push('\n');
        let lines = screen.text().lines().filter(|line| line.starts_with('[')).count();
        assert_eq!(lines, before, "what was printed stays: {}", screen.text());
    }
    insta::assert_snapshot!(bars, @"
    • a-name-t… ▒▒▒▒░░░ 0/3 1/2  0s
    • web       ▒▒▒▒░░░ 0/3 1/2  0s
    · worker     0s  waiting for `web` to …

    • a-name-that-is-longer-than-most ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░ 0/3 batch 1/2  0s  `a-name-that-is-longer-than-most-v1`: 0 of 2 ready
    • web                             ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░ 0/3 batch 1/2  0s  `web-v1`: 0 of 2 ready
    · worker                           0s  waiting for `web` to complete

    • a-name-that-i… ▒▒▒▒▒▒▒░░░░ 0/3 1/2  0s  `a-name-that-is-…
    • web            ▒▒▒▒▒▒▒░░░░ 0/3 1/2  0s  `web-v1`: 0 of 2…
    · worker          0s  waiting for `web` to complete
    ");
    let end = screen.signal(Signal::INT).end();
    assert!(!end.contains(['•', '▒']), "no bar is left: {end}");
}

/// No colours if they are disabled, and no bars if the cursor cannot move.
#[test]
fn terminals_with_fewer_capabilities() {
    let env = TestEnv::new();
    env.pods("- {image: '*', readyAfter: 300ms}");
    env.write("v1.yaml", shop("v1", "web:1"));
    let lines = |variable: (&str, &str)| {
        let mut command = env.command("apply v1.yaml");
        std::fs::remove_file(env.path(crate::support::test_env::FILE)).ok();
        command.env(variable.0, variable.1);
        let mut screen = Screen::start(command, 80);
        let text = screen.end();
        (text.contains("batch 1 of 2: waiting"), screen.is_coloured)
    };
    assert_eq!(lines(("TERM", "xterm-256color")), (false, true));
    assert_eq!(lines(("NO_COLOR", "1")), (false, false));
    assert_eq!(lines(("TERM", "dumb")), (true, false));
    assert_eq!(lines(("TERM", "")), (true, false));
}
