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
    // The first one is on top.
    let place = |index: usize| bars.len() - 1 - index;
    let mut chart = ChartBuilder::on(area)
        .margin_left(MARGIN)
        .margin_right(MARGIN)
        .margin_bottom(MARGIN)
        .caption(format!("{title}, {unit}"), (FONT, 17).into_font().color(&INK))
        .y_label_area_size(LABELS)
        .build_cartesian_2d(
            0.0..longest * (1.0 + ROOM_FOR_VALUE),
            (0..bars.len() - 1).into_segmented(),
        )?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .axis_style(TRANSPARENT)
        .y_labels(bars.len())
        .y_label_style((FONT, 15).into_font().color(&INK))
        .y_label_formatter(&|at| match at {
            SegmentValue::CenterOf(at) => bars[place(*at)].label.clone(),
            _ => String::new(),
        })
        .draw()?;
    let values = |ours: bool| {
        let bars = bars.iter().enumerate().filter(move |(_, bar)| bar.is_ours == ours);
        bars.map(|(index, bar)| (place(index), bar.value)).collect::<Vec<_>>()
    };
    for (ours, color) in [(true, OURS), (false, THEIRS)] {
        let histogram = Histogram::horizontal(&chart).style(color.filled()).margin(3);
        chart.draw_series(histogram.data(values(ours)))?;
    }
    let style = (FONT, 15).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series(bars.iter().enumerate().map(|(index, Bar { value, .. })| {
        let at = (*value, SegmentValue::CenterOf(place(index)));
        EmptyElement::at(at) + Text::new(format!("{value:.1}"), (6, 0), style.clone())
    }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_say() {
        let bar = |label: &str, value, is_ours| Bar { label: label.into(), value, is_ours };
        let panel = Panel {
            title: "boot",
            unit: "ms",
            bars: vec![bar("mine", 50.0, true), bar("other & more", 200.0, false)],
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("figures.svg");
        draw(&path, &[panel], "how").unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for text in ["boot, ms", "mine", "other &amp; more", "50.0", "200.0", "how"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        let length = |color: &str| {
            let line = svg.lines().find(|line| line.contains("<rect") && line.contains(color));
            let width = line.unwrap().split_once("width=\"").unwrap().1.split_once('"').unwrap().0;
            width.parse::<f64>().unwrap()
        };
        let ratio = length("#9CA3AF") / length("#2563EB");
        assert!((3.9..4.1).contains(&ratio), "{ratio}");
    }
}
