//! The example `reflecting` as a tool sees it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use drpc::blocking::Client;
use drpc::reflection::{BodyKind, ReflectionClient};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn it_tells_what_it_serves_with_docs_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let mut server =
        Command::new(env!("CARGO_BIN_EXE_reflecting")).arg(&socket).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("listening on "));

    let reflection = ReflectionClient::new(Client::connect(&socket).unwrap());
    let catalogue = reflection.catalogue().unwrap();
    let hello = &catalogue.modules[0].methods[0];
    assert_eq!(hello.docs, "Greets a person by name.");
    assert_eq!((hello.request.kind(), &*hello.request.type_name), (BodyKind::Message, "hello.Hello"));
    assert_eq!(hello.reply.type_name, "hello.HelloResponse");
    // Each message by its name, as a FileDescriptorSet has it.
    let descriptors = reflection.descriptors().unwrap();
    for name in ["Hello", "HelloResponse"] {
        let entry = [&[0x0a, name.len() as u8], name.as_bytes()].concat();
        assert!(descriptors.windows(entry.len()).any(|bytes| bytes == entry), "{descriptors:?}");
    }
    drop(reflection);
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "drained");
    assert!(server.wait().unwrap().success());
}
