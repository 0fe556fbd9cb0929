//! What the services look like to a tool: a description in protobuf, made of the modules and of their messages' descriptors.

use std::collections::HashMap;

use drpc::{Module, ModuleService, registry};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use tonic::service::Routes;

use super::{ServeError, methods_of};
use crate::names;

const EMPTY: &str = "google.protobuf.Empty";
const EMPTY_FILE: &str = "google/protobuf/empty.proto";

/// The messages of methods that no module of this program declares: of request and reply, by the methods' IDs.
pub(super) type Carried = HashMap<i32, [String; 2]>;

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

/// The messages' files, and one for each module.
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
    set.file.extend(services);
    Ok(set)
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
    let mut method = Vec::new();
    for known in methods_of(module) {
        let of_declared = declared.and_then(|declared| declared.message_names(known.id()));
        let Some(carried) = of_declared.or_else(|| carried.get(&known.id()).cloned()) else { continue };
        let places = carried.each_ref().map(|name| file_within(name, files));
        let [Some(request), Some(reply)] = places else { continue };
        for file in [request, reply] {
            if !dependency.contains(file) {
                dependency.push(file.clone());
            }
        }
        let [request, reply] = carried.map(|name| format!(".{name}"));
        method.push(MethodDescriptorProto {
            name: Some(names::method(known.name())),
            input_type: Some(request),
            output_type: Some(reply),
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
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
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
            [Method::new(5, 501, "say_hello"), Method::new(5, 502, "raw")]
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
        let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
        let descriptors = compiler.open_file("hello.proto").unwrap().encode_file_descriptor_set();

        let mut modules = ModuleService::new();
        modules.register(ByHand).unwrap();
        let carried = Carried::from([(501, ["hello.Hello".to_owned(), EMPTY.to_owned()])]);
        let set = described(&modules, &descriptors, &carried).unwrap();
        let service = &set.file.last().unwrap().service[0];
        let methods: Vec<_> = service
            .method
            .iter()
            .map(|method| [method.name(), method.input_type(), method.output_type()])
            .collect();
        assert_eq!(service.name(), "greeter");
        assert_eq!(methods, [["SayHello", ".hello.Hello", ".google.protobuf.Empty"]]);
    }
}
