//! What both kinds of chart are drawn with.

use std::fmt::Write;

use crate::report::format::number;

pub(super) const WIDTH: f64 = 1000.0;
pub(super) const HEIGHT: f64 = 420.0;

/// The area between the axes.
pub(super) const LEFT: f64 = 56.0;
pub(super) const RIGHT: f64 = WIDTH - 16.0;
pub(super) const TOP: f64 = 96.0;
pub(super) const BOTTOM: f64 = HEIGHT - 36.0;

const INK: &str = "#24292f";
const FAINT: &str = "#d0d7de";

/// A picture under way.
pub(super) struct Picture(String);

impl Picture {
    /// A picture with its title and a legend of systems.
    pub(super) fn new<'a>(title: &str, subtitle: &str, systems: impl Iterator<Item = &'a str>) -> Picture {
        let mut picture = Picture(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
             <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n\
             <text x=\"16\" y=\"46\" fill=\"#57606a\">{subtitle}</text>\n"
        ));
        let mut x = 16.0;
        for system in systems {
            picture.rect(x, 62.0, 11.0, 11.0, colour(system));
            picture.text(x + 16.0, 72.0, "start", 12.0, system);
            x += 34.0 + 7.0 * system.len() as f64;
        }
        picture
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        ));
    }

    pub(super) fn circle(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>"));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: &str, size: f64, text: &str) {
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{text}</text>"
        ));
    }

    /// The lines behind a chart, and what they stand for.
    pub(super) fn grid(&mut self, scale: &Scale) {
        for tick in scale.ticks() {
            let y = scale.place(tick);
            self.line((LEFT, y), (RIGHT, y), FAINT, 1.0);
            self.text(LEFT - 8.0, y + 4.0, "end", 11.0, &tick_label(tick));
        }
    }

    pub(super) fn least_to_greatest(&mut self, x: f64, least: f64, greatest: f64) {
        self.line((x, least), (x, greatest), INK, 1.0);
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("a string takes everything");
    }
}

fn tick_label(tick: f64) -> String {
    if tick < 1.0 {
        format!("{tick}")
    } else {
        number(tick).trim_end_matches(".00").trim_end_matches(".0").to_owned()
    }
}

/// From a figure to its height in the picture.
pub(super) struct Scale {
    least: f64,
    greatest: f64,
    logarithmic: bool,
}

impl Scale {
    /// A scale with room for all these figures; `None` of no figure.
    pub(super) fn over(figures: impl Iterator<Item = f64>, logarithmic: bool) -> Option<Scale> {
        let (least, greatest) = figures.filter(|figure| *figure > 0.0).fold(None, |range, figure| {
            let (least, greatest) = range.unwrap_or((figure, figure));
            Some((f64::min(least, figure), f64::max(greatest, figure)))
        })?;
        // A logarithmic scale has no zero: it begins at 1, or a little below what is less.
        let least = match (logarithmic, least < 1.0) {
            (false, _) => 0.0,
            (true, true) => least / 1.5,
            (true, false) => 1.0,
        };
        let room = if logarithmic { 1.25 } else { 1.06 };
        Some(Scale { least, greatest: (greatest * room).max(least * 2.0), logarithmic })
    }

    pub(super) fn place(&self, figure: f64) -> f64 {
        let share = match self.logarithmic {
            true => (figure.max(self.least) / self.least).ln() / (self.greatest / self.least).ln(),
            false => figure / self.greatest,
        };
        BOTTOM - share * (BOTTOM - TOP)
    }

    /// Where the axis begins.
    pub(super) fn foot(&self) -> f64 {
        self.place(self.least)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let powers = (-3..=6).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power)));
            return powers.filter(|tick| (self.least..=self.greatest).contains(tick)).collect();
        }
        let step = 10f64.powf((self.greatest / 4.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * step).into_iter();
        let step = step.clone().find(|step| self.greatest / step <= 6.0).unwrap_or(self.greatest);
        (0..=6).map(|tick| f64::from(tick) * step).filter(|tick| *tick <= self.greatest).collect()
    }
}

/// The colour of a system, the same in every picture. The floor is grey, drpc blue.
pub(super) fn colour(system: &str) -> &'static str {
    match system {
        "floor" => "#8c959f",
        "drpc" => "#54aeff",
        "tonic" => "#cf222e",
        "ttrpc" => "#e16f24",
        "tarpc" => "#2da44e",
        "zbus" => "#8250df",
        "zlink" => "#d4a72c",
        "capnp-rpc" => "#bf3989",
        ours if ours.starts_with("drpc") && ours.contains("spin") => "#0a3069",
        ours if ours.starts_with("drpc") => "#0969da",
        _ => "#57606a",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_room_for_every_figure_and_a_few_ticks() {
        for logarithmic in [true, false] {
            for figures in [[0.4, 90.0], [3.0, 700.0], [1.0, 1.0]] {
                let scale = Scale::over(figures.into_iter(), logarithmic).unwrap();
                let places = figures.map(|figure| scale.place(figure));
                assert!(places.iter().all(|place| (TOP..=BOTTOM).contains(place)), "{places:?}");
                assert!((1..=12).contains(&scale.ticks().len()), "{:?}", scale.ticks());
            }
        }
        assert!(Scale::over(std::iter::empty(), true).is_none());
    }
}
