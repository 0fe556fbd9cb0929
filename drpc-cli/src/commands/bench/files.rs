//! The files that a measurement can leave: an HDR histogram log, and a plot.

use std::io;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder};
use plotters::prelude::*;

use super::report::Report;

/// A log in the format of `HdrHistogram`, of V2 histograms in nanoseconds.
pub(super) struct HdrLog<'a, W: io::Write>(IntervalLogWriter<'a, 'a, W, V2DeflateSerializer>);

impl<'a, W: io::Write> HdrLog<'a, W> {
    pub(super) fn begin(
        file: &'a mut W,
        serializer: &'a mut V2DeflateSerializer,
        title: &str,
        begun: SystemTime,
    ) -> io::Result<Self> {
        IntervalLogWriterBuilder::new()
            .add_comment(title)
            .add_comment("latencies in nanoseconds; the column of the maximum in milliseconds")
            .with_start_time(begun)
            .with_base_time(begun)
            .with_max_value_divisor(1e6)
            .begin_log_with(file, serializer)
            .map(HdrLog)
    }

    /// Adds what was measured in a span of time, which began so long after the log did.
    pub(super) fn write(
        &mut self,
        latencies: &Histogram<u64>,
        begun: Duration,
        length: Duration,
    ) -> io::Result<()> {
        self.0
            .write_histogram(latencies, begun, length, None)
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

/// The size of the plot, in pixels.
const SIZE: (u32, u32) = (960, 540);

/// Draws the latency at each percentile, the highest ones spread out: each step to the right leaves a tenth of the calls.
pub(super) fn svg(report: &Report) -> io::Result<String> {
    let mut svg = String::new();
    draw(&mut svg, report).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(svg)
}

fn draw(svg: &mut String, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let latencies = &report.latencies;
    // How many tens of calls there are for one that is slower: 0 at the fastest, 2 at p99.
    let tens = |quantile: f64| -(1.0 - quantile).log10();
    let right = (latencies.len().max(10) as f64).log10();
    let points: Vec<(f64, f64)> = latencies
        .iter_quantiles(10)
        .map(|step| (tens(step.quantile_iterated_to()).min(right), step.value_iterated_to() as f64 / 1000.0))
        .collect();
    let top = latencies.max().max(1) as f64 / 1000.0 * 1.1;

    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&report.title, ("sans-serif", 16))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..right, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("percentile")
        .y_desc("latency")
        .x_labels(right.ceil() as usize + 1)
        .x_label_formatter(&|tens| percentile(*tens))
        .y_label_formatter(&|micros| format!("{:.1?}", Duration::from_secs_f64((micros / 1e6).max(0.0))))
        .draw()?;
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
    area.present()?;
    Ok(())
}

/// `p99.9` for 3: one of a thousand calls is slower.
fn percentile(tens: f64) -> String {
    let digits = (tens - 2.0).ceil().max(0.0) as usize;
    format!("p{:.*}", digits, 100.0 * (1.0 - 10f64.powf(-tens)))
}
