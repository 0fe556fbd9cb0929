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

/// Adds the service that tools ask, in both of its versions: many know the earlier one alone.
pub(super) fn add_to(
    routes: Routes,
    modules: &ModuleService,
    descriptors: &[u8],
) -> Result<Routes, ServeError> {
    let set = described(modules, descriptors)?;
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
fn described(modules: &ModuleService, descriptors: &[u8]) -> Result<FileDescriptorSet, ServeError> {
    let mut set = FileDescriptorSet::decode(descriptors).map_err(ServeError::descriptors)?;
    if !set.file.iter().any(|file| file.name() == EMPTY_FILE) {
        set.file.push(empty_file());
    }
    let files = files_of_messages(&set);
    let services = modules.modules().map(|module| file_of(module, &files)).collect::<Vec<_>>();
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

fn file_of(module: &dyn Module, files: &HashMap<String, String>) -> FileDescriptorProto {
    let declared = registry::declared_modules()
        .find(|declared| declared.id() == module.id() && declared.name() == module.name());
    let mut dependency = Vec::new();
    let mut method = Vec::new();
    for known in methods_of(module) {
        let Some(carried) = declared.and_then(|declared| declared.message_names(known.id())) else {
            continue;
        };
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
