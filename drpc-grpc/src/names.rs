//! How a module and its methods are called over gRPC.
//!
//! | drpc | gRPC |
//! |---|---|
//! | module `greeter` | service `drpc.greeter`: package `drpc`, service `greeter` |
//! | method `say_hello` | method `SayHello` |
//! | the call of both | path `/drpc.greeter/SayHello` |
//! | the same by number: module 5, method 501 | path `/drpc.5/501` |
//!
//! Stubs of this crate call by number, as they do on a socket: what a module or a method is called may change between two releases. Clients of
//! other languages call by name, and reflection shows the names.

use http::uri::PathAndQuery;

use drpc::Method;

/// What a service's name begins with.
pub(crate) const PACKAGE: &str = "drpc";

/// The metadata that holds the request of a call whose messages are the items that its caller sends. Without it, the request is the empty message.
pub(crate) const REQUEST: &str = "drpc-request-bin";

/// How many bytes such a request may have: metadata have a limit of 16 KiB, and are written in base64.
pub(crate) const REQUEST_LIMIT: usize = 8 << 10;

/// The full name of a module's service.
pub(crate) fn service(module: &str) -> String {
    format!("{PACKAGE}.{module}")
}

/// A method's name: `say_hello` is `SayHello`.
pub(crate) fn method(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

/// Whether protobuf takes it for a name.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The path that a stub calls a method by.
pub(crate) fn path_of(method: Method) -> PathAndQuery {
    let path = format!("/{}/{}", service(&method.module().to_string()), method.id());
    path.parse().expect("digits and slashes are a path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_grpc() {
        for (ours, theirs) in
            [("hello", "Hello"), ("say_hello", "SayHello"), ("get_2nd", "Get2nd"), ("a__b_", "AB")]
        {
            assert_eq!(method(ours), theirs);
        }
        assert_eq!(service("greeter"), "drpc.greeter");
        assert!(
            is_identifier("greeter_2")
                && !is_identifier("2nd")
                && !is_identifier("a-b")
                && !is_identifier("")
        );
    }

    #[test]
    fn a_stub_calls_by_number() {
        assert_eq!(path_of(Method::new(5, 501, "any")), "/drpc.5/501");
        assert_eq!(path_of(Method::new(-3, -300, "any")), "/drpc.-3/-300");
    }
}
