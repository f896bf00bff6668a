//! `docs/rollout.svg`, the README's picture: an upgrade as a terminal shows it, recorded from a real run.
//!
//! The duration of each frame depends on the machine, so only the final screen is compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::screen::Screen;
use crate::support::test_env::TestEnv;

const NAME: &str = "docs/rollout.svg";
const COLUMNS: u16 = 82;

/// The pods of the second release take different times for each image.
const PODS: &str = "- {image: 'shop/api:2', readyAfter: 1200ms}
- {image: 'shop/web:2', readyAfter: 1600ms}
- {image: '*', readyAfter: 20ms}";

/// Redraws in quicker succession are one frame.
const LEAST_FRAME: Duration = Duration::from_millis(80);
/// How long the command is shown alone.
const PROMPT: Duration = Duration::from_millis(900);
/// How long the result is shown.
const RESULT: Duration = Duration::from_secs(5);

fn manifest(release: u32) -> String {
    let component = |name: &str, size: u32, batches: &str| {
        format!(
            "
    - name: {name}
      type: webservice
      properties: {{image: 'shop/{name}:{release}'}}
      traits:
        - type: rollout
          properties: {{targetSize: {size}, rolloutBatches: [{batches}]}}"
        )
    };
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:{}{}\n",
        component("web", 8, "{replicas: 1}, {replicas: 3}, {replicas: 4}"),
        component("api", 4, "{replicas: 2}, {replicas: 2}"),
    )
}

#[test]
fn the_picture_shows_what_a_run_shows() {
    let env = TestEnv::new();
    env.write("shop.yaml", manifest(1));
    env.run_ok("apply shop.yaml");
    env.write("shop.yaml", manifest(2));
    env.pods(PODS);
    let (frames, result) = record(&mut Screen::start(env.command("apply shop.yaml"), COLUMNS));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(NAME);
    let is_fresh = || {
        let picture = fs::read_to_string(&path).unwrap_or_default();
        let described = picture.split_once("<desc>").and_then(|(_, text)| text.split_once("</desc>"));
        described.is_some_and(|(shown, _)| sorted(shown) == sorted(&escaped(&result)))
    };
    // Timing differs in each run, so a correct picture is kept.
    if crate::regenerates() && !is_fresh() {
        fs::write(&path, svg("rollout apply shop.yaml", &frames, &result)).unwrap();
    }
    assert!(is_fresh(), "{NAME} does not show this; {}\n{result}", crate::HOW);
}

/// Components end in any order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.trim().lines().collect();
    lines.sort_unstable();
    lines
}

/// A screen and how long it was shown.
struct Frame {
    lasts: Duration,
    rows: Vec<Vec<Span>>,
}

/// Adjacent characters with the same style.
#[derive(Clone, PartialEq, Eq)]
struct Span {
    column: u16,
    text: String,
    colour: vt100::Color,
    is_dim: bool,
}

#[expect(clippy::disallowed_methods, reason = "a picture that moves has the times of the run")]
fn record(screen: &mut Screen) -> (Vec<Frame>, String) {
    let mut frames: Vec<Frame> = vec![Frame { lasts: PROMPT, rows: Vec::new() }];
    let mut last = Instant::now();
    while screen.read() {
        let now = Instant::now();
        let lasted = now - last;
        let rows = rows(screen.screen());
        let is_first = frames.len() == 1;
        let shown = frames.last_mut().unwrap();
        if is_first {
            frames.push(Frame { lasts: Duration::ZERO, rows });
        } else if lasted < LEAST_FRAME {
            shown.rows = rows;
            shown.lasts += lasted;
        } else {
            shown.lasts += lasted;
            frames.push(Frame { lasts: Duration::ZERO, rows });
        }
        last = now;
    }
    frames.last_mut().unwrap().lasts = RESULT;
    (frames, screen.end())
}

fn rows(screen: &vt100::Screen) -> Vec<Vec<Span>> {
    let mut rows: Vec<Vec<Span>> = (0..screen.size().0).map(|row| spans(screen, row)).collect();
    rows.truncate(rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
    rows
}

fn spans(screen: &vt100::Screen, row: u16) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for column in 0..screen.size().1 {
        let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else { continue };
        let (text, colour, is_dim) = (cell.contents(), cell.fgcolor(), cell.dim());
        match spans.last_mut() {
            Some(span)
                if (span.colour, span.is_dim) == (colour, is_dim)
                    && usize::from(span.column) + span.text.chars().count() == usize::from(column)
                    && shade(&span.text) == shade(text) =>
            {
                span.text.push_str(text);
            }
            Some(_) | None => spans.push(Span { column, text: text.to_owned(), colour, is_dim }),
        }
    }
    spans.retain(|span| !span.text.trim().is_empty());
    spans
}

/// The opacity of a bar's cells; `None` for text.
fn shade(text: &str) -> Option<&'static str> {
    match text.chars().next() {
        Some('█') => Some("1"),
        Some('▒') => Some(".55"),
        Some('░') => Some(".2"),
        Some(_) | None => None,
    }
}

const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;

fn svg(command: &str, frames: &[Frame], result: &str) -> String {
    let rows = frames.iter().map(|frame| frame.rows.len()).max().unwrap_or_default() + 1;
    let width = f64::from(COLUMNS) * WIDTH + 2.0 * MARGIN;
    let height = rows as f64 * HEIGHT + 2.0 * MARGIN;
    let mut known: Vec<&Vec<Span>> = Vec::new();
    let (mut definitions, mut strip, mut steps) = (String::new(), String::new(), String::new());
    let whole: Duration = frames.iter().map(|frame| frame.lasts).sum();
    let mut begin = Duration::ZERO;
    for (index, frame) in frames.iter().enumerate() {
        let top = index as f64 * height;
        let share = begin.as_secs_f64() / whole.as_secs_f64() * 100.0;
        writeln!(steps, "{share:.2}%{{transform:translateY({}px)}}", -top).unwrap();
        writeln!(strip, "<g transform=\"translate({MARGIN} {})\"><use href=\"#p\"/>", top + MARGIN).unwrap();
        for (row, spans) in frame.rows.iter().enumerate().filter(|(_, spans)| !spans.is_empty()) {
            let id = known.iter().position(|one| *one == spans).unwrap_or_else(|| {
                writeln!(definitions, "<g id=\"r{}\">{}</g>", known.len(), drawn(spans)).unwrap();
                known.push(spans);
                known.len() - 1
            });
            writeln!(strip, "<use href=\"#r{id}\" y=\"{}\"/>", (row + 1) as f64 * HEIGHT).unwrap();
        }
        strip.push_str("</g>\n");
        begin += frame.lasts;
    }
    let last = -(frames.len().saturating_sub(1) as f64) * height;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}">
<title>{command}</title>
<desc>{described}</desc>
<style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d0d7de}}
.red{{fill:#ff7b72}}.green{{fill:#56d364}}.yellow{{fill:#e3b341}}.cyan{{fill:#39c5cf}}
#strip{{animation:play {seconds:.2}s step-end infinite}}
@keyframes play{{
{steps}}}
@media (prefers-reduced-motion:reduce){{#strip{{animation:none}}}}
</style>
<defs>
<g id="p"><text y="13" class="green">$</text><text x="{after}" y="13">{command}</text></g>
{definitions}</defs>
<rect width="100%" height="100%" rx="8" fill="#161b22"/>
<g id="strip" transform="translate(0 {last})">
{strip}</g>
</svg>
"##,
        described = escaped(result),
        seconds = whole.as_secs_f64(),
        after = 2.0 * WIDTH,
    )
}

fn drawn(spans: &[Span]) -> String {
    let mut text = String::new();
    for Span { column, text: shown, colour, is_dim } in spans {
        let (x, width) = (f64::from(*column) * WIDTH, shown.chars().count() as f64 * WIDTH);
        let class = match colour {
            vt100::Color::Idx(1) => " class=\"red\"",
            vt100::Color::Idx(2) => " class=\"green\"",
            vt100::Color::Idx(3) => " class=\"yellow\"",
            vt100::Color::Idx(6) => " class=\"cyan\"",
            vt100::Color::Default | vt100::Color::Idx(_) | vt100::Color::Rgb(..) => "",
        };
        match shade(shown) {
            Some(shade) => {
                let fill = if *is_dim { " fill=\"#d0d7de\"" } else { "" };
                write!(
                    text,
                    "<rect x=\"{x:.1}\" y=\"3\" width=\"{width:.1}\" height=\"12\" opacity=\"{shade}\"{class}{fill}/>"
                )
            }
            // Keeps the columns even if the font is wider or narrower.
            None => write!(
                text,
                "<text x=\"{x:.1}\" y=\"13\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\"{class}>{}</text>",
                escaped(shown)
            ),
        }
        .unwrap();
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
