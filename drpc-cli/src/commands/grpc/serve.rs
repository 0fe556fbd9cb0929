//! The gateway.

use std::net::SocketAddr;

use drpc::{AddedFields, Allow, Client, Method, ModuleService};
use drpc_grpc::{Forwarded, GrpcServer, GrpcServerBuilder, Tls};
use tokio::signal::unix::{SignalKind, signal};

use super::ServeArgs;
use crate::exit::{Failed, Interrupt, block_on};
use crate::schema::{MethodInfo, ModuleInfo, Schema};
use crate::words::count;

pub(super) fn serve(args: &ServeArgs) -> Result<(), Failed> {
    block_on(async {
        let target = args.config.find(&args.socket)?.at(args.wire, args.timeout);
        let from_files = target.known.schema(&args.schema)?;
        let builder = target.client(AddedFields::ALL).connections(args.connections.into());
        let client = builder.connect().await?;
        let told = target.reflection(&client).await?;
        let is_told = told.is_some();
        let schema = match (from_files, told) {
            (Some(mut schema), Some(told)) => {
                schema.learn(told);
                for method in schema.leave_out_unknown_rules() {
                    note!("drpc: warning: {method} is left out: the server's reflection does not tell of it");
                }
                schema
            }
            (Some(schema), None) | (None, Some(schema)) => schema,
            (None, None) => return Err(Failed::NoReflection(", or name its modules by --registry")),
        };
        let chosen = chosen(args, &schema)?;
        if !is_told && !args.no_rules {
            rules_are_known(&chosen)?;
        }
        let server =
            GrpcServer::builder(forwarded(args, &client, &chosen)?).descriptors(&schema.descriptors());
        let methods = chosen.iter().flat_map(|module| served(module));
        let server = methods.fold(server, |server, info| carried(server, &schema, info));
        let tls = tls(args)?;
        let server = match &tls {
            Some(tls) => server.tls(tls.clone()),
            None => server.insecure_loopback(),
        };
        let mut interrupt = Interrupt::listen()?;
        let server = server.bind(&args.listen).await?;
        note!("listening on {}, for {}; ctrl-c ends it", server.local_addr(), target.known.path.display());
        for module in &chosen {
            note!("  drpc.{}: {}", module.name, count(served(module).count(), "method"));
        }
        tokio::select! {
            served = server.serve_until(interrupt.came()) => Ok(served?),
            failed = renew(tls) => Err(failed),
        }
    })
}

/// The modules to serve: those that are for other hosts, or those of them that are asked for.
fn chosen<'a>(args: &ServeArgs, schema: &'a Schema) -> Result<Vec<&'a ModuleInfo>, Failed> {
    if args.modules.is_empty() {
        let remote: Vec<_> = schema.modules().iter().filter(|module| module.is_remote).collect();
        return match remote.is_empty() {
            true => Err(Failed::Given(format!("no module is for other hosts: {HOW_TO_BE_REMOTE}"))),
            false => Ok(remote),
        };
    }
    let named = args.modules.iter().map(|word| match schema.find_module(word)? {
        module if module.is_remote => Ok(module),
        module => {
            let problem = format!("module `{}` is not for other hosts: {HOW_TO_BE_REMOTE}", module.name);
            Err(Failed::Given(problem))
        }
    });
    named.collect()
}

/// What a server guards, it guards against others than its clients: this process is let in, and whoever calls here with it.
fn rules_are_known(chosen: &[&ModuleInfo]) -> Result<(), Failed> {
    for module in chosen {
        if let Some(info) = served(module).find(|info| !info.is_rule_known) {
            return Err(Failed::Given(format!(
                "the server has no reflection, so nobody tells which rule guards `{}.{}`: name its --contract, or say by --no-rules that none does",
                module.name, info.name
            )));
        }
    }
    Ok(())
}

const HOW_TO_BE_REMOTE: &str =
    "write `remote = true` in its entry of the registry, or `remote` in its attribute where it is unlisted";

/// All of a module's methods but those that pass descriptors.
fn served(module: &ModuleInfo) -> impl Iterator<Item = &MethodInfo> {
    module.methods.iter().filter(|info| !info.kinds.iter().any(|kind| kind == "fds"))
}

/// Says which messages a method carries, as far as that is known.
fn carried(server: GrpcServerBuilder, schema: &Schema, info: &MethodInfo) -> GrpcServerBuilder {
    let Some([request, reply]) = schema.messages(info) else { return server };
    let server = server.carried(info.id, request, reply);
    match info.items.as_ref().and_then(|items| schema.message_name(items)) {
        Some(items) => server.carried_items(info.id, items),
        None => server,
    }
}

/// The modules, each behind the client, with the rules that guard them.
fn forwarded(args: &ServeArgs, client: &Client, chosen: &[&ModuleInfo]) -> Result<ModuleService, Failed> {
    let mut service = ModuleService::new();
    for (name, allow) in rules(args) {
        service.define_rule(name, allow);
    }
    for module in chosen {
        let rules = module.rule.iter().chain(served(module).filter_map(|info| info.rule.as_ref()));
        for rule in rules {
            if service.has_rule(rule) {
                continue;
            }
            if args.insecure_loopback {
                // Nobody is known by name.
                service.define_rule(rule, Allow::gids([]));
            } else {
                return Err(Failed::Given(format!(
                    "module `{}` is for those whom rule `{rule}` allows: say who of other hosts that is, such as --rule {rule}=CN=admin",
                    module.name
                )));
            }
        }
        let mut forwarded = Forwarded::new(
            client.clone(),
            module.id,
            &module.name,
            served(module).map(|info| method(module, info)),
        );
        if let Some(rule) = &module.rule {
            forwarded = forwarded.with_rule(rule);
        }
        // They come from one list, where each has an ID of its own.
        service.register(forwarded).map_err(|error| Failed::Given(error.to_string()))?;
    }
    Ok(service)
}

/// Each rule with all the names that are given for it.
fn rules(args: &ServeArgs) -> Vec<(&str, Allow)> {
    let mut rules: Vec<(&str, Allow)> = Vec::new();
    for (rule, name) in &args.rules {
        let allow = Allow::certificate(name);
        match rules.iter_mut().find(|(known, _)| known == rule) {
            Some((_, known)) => *known = known.clone().or(allow),
            None => rules.push((rule, allow)),
        }
    }
    rules
}

fn method(module: &ModuleInfo, info: &MethodInfo) -> Method {
    // Names live as long as the program: there are as many as the server has.
    let leaked = |name: &str| -> &'static str { name.to_owned().leak() };
    let method = Method::new(module.id, info.id, leaked(&info.name));
    let method = if info.is_stream { method.streaming() } else { method };
    let method = if info.items.is_some() { method.client_streaming() } else { method };
    match &info.rule {
        Some(rule) => method.with_rule(leaked(rule)),
        None => method,
    }
}

/// The certificates; nothing where none are wanted.
fn tls(args: &ServeArgs) -> Result<Option<Tls>, Failed> {
    match (&args.cert, &args.key, &args.client_ca) {
        (Some(certificate), Some(key), Some(authority)) => {
            let tls = Tls::from_files(certificate, key, authority);
            tls.map(Some).map_err(|error| Failed::Given(error.to_string()))
        }
        _ if is_open_to_others(&args.listen) => Err(Failed::Given(format!(
            "other hosts would reach {} without TLS: --insecure-loopback is for 127.0.0.1 or [::1]; give --cert, --key and --client-ca for any other address",
            args.listen
        ))),
        _ => Ok(None),
    }
}

/// Reads the certificates again at each SIGHUP. It ends only where that can't be heard.
async fn renew(tls: Option<Tls>) -> Failed {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return Failed::Begin(error),
    };
    while hangup.recv().await.is_some() {
        match tls.as_ref().map(Tls::reload) {
            Some(Err(error)) => note!("drpc: warning: the certificates stay as they were: {error}"),
            Some(Ok(())) => note!("the certificates were read again"),
            None => {}
        }
    }
    std::future::pending().await
}

/// As far as an address tells that is no name.
fn is_open_to_others(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback())
}
