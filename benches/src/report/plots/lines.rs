use super::svg::{BOTTOM, LEFT, Picture, RIGHT, Scale, colour};

/// A line for each system over columns.
pub(super) struct LineChart<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) columns: &'a [String],
    pub(super) lines: &'a [Line],
}

pub(super) struct Line {
    pub(super) system: String,
    /// In the order of the columns.
    pub(super) points: Vec<Option<f64>>,
}

impl LineChart<'_> {
    /// The picture; `None` of nothing.
    pub(super) fn draw(&self) -> Option<String> {
        let figures = self.lines.iter().flat_map(|line| line.points.iter().flatten().copied());
        let scale = Scale::over(figures, true)?;
        let systems = self.lines.iter().map(|line| &*line.system);
        let mut picture = Picture::new(self.title, self.subtitle, systems);
        picture.grid(&scale);
        let step = (RIGHT - LEFT) / self.columns.len() as f64;
        let column = |place: usize| LEFT + step * (place as f64 + 0.5);
        for (place, name) in self.columns.iter().enumerate() {
            picture.text(column(place), BOTTOM + 22.0, "middle", 13.0, name);
        }
        for line in self.lines {
            let colour = colour(&line.system);
            let points = line.points.iter().enumerate();
            let points: Vec<_> =
                points.filter_map(|(place, point)| Some((column(place), scale.place((*point)?)))).collect();
            for pair in points.windows(2) {
                picture.line(pair[0], pair[1], colour, 2.0);
            }
            for point in points {
                picture.circle(point, 3.5, colour);
            }
        }
        Some(picture.finish())
    }
}
