//! DAOS's registry and messages, which the tool brings along.

use drpc_registry::Registry;
use drpc_registry::contract::Contract;

/// The descriptors of DAOS's messages, with their comments.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/daos.bin"));

pub(super) fn registry() -> Registry {
    Registry::parse("modules.toml", include_str!("../../daos/modules.toml"))
        .expect("it is in use by this repository")
}

/// What the methods' bodies are.
pub(super) fn contract() -> Contract {
    Contract::parse("contract.txt", include_str!("../../daos-contract.txt")).expect("a test writes it")
}

#[cfg(test)]
mod tests {
    use super::super::{BodyType, SchemaArgs};

    #[test]
    fn every_message_of_a_method_is_known() {
        let schema = SchemaArgs { daos: true, ..SchemaArgs::default() }.load().unwrap().unwrap();
        assert!(schema.modules().len() >= 4);
        for info in schema.modules().iter().flat_map(|module| &module.methods) {
            for body in [&info.request, &info.reply] {
                assert!(!matches!(body, BodyType::Named(_)), "{}: {body:?}", info.name);
            }
        }
        let ping = schema.find_method("mgmt.ping_rank").unwrap();
        assert!(matches!(ping.info.unwrap().request, BodyType::Message(_)));
    }
}
