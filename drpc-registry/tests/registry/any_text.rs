//! Whatever the text, reading it gives a registry, a contract or a report, never a panic.

use drpc_registry::contract::{self, Contract};
use drpc_registry::{Registry, compare};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_at_all(text in any::<String>()) {
        read_as_both(&text);
    }

    #[test]
    fn text_that_is_nearly_toml(text in pieces(&TOML)) {
        read_as_both(&text);
    }

    #[test]
    fn text_that_is_nearly_a_header(text in pieces(&HEADER)) {
        read_as_both(&text);
    }

    #[test]
    fn text_that_is_nearly_a_contract(text in pieces(&CONTRACT)) {
        let Ok(contract) = Contract::parse("contract.txt", &format!("drpc contract 1\n{text}")) else {
            return Ok(());
        };
        let again = Contract::parse("again.txt", &contract.to_string()).expect("what was written can be read");
        assert_eq!(contract, again);
        assert_eq!(contract::compare(&contract, &again), []);
    }
}

/// Reads the text in both forms; what is accepted can be written, read again, and is no different.
fn read_as_both(text: &str) {
    for path in ["modules.toml", "modules.h"] {
        match Registry::parse(path, text) {
            Err(error) => assert!(!error.mistakes().is_empty() && !error.to_string().is_empty()),
            Ok(registry) => {
                let again =
                    Registry::parse("again.toml", &registry.to_toml()).expect("what was written can be read");
                assert_eq!(compare(&registry, &again).len(), 0, "{text}");
                Registry::parse("again.h", &registry.to_c_header()).expect("what was written can be read");
                registry.to_go(&"modules".parse().expect("a good name"));
                registry.to_markdown();
                registry.to_rust();
            }
        }
    }
}

fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

const TOML: [&str; 26] = [
    "[[module]]\n",
    "[[module]]\n",
    "[[module.method]]\n",
    "[[module.reserved]]\n",
    "[module]\n",
    "id = 5\n",
    "id = 501\n",
    "id = -1\n",
    "id = 99999999999999999999999\n",
    "number = 1\n",
    "number = 2\n",
    "number = 100\n",
    "name = \"a\"\n",
    "name = \"b\"\n",
    "name = 'c_1'\n",
    "doc = \"*/ \\u202e \\r\"\n",
    "reason = \"é\\n|\"\n",
    "owners = [\"x\"]\n",
    "owners = 1\n",
    "remote = true\n",
    "remote = 1\n",
    "nmae = 1\n",
    "id = 1.5\n",
    "= \n",
    "\"",
    "ü",
];

const HEADER: [&str; 36] = [
    "enum drpc_module {\n",
    "enum drpc_module {\n",
    "enum drpc_a_method {\n",
    "enum drpc_srv_method {\n",
    "};\n",
    "};\n",
    "}",
    "DRPC_MODULE_A",
    "DRPC_MODULE_SRV",
    "DRPC_METHOD_A_X",
    "DRPC_METHOD_CHK_X",
    "NUM_DRPC_MODULES",
    " = 5",
    " = 501",
    " = -0x7fffffff",
    " = 2147483647",
    ",\n",
    ",\n",
    ",",
    "/* a\n * b */",
    "// c\n",
    "/* reserved 502: d */\n",
    "/*",
    "#if x\n",
    "typedef ",
    "drpc_module_t",
    ";\n",
    "__attribute__((a)) ",
    "(",
    ")",
    " + 1",
    " << (int)2u",
    "'\"",
    "/* Reserved 503 - 505, 0x1F9 and -7: e */\n",
    "= 08",
    "é",
];

const CONTRACT: [&str; 28] = [
    "module 5 a\n",
    "module 6 b\n",
    "module x\n",
    "method 501 c\n",
    "method 502 d\n",
    "request A\n",
    "request ()\n",
    "reply bytes::Bytes\n",
    "idempotent\n",
    "rule r\n",
    "message A\n",
    "message B\n",
    "enum E\n",
    "1 x: string\n",
    "1 x: ",
    "2 y: repeated message A\n",
    "3 z: map<bool, enum E>\n",
    "optional ",
    "uint32",
    ", oneof o",
    ", default d",
    ", default \"",
    " \"\n",
    "4 V\n",
    "reserved 4, 6 to 9\n",
    "its fields are not known here\n",
    "# c\n",
    "\n",
];
