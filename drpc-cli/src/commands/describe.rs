//! `drpc list` and `drpc describe`: what a server offers.

use std::io::{self, Write};
use std::process::ExitCode;

use drpc::AddedFields;
use serde_json::Value;

use crate::exit::{Failed, block_on, ended};
use crate::schema::{Described, Schema, SchemaArgs, UnknownName};
use crate::target::TargetArgs;

/// List the modules of a server and their methods.
///
/// They come from the server's reflection, or from the files named below: where these name modules, the server is not asked.
///
/// Exit code: 0 if there is a list, 2 if the command line or a file is wrong, 3 if the server can't be asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc list /run/greeter.sock
  drpc list /run/daos_agent/daos_agent.sock --daos")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

/// Show modules, methods and messages, in the form of .proto files, with their documentation.
///
/// They come from the server's reflection, or from the files named below: where these name modules, the server is not asked.
///
/// Exit code: 0 if there is something to show, 2 if the command line or a file is wrong, 3 if the server can't be asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc describe /run/greeter.sock
  drpc describe /run/greeter.sock greeter.hello
  drpc describe /run/daos_agent/daos_agent.sock --daos mgmt
  drpc describe /run/greeter.sock --json | jq '.[].messages[].name'")]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// A module, or one of its methods: greeter, greeter.hello, 5 or 501. Without it, all modules.
    what: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn list(args: &ListArgs) -> ExitCode {
    ended(schema(&args.target, &args.schema).and_then(|schema| {
        print(&match args.json {
            true => json_text(&described(&schema, None)?, Described::names_to_json),
            false => listed(&schema),
        })
    }))
}

pub(crate) fn describe(args: &DescribeArgs) -> ExitCode {
    ended(schema(&args.target, &args.schema).and_then(|schema| {
        let described = described(&schema, args.what.as_deref())?;
        print(&match args.json {
            true => json_text(&described, Described::to_json),
            false => described.iter().map(Described::to_string).collect::<Vec<_>>().join("\n"),
        })
    }))
}

fn json_text<'a>(described: &[Described<'a>], to_json: fn(&Described<'a>) -> Value) -> String {
    format!("{:#}\n", Value::Array(described.iter().map(to_json).collect()))
}

fn print(text: &str) -> Result<ExitCode, Failed> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failed::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// What files tell, or else the server: it is not asked where files name modules.
fn schema(target: &TargetArgs, args: &SchemaArgs) -> Result<Schema, Failed> {
    let target = target.find()?;
    let mut schema = target.known.schema(args)?.unwrap_or_default();
    // Of types alone there is nothing to list.
    if schema.modules().is_empty() {
        block_on(async {
            let client = target.client(AddedFields::NONE).connect().await?;
            let instead = ", or name its modules by --registry, --contract or --daos";
            schema.learn(target.reflection(&client).await?.ok_or(Failed::NoReflection(instead))?);
            Ok(())
        })?;
    }
    Ok(schema)
}

fn listed(schema: &Schema) -> String {
    let mut lines = Vec::new();
    for module in schema.modules() {
        lines.push((format!("{} {}", module.id, module.name), first_line(&module.doc)));
        for method in &module.methods {
            lines.push((format!("  {} {}", method.id, method.name), first_line(&method.doc)));
        }
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let line = |(name, doc): &(String, &str)| format!("{}\n", format!("{name:width$}  {doc}").trim_end());
    lines.iter().map(line).collect()
}

fn first_line(doc: &str) -> &str {
    doc.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// The modules that are asked for; one alone with the method that is asked for.
fn described<'a>(schema: &'a Schema, what: Option<&str>) -> Result<Vec<Described<'a>>, UnknownName> {
    let Some(what) = what else { return Ok(schema.modules().iter().map(Described::all_of).collect()) };
    match schema.find_module(what) {
        Ok(module) => return Ok(vec![Described::all_of(module)]),
        Err(unknown) if !what.contains('.') && what.parse::<i32>().is_err() => return Err(unknown),
        Err(_) => {}
    }
    let found = schema.find_method(what)?;
    match (schema.module(found.module_id), found.info) {
        (Some(module), Some(info)) => Ok(vec![Described { module, methods: vec![info] }]),
        _ => Err(schema.unknown_method(what)),
    }
}
