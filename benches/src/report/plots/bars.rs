use super::svg::{BOTTOM, LEFT, Picture, RIGHT, Scale, colour};
use crate::report::format::number;
use crate::stats::Spread;

/// Bars in groups, one of each system to a group.
pub(super) struct BarChart<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) systems: &'a [String],
    pub(super) groups: &'a [Group],
    pub(super) logarithmic: bool,
}

pub(super) struct Group {
    pub(super) name: String,
    /// In the order of the systems.
    pub(super) bars: Vec<Option<Spread>>,
}

impl BarChart<'_> {
    /// The picture; `None` of nothing.
    pub(super) fn draw(&self) -> Option<String> {
        let figures = self.groups.iter().flat_map(|group| group.bars.iter().flatten());
        let scale = Scale::over(figures.flat_map(|bar| [bar.median, bar.max]), self.logarithmic)?;
        let mut picture = Picture::new(self.title, self.subtitle, self.systems.iter().map(String::as_str));
        picture.grid(&scale);
        let step = (RIGHT - LEFT) / self.groups.len() as f64;
        for (place, group) in self.groups.iter().enumerate() {
            let left = LEFT + step * place as f64;
            picture.text(left + step / 2.0, BOTTOM + 22.0, "middle", 13.0, &group.name);
            self.draw_group(&mut picture, &scale, group, left + step * 0.06, step * 0.88);
        }
        Some(picture.finish())
    }

    fn draw_group(&self, picture: &mut Picture, scale: &Scale, group: &Group, left: f64, width: f64) {
        // A system that was not measured leaves no gap.
        let measured =
            || self.systems.iter().zip(&group.bars).filter_map(|(system, bar)| Some((system, bar.as_ref()?)));
        let step = width / measured().count().max(1) as f64;
        let thick = (step * 0.84).min(48.0);
        for (place, (system, bar)) in measured().enumerate() {
            let middle = left + step * (place as f64 + 0.5);
            let top = scale.place(bar.median);
            picture.rect(middle - thick / 2.0, top, thick, (scale.foot() - top).max(0.5), colour(system));
            let greatest = scale.place(bar.max);
            picture.least_to_greatest(middle, scale.place(bar.min), greatest);
            picture.text(middle, greatest.min(top) - 4.0, "middle", 9.0, &number(bar.median));
        }
    }
}
