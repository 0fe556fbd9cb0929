//! The contract of this program's modules, from the attribute to the file, as a user's test has it.

#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use drpc::{Bytes, Context, Failure, Submitted, drpc_module};
use prost::Message as _;

/// It is one of the descriptors' messages by its name; what it holds here is beside the point.
macro_rules! named {
    ($($name:ident)*) => {$(
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {}

        impl prost::Name for $name {
            const NAME: &'static str = stringify!($name);
            const PACKAGE: &'static str = "hello";
        }
    )*};
}
// Names that the attribute's own code has, too.
named!(Hello Greeting Person Kind Asked Carried);

#[derive(Clone, PartialEq, prost::Message)]
pub struct ByHand {
    #[prost(string, tag = "1")]
    name: String,
}

type Request = Hello;
type Answer<T> = Result<T, Failure>;

macro_rules! request {
    () => {
        Person
    };
}

pub struct Greeter;

#[drpc_module(id = 5, allow = "users")]
impl Greeter {
    /// Types are what they are, whatever they are called.
    #[method(1)]
    async fn hello(&self, _context: &Context, _request: Request) -> Answer<Greeting> {
        Ok(Greeting {})
    }

    #[method(3)]
    fn kind(&self, _request: Kind) -> Answer<Kind> {
        Ok(Kind {})
    }

    #[method(4)]
    fn carried(&self, _request: Asked) -> Carried {
        Carried {}
    }

    #[method(2, idempotent, allow = "admin")]
    fn find(&self, _request: request!()) -> Greeting {
        Greeting {}
    }
}

/// Another part of the same contract.
pub struct MoreGreetings;

#[drpc_module(id = 5, name = "greeter", allow = "users")]
impl MoreGreetings {
    #[method(1)]
    async fn hello(&self, _request: Hello) -> Greeting {
        Greeting {}
    }

    #[method(9)]
    async fn bye(&self) {}
}

pub struct Raw<S>(S);

#[drpc_module(id = -3, name = "raw_bytes")]
impl<S: Send + Sync + 'static> Raw<S> {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(1)]
    fn begin(&self) -> Result<Submitted, Failure> {
        Ok(Submitted)
    }

    #[method(2)]
    fn by_hand(&self, request: ByHand) -> ByHand {
        request
    }

    #[cfg(any())]
    #[method(3)]
    fn nowhere(&self) {}
}

/// A client's module is promised by another program.
#[drpc_module(id = 9, client_only)]
trait Elsewhere {
    #[method(0)]
    fn call(&self, request: Hello) -> Greeting;
}

const FILE: &str = "tests/contract/contract.txt";

#[test]
fn the_contract_is_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let descriptors = protox::compile(["messages.proto"], [folder]).expect("good .proto files");
    drpc::contract::assert_kept(FILE, &descriptors.encode_to_vec());
}

/// Runs the test above in a folder of its own, with a text as the file there; gives what it says if it fails.
fn run(folder: &tempfile::TempDir, text: Option<&str>, bless: Option<&str>) -> Result<(), String> {
    let file = folder.path().join(FILE);
    fs::create_dir_all(file.parent().expect("a folder")).expect("a writable folder");
    if let Some(text) = text {
        fs::write(&file, text).expect("a writable folder");
    }
    let mut test = Command::new(std::env::current_exe().expect("a test binary"));
    test.args(["--exact", "the_contract_is_kept", "--nocapture"])
        .current_dir(folder)
        .env_remove("DRPC_BLESS");
    if let Some(bless) = bless {
        test.env("DRPC_BLESS", bless);
    }
    let output = test.output().expect("the test runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn kept() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).expect("the contract")
}

#[test]
fn blessed_it_is_written_and_then_it_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = run(&folder, None, None).expect_err("there is no file");
    assert!(said.contains("there is no tests/contract/contract.txt to compare with\n"), "{said}");
    assert!(said.contains("DRPC_BLESS=1"), "{said}");
    run(&folder, None, Some("1")).expect("it is written");
    assert_eq!(fs::read_to_string(folder.path().join(FILE)).expect("the contract"), kept());
    run(&folder, None, None).expect("it is kept");
}

/// Else a variable that a CI job exports without a value would have the test pass for ever.
#[test]
fn no_value_blesses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = kept().replace("    1 name: string\n    2 mood", "    1 name: sint32\n    2 mood");
    for value in ["", "0"] {
        let said = run(&folder, Some(&old), Some(value)).expect_err("it is not kept");
        assert!(said.contains("breaking: field 1, `name` of `hello.Hello`"), "{said}");
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).expect("the contract"), old);
    }
}

#[test]
fn a_change_is_told_with_what_it_breaks_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = kept().replace("    1 name: string\n    2 mood", "    1 name: sint32\n    2 mood");
    let said = run(&folder, Some(&old), None).expect_err("it is not kept");
    let expected = "\
tests/contract/contract.txt is not what the modules of this program promise:

  breaking: field 1, `name` of `hello.Hello`, was `sint32` and is now `string` (greeter.hello's request)

  = help: keep what peers know as it was, and add the new beside it, under a number of its own
  = help: if all of it is meant, run the test with DRPC_BLESS=1 in its environment, and commit \
tests/contract/contract.txt with the reason
";
    assert!(said.contains(expected), "{said}");

    let old = kept().replace("    1 name: string\n    2 mood", "    1 called: string\n    2 mood");
    let said = run(&folder, Some(&old), None).expect_err("it is not kept");
    assert!(
        said.contains("was `called` and is now `name` (greeter.hello's request)\n\n  = help: if all"),
        "{said}"
    );
}

#[test]
fn what_is_no_contract_and_what_is_written_otherwise_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let conflict = kept().replace("    rule users\n", "<<<<<<< ours\n");
    let said = run(&folder, Some(&conflict), None).expect_err("it is not kept");
    assert!(said.contains("contract.txt:17: a merge is not settled: write the file anew\n"), "{said}");

    let commented = format!("{}# A comment.\n", kept());
    let said = run(&folder, Some(&commented), None).expect_err("it is not kept");
    assert!(said.contains("contract.txt says the same as the code, but not as it is written\n"), "{said}");
}
