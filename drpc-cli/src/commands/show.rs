//! `drpc show`: a recording, in lines or as a page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::exit::{Failed, ended};
use crate::page;
use crate::recording::{self, FilterArgs, Lines};
use crate::schema::SchemaArgs;
use crate::words::count;

/// Show what `drpc trace --record` recorded: in lines, as a page, or in a form for trace viewers.
///
/// Names and types come from the files named below, or else from the recording, if it was made with --reflection.
///
/// Exit code: 0 if it is shown, 2 if the command line is wrong or the recording can't be read, 3 if the output can't be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc show traffic.jsonl --registry proto/modules.toml --slower 10ms
  drpc show traffic.jsonl --html traffic.html      # a sequence diagram, to be opened in a browser
  drpc show traffic.jsonl --perfetto trace.json    # for ui.perfetto.dev and chrome://tracing")]
pub(crate) struct ShowArgs {
    /// The recording.
    recording: PathBuf,
    /// Write one page that needs nothing else: a sequence diagram with zoom and search, what took long, a histogram.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the calls as trace events of Chrome's, which Perfetto opens, too.
    #[arg(long, value_name = "FILE")]
    perfetto: Option<PathBuf>,
    /// Print JSON, one object in each line.
    #[arg(long, conflicts_with_all = ["html", "perfetto"])]
    json: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &ShowArgs) -> ExitCode {
    ended(show(args).map(|()| ExitCode::SUCCESS))
}

fn show(args: &ShowArgs) -> Result<(), Failed> {
    let events = recording::read(&args.recording)?;
    let schema = recording::schema(args.schema.load()?, &events)?.unwrap_or_default();
    let filter = args.filter.among(&schema)?;
    if args.html.is_none() && args.perfetto.is_none() {
        let mut lines = Lines::new(&schema, &filter, args.json);
        let mut out = anstream::AutoStream::auto(io::stdout().lock());
        events.iter().try_for_each(|event| lines.write(event, &mut out)).map_err(Failed::Output)?;
        return lines.end(&mut out).map_err(Failed::Output);
    }
    let story = page::Story::of(&events, &filter, &schema);
    if let Some(path) = &args.html {
        write(path, &story.to_html(&args.recording.display().to_string()))?;
    }
    if let Some(path) = &args.perfetto {
        write(path, &story.to_trace_events().to_string())?;
    }
    note!("{}", count(story.calls(), "call"));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    fs::write(path, text).map_err(|source| Failed::File { path: path.to_owned(), source })
}
