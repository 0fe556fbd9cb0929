//! What the services look like to a tool: a description in protobuf, made of the modules and of their messages' descriptors.

use std::collections::{HashMap, HashSet};

use drpc::registry::{self, ModuleDescriptor};
use drpc::{Module, ModuleService};
use prost::Message as _;
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
    SourceCodeInfo,
};
use tonic::service::Routes;

use super::{ServeError, methods_of};
use crate::names;

const EMPTY: &str = "google.protobuf.Empty";
const EMPTY_FILE: &str = "google/protobuf/empty.proto";

/// The messages of methods that no module of this program declares, by the methods' IDs.
pub(super) type Carried = HashMap<i32, Messages>;

/// The full names of what a method carries.
#[derive(Clone, Default)]
pub(super) struct Messages {
    pub(super) request: String,
    pub(super) reply: String,
    /// Of each item that its caller sends.
    pub(super) items: Option<String>,
}

/// Adds the service that tools ask, in both of its versions: many know the earlier one alone.
pub(super) fn add_to(
    routes: Routes,
    modules: &ModuleService,
    descriptors: &[u8],
    carried: &Carried,
) -> Result<Routes, ServeError> {
    let set = described(modules, descriptors, carried)?;
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_file_descriptor_set(set.clone())
    };
    let earlier = builder().build_v1alpha().map_err(ServeError::descriptors)?;
    let service = builder().build_v1().map_err(ServeError::descriptors)?;
    Ok(routes.add_service(service).add_service(earlier))
}

/// A file for each module, and those of the messages that these carry. What else there is of the program's is nobody's on another host.
fn described(
    modules: &ModuleService,
    descriptors: &[u8],
    carried: &Carried,
) -> Result<FileDescriptorSet, ServeError> {
    let mut set = FileDescriptorSet::decode(descriptors).map_err(ServeError::descriptors)?;
    if !set.file.iter().any(|file| file.name() == EMPTY_FILE) {
        set.file.push(empty_file());
    }
    let files = files_of_messages(&set);
    let services = modules.modules().map(|module| file_of(module, &files, carried)).collect::<Vec<_>>();
    let needed = needed_by(&services, &set);
    set.file.retain(|file| needed.contains(file.name()));
    // Services that they declare are not served under such names.
    set.file.iter_mut().for_each(|file| file.service.clear());
    set.file.extend(services);
    Ok(set)
}

/// The names of the files that some need, those included that these need in turn.
fn needed_by(files: &[FileDescriptorProto], set: &FileDescriptorSet) -> HashSet<String> {
    let (mut needed, mut next) = (HashSet::new(), Vec::from_iter(files));
    while let Some(file) = next.pop() {
        for name in &file.dependency {
            if needed.insert(name.clone()) {
                next.extend(set.file.iter().filter(|file| file.name() == name));
            }
        }
    }
    needed
}

/// The file of each message that is not within another.
fn files_of_messages(set: &FileDescriptorSet) -> HashMap<String, String> {
    let of_file = |file: &FileDescriptorProto| {
        let (package, file_name) = (file.package().to_owned(), file.name().to_owned());
        let names: Vec<_> = file.message_type.iter().map(|message| message.name().to_owned()).collect();
        names.into_iter().map(move |name| match package.is_empty() {
            true => (name, file_name.clone()),
            false => (format!("{package}.{name}"), file_name.clone()),
        })
    };
    set.file.iter().flat_map(of_file).collect()
}

fn file_of(module: &dyn Module, files: &HashMap<String, String>, carried: &Carried) -> FileDescriptorProto {
    let declared = registry::declared_modules()
        .find(|declared| declared.id() == module.id() && declared.name() == module.name());
    let mut dependency = Vec::new();
    let (mut method, mut location) = (Vec::new(), Vec::new());
    for known in methods_of(module) {
        let of_declared = declared.and_then(|declared| messages_of(declared, known.id()));
        let Some(carried) = of_declared.or_else(|| carried.get(&known.id()).cloned()) else { continue };
        let Messages { request, reply, items } = carried;
        if items.is_some() != known.is_client_streaming() {
            continue;
        }
        let carries = [Some(&request), Some(&reply), items.as_ref()];
        let places: Vec<_> = carries.into_iter().flatten().map(|name| file_within(name, files)).collect();
        if places.contains(&None) {
            continue;
        }
        for file in places.into_iter().flatten() {
            if !dependency.contains(file) {
                dependency.push(file.clone());
            }
        }
        if items.is_some() && request != EMPTY {
            location.push(comment_on(method.len(), &request));
        }
        method.push(MethodDescriptorProto {
            name: Some(names::method(known.name())),
            input_type: Some(format!(".{}", items.unwrap_or(request))),
            output_type: Some(format!(".{reply}")),
            client_streaming: Some(known.is_client_streaming()),
            server_streaming: Some(known.is_streaming()),
            ..MethodDescriptorProto::default()
        });
    }
    let service = ServiceDescriptorProto { name: Some(module.name().to_owned()), method, options: None };
    FileDescriptorProto {
        name: Some(format!("{}/{}.proto", names::PACKAGE, module.name())),
        package: Some(names::PACKAGE.to_owned()),
        dependency,
        service: vec![service],
        source_code_info: Some(SourceCodeInfo { location }),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn messages_of(declared: &ModuleDescriptor, method: i32) -> Option<Messages> {
    let [request, reply] = declared.message_names(method)?;
    Some(Messages { request, reply, items: declared.item_name(method) })
}

/// What is said of a method whose messages are items: gRPC has no place for its request, but that of a comment.
fn comment_on(method: usize, request: &str) -> Location {
    const SERVICES: i32 = 6;
    const METHODS: i32 = 2;
    let method = i32::try_from(method).unwrap_or(i32::MAX);
    let text = format!(
        " Each message is an item. The request is a {request} in the metadata `{}`.\n",
        names::REQUEST
    );
    Location {
        path: vec![SERVICES, 0, METHODS, method],
        span: vec![0, 0, 0],
        leading_comments: Some(text),
        ..Location::default()
    }
}

/// The file of a message, or of the one that it is within.
fn file_within<'a>(name: &str, files: &'a HashMap<String, String>) -> Option<&'a String> {
    let outer = std::iter::successors(Some(name), |name| name.rsplit_once('.').map(|(outer, _)| outer));
    outer.into_iter().find_map(|name| files.get(name))
}

fn empty_file() -> FileDescriptorProto {
    let (package, name) = EMPTY.rsplit_once('.').expect("it has a package");
    FileDescriptorProto {
        name: Some(EMPTY_FILE.to_owned()),
        package: Some(package.to_owned()),
        message_type: vec![DescriptorProto { name: Some(name.to_owned()), ..DescriptorProto::default() }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drpc::{Bytes, Context, Failure, Method, Reply};

    use super::*;

    /// No attribute declares it, as none does what a gateway passes on.
    struct ByHand;

    #[drpc::async_trait]
    impl Module for ByHand {
        fn id(&self) -> i32 {
            5
        }

        fn name(&self) -> &str {
            "greeter"
        }

        fn get_method(&self, id: i32) -> Option<Method> {
            let put = Method::new(5, 503, "put").client_streaming();
            [Method::new(5, 501, "say_hello"), Method::new(5, 502, "raw"), put]
                .into_iter()
                .find(|method| method.id() == id)
        }

        async fn handle_call(self: Arc<Self>, _: Context, _: Method, _: Bytes) -> Result<Reply, Failure> {
            Err(Failure::unknown_method())
        }
    }

    #[test]
    fn methods_that_no_attribute_declares_are_described_by_what_is_said_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let proto = "syntax = \"proto3\";\npackage hello;\nmessage Hello { string name = 1; }\n";
        std::fs::write(folder.path().join("hello.proto"), proto).unwrap();
        let proto = "syntax = \"proto3\";\npackage secret;\nmessage Secret { string text = 1; }\n";
        std::fs::write(folder.path().join("secret.proto"), proto).unwrap();
        let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
        compiler.open_file("secret.proto").unwrap();
        let descriptors = compiler.open_file("hello.proto").unwrap().encode_file_descriptor_set();

        let mut modules = ModuleService::new();
        modules.register(ByHand).unwrap();
        let hello = || "hello.Hello".to_owned();
        let unary = Messages { request: hello(), reply: EMPTY.to_owned(), items: None };
        let upload = Messages { request: hello(), reply: EMPTY.to_owned(), items: Some(EMPTY.to_owned()) };
        let carried = Carried::from([(501, unary), (503, upload)]);
        let set = described(&modules, &descriptors, &carried).unwrap();
        // What no method carries is not shown.
        let mut files: Vec<_> = set.file.iter().map(|file| file.name()).collect();
        files.sort_unstable();
        assert_eq!(files, ["drpc/greeter.proto", EMPTY_FILE, "hello.proto"]);
        let file = set.file.last().unwrap();
        let service = &file.service[0];
        let methods: Vec<_> = service
            .method
            .iter()
            .map(|method| [method.name(), method.input_type(), method.output_type()])
            .collect();
        assert_eq!(service.name(), "greeter");
        let empty = ".google.protobuf.Empty";
        assert_eq!(methods, [["SayHello", ".hello.Hello", empty], ["Put", empty, empty]]);
        assert_eq!(
            service.method.iter().map(|method| method.client_streaming()).collect::<Vec<_>>(),
            [false, true]
        );
        let comments = &file.source_code_info.as_ref().unwrap().location;
        assert_eq!(comments[0].path, [6, 0, 2, 1]);
        let text =
            " Each message is an item. The request is a hello.Hello in the metadata `drpc-request-bin`.\n";
        assert_eq!((comments.len(), comments[0].leading_comments()), (1, text));
    }
}
