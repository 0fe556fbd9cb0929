//! Other hosts reach the modules behind a local socket that the registry opens to them.
//!
//! ```sh
//! cargo run -p drpc-grpc --example gateway -- /run/greeter.sock modules.toml 0.0.0.0:7443 host.pem host.key ca.pem
//! ```

use std::env;
use std::error::Error;

use drpc::{AddedFields, Client, Method, ModuleService};
use drpc_grpc::{Forwarded, GrpcServer, Tls};
use drpc_registry::Registry;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [socket, registry, address, certificate, key, authority] = &arguments[..] else {
        return Err("give: SOCKET REGISTRY ADDRESS CERTIFICATE KEY AUTHORITY".into());
    };
    let behind = Client::builder(socket).added_fields(AddedFields::ALL).connect().await?;
    let registry = Registry::load(registry)?;
    let mut modules = ModuleService::new();
    for entry in registry.modules().iter().filter(|entry| entry.remote) {
        // A method's name lives as long as the program.
        let named = |id, name: &str| Method::new(entry.id, id, name.to_owned().leak());
        let methods = entry.methods.iter().map(|method| named(method.id, &method.name));
        modules.register(Forwarded::new(behind.clone(), entry.id, &entry.name, methods))?;
    }
    let tls = Tls::from_files(certificate, key, authority)?;
    let server = GrpcServer::builder(modules).tls(tls).bind(address).await?;
    eprintln!("{socket} is reached at {}", server.local_addr());
    server.serve().await?;
    Ok(())
}
