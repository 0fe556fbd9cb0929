//! A client may be in any package.

use drpc::drpc_module;

#[drpc_module(client_only)]
trait Vault {
    #[method]
    fn open(&self);
}

fn main() {
    assert_eq!(VaultMethod::Open.id(), 900);
}
