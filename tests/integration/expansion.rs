//! What `#[drpc_module]` generates, at work: the enum of methods, dispatch, the client, the descriptor.

use std::mem::size_of_val;
use std::sync::Arc;

use bytes::Bytes;
use drpc::registry::declared_modules;
use drpc::{
    CallOptions, Client, Context, Failure, Method, Module, PeerCredentials, Server, Session, Status,
    UnknownMethod, drpc_module,
};

use crate::support::{Hello, HelloResponse, in_order};

/// Serves every form of handler.
struct Forms;

#[drpc_module(id = 5, name = "every_form")]
impl Forms {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse { greeting: format!("Hello {}", req.name) }
    }

    #[method(2)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(3)]
    fn nothing(&self) {}

    #[method(4)]
    fn sequence(&self, context: &Context) -> Bytes {
        context.sequence().to_string().into()
    }

    #[method(5)]
    async fn caller(&self, req: Hello, context: &Context) -> Result<HelloResponse, Failure> {
        let pid = context.peer().pid();
        Ok(HelloResponse { greeting: format!("{} {pid:?}", req.name) })
    }

    #[method(6)]
    async fn refuse(&self) -> Result<(), Failure> {
        Err(Failure::new(Status::FAILED_MARSHAL))
    }

    #[method(7)]
    fn misread(&self) -> std::io::Result<Hello> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    #[method(8)]
    async fn large(&self, body: Bytes) -> Bytes {
        let state = [body.len(); 1000];
        std::future::ready(()).await;
        assert!(state.contains(&body.len()));
        body
    }

    #[cfg(any())]
    #[method(9)]
    fn gone(&self) {}
}

/// Makes itself, under an ID that no other test looks at.
struct Registered(&'static str);

impl Registered {
    fn new() -> Self {
        Registered("made")
    }
}

#[drpc_module(id = 4101, register = Registered::new)]
impl Registered {
    #[method(0)]
    fn how(&self) -> Bytes {
        self.0.into()
    }
}

fn client() -> Client {
    drpc::testing::client_of(Server::builder().explicit_modules_only().module(Forms)).unwrap()
}

#[test]
fn methods_are_known_by_id_and_name() {
    // M: module · 100 + number.
    let hello = FormsMethod::Hello;
    assert_eq!((hello.id(), hello.module(), hello.name()), (501, 5, "hello"));
    assert_eq!(hello.to_string(), "hello");
    assert_eq!(format!("{hello:>7}"), "  hello");
    assert_eq!(Method::from(hello), Method::new(5, 501, "hello"));
    assert_eq!(FormsMethod::MODULE, 5);
    assert_eq!(FormsMethod::try_from(501), Ok(hello));
    for unknown in [1, 500, 509, 601, -501, i32::MIN] {
        assert_eq!(FormsMethod::try_from(unknown), Err(UnknownMethod::new(5, unknown)));
    }
    for method in FormsMethod::ALL {
        assert_eq!(FormsMethod::from_id(method.id()), Some(*method));
        assert_eq!(Forms.get_method(method.id()), Some(method.method()));
    }
    assert_eq!(FormsMethod::ALL.len(), 8);
    assert_eq!((Forms.id(), Forms.name()), (5, "every_form"));
}

#[test]
fn a_call_finds_its_handler() {
    in_order(async {
        let forms = FormsClient::new(client());
        let world = Hello { name: "World".into() };
        assert_eq!(forms.hello(world.clone()).await.unwrap().greeting, "Hello World");
        assert_eq!(forms.echo("\x00raw".into()).await.unwrap(), "\x00raw");
        forms.nothing().await.unwrap();
        assert_eq!(forms.sequence().await.unwrap(), "4");
        assert!(forms.caller(world).await.unwrap().greeting.starts_with("World "));
        assert_eq!(forms.large("large".into()).await.unwrap(), "large");
        forms.with(CallOptions::new().no_response()).nothing().await.unwrap();
    });
}

#[test]
fn a_failure_becomes_its_status() {
    // D4: the payload's; the handler's own; any other error's.
    in_order(async {
        let forms = FormsClient::new(client());
        let status = |result: Result<Bytes, drpc::CallError>| result.unwrap_err().status();
        let garbled = forms.raw(FormsMethod::Hello, "\u{7f}".into()).await;
        assert_eq!(status(garbled), Some(Status::FAILED_UNMARSHAL_PAYLOAD));
        assert_eq!(status(forms.raw(FormsMethod::Misread, Bytes::new()).await), Some(Status::FAILURE));
        assert_eq!(forms.refuse().await.unwrap_err().status(), Some(Status::FAILED_MARSHAL));
        // A method without request takes any body.
        assert_eq!(forms.raw(FormsMethod::Nothing, "body".into()).await.unwrap(), "");
    });
}

#[test]
fn a_method_of_another_number_is_unknown() {
    // D2. A server asks `get_method` first; a caller of its own need not.
    in_order(async {
        let context = context();
        let unknown = Arc::new(Forms).handle_call(context, Method::new(5, 509, "gone"), Bytes::new()).await;
        assert_eq!(unknown.unwrap_err().status(), Status::UNKNOWN_METHOD);
    });
}

#[test]
fn a_small_handler_does_not_pay_for_the_largest() {
    let context = context();
    let size = |method: FormsMethod| {
        size_of_val(&*Arc::new(Forms).handle_call(context.clone(), method.method(), Bytes::new()))
    };
    assert!(size(FormsMethod::Large) > 1000 * size_of::<usize>());
    assert!(size(FormsMethod::Nothing) < 96, "{} bytes", size(FormsMethod::Nothing));
}

#[test]
fn a_descriptor_says_what_was_declared_where() {
    let described = |id| declared_modules().find(|module| module.id() == id).unwrap();
    let registered = described(4101);
    assert_eq!((registered.name(), registered.type_name()), ("registered", "Registered"));
    assert_eq!(registered.package(), "drpc-tests");
    assert_eq!(registered.methods(), [RegisteredMethod::How.method()]);
    assert!(registered.to_string().contains("expansion.rs:"), "{registered}");
    assert_eq!(registered.create().unwrap().id(), 4101);
    assert!(
        declared_modules()
            .filter(|module| module.name() == "every_form")
            .all(|module| module.create().is_none())
    );
}

#[test]
fn a_registered_module_is_served_unasked() {
    in_order(async {
        let client = drpc::testing::client_of(Server::builder()).unwrap();
        assert_eq!(RegisteredClient::new(client).how().await.unwrap(), "made");
    });
}

fn context() -> Context {
    let session = Session::new(1, PeerCredentials::this_process());
    Context::new(Arc::new(session), 1)
}

/// What a store of the tests and one in production have in common.
trait Store: Send + Sync + 'static {
    type Error: std::error::Error + Send + Sync;

    fn get(&self) -> Result<String, Self::Error>;
}

struct Memory(&'static str);

impl Store for Memory {
    type Error = std::io::Error;

    fn get(&self) -> Result<String, std::io::Error> {
        Ok(self.0.to_owned())
    }
}

struct Broken;

impl Store for Broken {
    type Error = std::fmt::Error;

    fn get(&self) -> Result<String, std::fmt::Error> {
        Err(std::fmt::Error)
    }
}

struct Stored<S>(S);

#[drpc_module(id = 8)]
impl<S: Store> Stored<S> {
    #[method(1)]
    async fn get(&self) -> Result<HelloResponse, S::Error> {
        Ok(HelloResponse { greeting: self.0.get()? })
    }

    /// Work that goes on has the module itself.
    #[method(2)]
    fn get_later(self: Arc<Self>, context: &Context) -> drpc::Submitted {
        context.spawn(move |_| async move { drop(self.0.get()) });
        drpc::Submitted
    }
}

#[tokio::test]
async fn a_module_may_be_generic_over_what_it_works_with() {
    let server = drpc::testing::server_of(Server::builder().module(Stored(Memory("kept")))).unwrap();
    let stored = StoredClient::new(server.client());
    assert_eq!(stored.get().await.unwrap().greeting, "kept");
    stored.get_later().await.unwrap();

    let server = drpc::testing::server_of(Server::builder().module(Stored(Broken))).unwrap();
    let stored = StoredClient::new(server.client());
    assert_eq!(stored.get().await.unwrap_err().status(), Some(Status::FAILURE));
}

/// A module whose handlers stand in several blocks.
#[derive(Default)]
struct Spread;

#[drpc_module(id = 19)]
impl Spread {
    #[method(1)]
    fn here(&self) {}

    /// Stands in another file.
    #[method(2)]
    async fn elsewhere(&self, req: Hello, context: &Context) -> Result<HelloResponse, Failure>;
}

mod elsewhere {
    use super::{Context, Failure, Hello, HelloResponse, Spread, drpc_module};

    #[drpc_module(part)]
    impl Spread {
        #[method]
        pub(super) async fn elsewhere(&self, req: Hello, _: &Context) -> Result<HelloResponse, Failure> {
            Ok(HelloResponse { greeting: req.name })
        }
    }
}

#[tokio::test]
async fn a_module_may_stand_in_several_blocks() {
    assert_eq!(SpreadMethod::ALL, [SpreadMethod::Here, SpreadMethod::Elsewhere]);
    let mut declared = declared_modules().filter(|declared| declared.id() == 19);
    assert_eq!(declared.next().unwrap().methods().len(), 2);
    assert!(declared.next().is_none());

    let server = drpc::testing::server_of(Server::builder().module(Spread)).unwrap();
    let spread = SpreadClient::new(server.client());
    spread.here().await.unwrap();
    assert_eq!(spread.elsewhere(Hello { name: "there".into() }).await.unwrap().greeting, "there");
}
