//! The start times and the memory as bars, ours beside the peers', in an SVG file.

use std::error::Error as StdError;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::panels::{Bar, Panel};
use crate::error::Error;

/// In pixels, as all that follows.
const WIDTH: u32 = 800;
const MARGIN: u32 = 12;
/// For what a bar is about, on its left.
const LABELS: u32 = 250;
const TITLE: u32 = 30;
const BAR: u32 = 24;
const FOOT: u32 = 28;

/// What is left free above and below a bar, as a part of the height that it has.
const SPACE: f64 = 0.12;

/// What is left free behind the longest bar for its value, as a part of its length.
const ROOM_FOR_VALUE: f64 = 0.2;

/// Opaque, so that the text can be read on a dark page as on a light one.
const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(31, 41, 55);
const OURS: RGBColor = RGBColor(37, 99, 235);
const THEIRS: RGBColor = RGBColor(156, 163, 175);

const FONT: &str = "sans-serif";

/// Draws the panels from top to bottom, and `foot` below them.
pub fn draw(path: &Path, panels: &[Panel], foot: &str) -> Result<(), Error> {
    try_draw(path, panels, foot)
        .map_err(|error| Error::Content(format!("draw {}: {error}", path.display())))
}

fn try_draw(path: &Path, panels: &[Panel], foot: &str) -> Result<(), Box<dyn StdError>> {
    let height = |panel: &Panel| TITLE + BAR * panel.bars.len() as u32 + MARGIN;
    let size = (WIDTH, panels.iter().map(height).sum::<u32>() + FOOT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&PAPER)?;
    let mut rest = root.clone();
    for panel in panels {
        let (upper, lower) = rest.split_vertically(height(panel));
        draw_panel(&upper, panel)?;
        rest = lower;
    }
    let style = (FONT, 12).into_font().color(&INK);
    rest.draw_text(foot, &style, (MARGIN as i32, MARGIN as i32 / 2))?;
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    panel: &Panel,
) -> Result<(), Box<dyn StdError>> {
    let Panel { title, unit, bars } = panel;
    let longest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin_left(MARGIN)
        .margin_right(MARGIN)
        .margin_bottom(MARGIN)
        .caption(format!("{title}, {unit}"), (FONT, 17).into_font().color(&INK))
        .y_label_area_size(LABELS)
        // The first one is on top.
        .build_cartesian_2d(0.0..longest * (1.0 + ROOM_FOR_VALUE), bars.len() as f64..0.0)?;
    let style = |side| (FONT, 15).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
    for (number, Bar { label, value, is_ours }) in bars.iter().enumerate() {
        let place = number as f64;
        let color = if *is_ours { OURS } else { THEIRS };
        let corners = [(0.0, place + SPACE), (*value, place + 1.0 - SPACE)];
        chart.draw_series([Rectangle::new(corners, color.filled())])?;
        let text = |at, text: String, left, side| {
            EmptyElement::at((at, place + 0.5)) + Text::new(text, (left, 0), style(side))
        };
        chart.draw_series([text(0.0, label.clone(), -8, HPos::Right)])?;
        chart.draw_series([text(*value, format!("{value:.1}"), 6, HPos::Left)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_say() {
        let bar = |label: &str, value, is_ours| Bar { label: label.into(), value, is_ours };
        let panels = [
            Panel { title: "memory", unit: "MB", bars: vec![bar("alone", 7.0, true)] },
            Panel {
                title: "boot",
                unit: "ms",
                bars: vec![bar("mine", 50.0, true), bar("other & more", 200.0, false)],
            },
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("figures.svg");
        draw(&path, &panels, "how").unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for text in ["memory, MB", "alone", "boot, ms", "mine", "other &amp; more", "50.0", "how"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        let number = |line: &str, name: &str| {
            let value =
                line.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0;
            value.parse::<f64>().unwrap()
        };
        let bars = |color: &str| {
            let bars = svg.lines().filter(|line| line.contains("<rect") && line.contains(color));
            bars.map(|bar| (number(bar, "width"), number(bar, " y"))).collect::<Vec<_>>()
        };
        let (ours, theirs) = (bars("#2563EB"), bars("#9CA3AF"));
        let (alone, mine, other) = (ours[0], ours[1], theirs[0]);
        // The longest of each panel have one length, and the panels and bars go down the page.
        assert_eq!(alone.0, other.0);
        assert!((3.9..4.1).contains(&(other.0 / mine.0)), "{ours:?} {theirs:?}");
        assert!(alone.1 < mine.1 && mine.1 < other.1, "{ours:?} {theirs:?}");
    }
}
