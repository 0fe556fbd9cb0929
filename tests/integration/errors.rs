//! What a handler may fail with, and what its caller is told of it; and `#[derive(drpc::Failure)]` on both ends.

use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;

use anyhow::Context as _;
use drpc::{AddedFields, CallError, Details, Failure, Server, Status, Stream, blocking, drpc_module};
use futures_util::stream;

use crate::support::{Driver, Hello, TestServer, with_every_server};

/// Fails in every way that `?` knows.
struct Failing;

#[drpc_module(id = 5, name = "failing")]
impl Failing {
    #[method(1)]
    fn anyhow(&self) -> anyhow::Result<Hello> {
        Err(io::Error::other("the disk")).context("reading")
    }

    #[method(2)]
    async fn anyhow_with_a_failure(&self) -> anyhow::Result<Hello> {
        Err(refusal()).context("one layer").context("another")
    }

    #[method(3)]
    fn anyhow_of_a_failure(&self) -> anyhow::Result<Hello> {
        Err(refusal())?
    }

    #[method(4)]
    fn eyre_of_a_failure(&self) -> Result<Hello, eyre::Report> {
        Err(refusal())?
    }

    #[method(5)]
    async fn boxed(&self) -> Result<Hello, Box<dyn Error>> {
        Err(refusal())?
    }

    #[method(6)]
    fn boxed_that_may_be_sent(&self) -> Result<Hello, Box<dyn Error + Send>> {
        Err(Box::new(io::Error::other(refusal())))
    }

    #[method(7)]
    fn boxed_text(&self) -> Result<Hello, Box<dyn Error + Send + Sync>> {
        Err("a text")?
    }

    #[method(8)]
    fn text(&self) -> Result<Hello, String> {
        Err("a text".to_owned())
    }

    #[method(9)]
    async fn borrowed_text(&self) -> Result<Hello, &str> {
        Err("a text")
    }

    #[method(10)]
    async fn bound_to_its_thread(&self) -> Result<Hello, Local> {
        Err(Local(Rc::new(refusal())))
    }

    #[method(11)]
    fn borrowed<'a>(&'a self) -> Result<Hello, Borrowed<'a>> {
        Err(Borrowed(self))
    }

    #[method(12)]
    fn with_its_own_conversion(&self) -> Result<Hello, Converted> {
        Err(Converted)
    }

    #[method(13)]
    fn derived(&self, req: Hello) -> Result<(), PoolError> {
        match &*req.name {
            "" => Err(PoolError::NoSuchPool { name: "tank".into(), tried: 3 }),
            "full" => Err(PoolError::Full(Hello { name: "tank".into() })),
            "disk" => Err(io::Error::other("the disk"))?,
            _ => Err(PoolError::Refused(refusal()))?,
        }
    }
}

/// Fails in streams, and before there is one.
struct Flowing {
    name: String,
}

#[drpc_module(id = 6, name = "flowing")]
impl Flowing {
    #[method(1, stream)]
    fn refuse(&self) -> anyhow::Result<impl Stream<Item = Result<Hello, Failure>> + '_> {
        if !self.name.is_empty() {
            return Err(refusal()).context("another");
        }
        Ok(stream::iter([Ok(Hello { name: self.name.clone() })]))
    }

    #[method(2, stream)]
    fn anyhow(&self) -> impl Stream<Item = anyhow::Result<Hello>> {
        stream::iter([Err(refusal()).context("another")])
    }

    #[method(3, stream)]
    fn boxed(&self) -> impl Stream<Item = Result<Hello, Box<dyn Error + Send + Sync>>> {
        stream::iter([Err(refusal().into())])
    }

    #[method(4, stream)]
    fn text(&self) -> impl Stream<Item = Result<Hello, String>> {
        stream::iter([Err("a text".to_owned())])
    }

    #[method(5, stream)]
    fn derived(&self) -> impl Stream<Item = Result<Hello, PoolError>> {
        stream::iter([Err(PoolError::NoSuchPool { name: "tank".into(), tried: 3 })])
    }

    #[method(6, stream)]
    fn borrowed(&self) -> impl Stream<Item = Result<Hello, &str>> {
        stream::iter([Err(&*self.name)])
    }
}

fn refusal() -> Failure {
    Failure::with_message(Status::UNKNOWN_METHOD, "refused").with_details(Hello { name: "details".into() })
}

#[derive(Debug, thiserror::Error)]
#[error("bound to its thread")]
struct Local(#[source] Rc<Failure>);

#[derive(thiserror::Error)]
#[error("borrowed")]
struct Borrowed<'a>(&'a Failing);

impl fmt::Debug for Borrowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Borrowed")
    }
}

/// An error, and a conversion that says something else.
#[derive(Debug, thiserror::Error)]
#[error("not this")]
struct Converted;

impl From<Converted> for Failure {
    fn from(_: Converted) -> Self {
        Failure::with_message(Status::FAILED_MARSHAL, "converted")
    }
}

#[derive(Debug, thiserror::Error, drpc::Failure)]
enum PoolError {
    #[error("no pool {name}, {tried} times")]
    #[failure(status = UNKNOWN_MODULE)]
    NoSuchPool { name: String, tried: u32 },
    #[error("{} is full", .0.name)]
    Full(Hello),
    #[error("the pool's disk")]
    #[failure(local)]
    Disk(#[from] io::Error),
    #[error("refused")]
    #[failure(local)]
    Refused(#[source] Failure),
}

fn serve(driver: Driver) -> (TestServer, FailingClient<blocking::Client>) {
    let server = driver.start(Server::builder().module(Failing));
    let client =
        blocking::Client::builder(server.path()).added_fields(AddedFields::ERROR).connect_blocking().unwrap();
    (server, FailingClient::new(client))
}

/// Status, text and the details' name.
fn told(error: &CallError) -> (Status, &str, Option<String>) {
    let details = error.details::<Hello>().map(|details| details.name);
    (error.status().unwrap(), error.peer_text().unwrap(), details)
}

#[test]
fn any_error_is_a_failure_and_a_failure_within_keeps_its_status() {
    // D4, E5.
    with_every_server(|driver| {
        let (_server, failing) = serve(driver);
        let refused = |text| (Status::UNKNOWN_METHOD, text, Some("details".to_owned()));
        let failed = |text| (Status::FAILURE, text, None);
        let tell = |error: Result<Hello, CallError>| error.unwrap_err();
        assert_eq!(told(&tell(failing.anyhow())), failed("reading"));
        assert_eq!(told(&tell(failing.anyhow_with_a_failure())), refused("another"));
        assert_eq!(told(&tell(failing.anyhow_of_a_failure())), refused("refused"));
        assert_eq!(told(&tell(failing.eyre_of_a_failure())), refused("refused"));
        assert_eq!(told(&tell(failing.boxed())), refused("refused"));
        assert_eq!(told(&tell(failing.boxed_that_may_be_sent())), refused("refused"));
        assert_eq!(told(&tell(failing.boxed_text())), failed("a text"));
        assert_eq!(told(&tell(failing.text())), failed("a text"));
        assert_eq!(told(&tell(failing.borrowed_text())), failed("a text"));
        assert_eq!(told(&tell(failing.borrowed())), failed("borrowed"));
        assert_eq!(told(&tell(failing.bound_to_its_thread())), refused("bound to its thread"));
        let converted = tell(failing.with_its_own_conversion());
        assert_eq!(told(&converted), (Status::FAILED_MARSHAL, "converted", None));
    });
}

#[test]
fn a_stream_fails_with_any_error_as_a_handler_does() {
    // D4, E5.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(Flowing { name: "a name".into() }));
        let client = blocking::Client::builder(server.path()).added_fields(AddedFields::ERROR);
        let flowing = FlowingClient::new(client.connect_blocking().unwrap());
        let refused = |text| (Status::UNKNOWN_METHOD, text, Some("details".to_owned()));
        let failed = |text| (Status::FAILURE, text, None);
        let fail = |stream: Result<blocking::Streaming<Hello>, CallError>| {
            stream.and_then(|mut stream| stream.next().unwrap()).unwrap_err()
        };
        assert_eq!(told(&fail(flowing.refuse())), refused("another"));
        assert_eq!(told(&fail(flowing.anyhow())), refused("another"));
        assert_eq!(told(&fail(flowing.boxed())), refused("refused"));
        assert_eq!(told(&fail(flowing.text())), failed("a text"));
        assert_eq!(told(&fail(flowing.borrowed())), failed("a name"));
        let error = fail(flowing.derived());
        assert_eq!(error.status(), Some(Status::UNKNOWN_MODULE));
        let Some(PoolError::NoSuchPool { tried: 3, .. }) = error.details() else { panic!("{error:?}") };
    });
}

#[test]
fn a_derived_failure_says_its_status_and_comes_back_as_the_variant() {
    // D4, E5.
    with_every_server(|driver| {
        let (_server, failing) = serve(driver);
        let fail = |name: &str| failing.derived(Hello { name: name.into() }).unwrap_err();

        let error = fail("");
        assert_eq!(error.status(), Some(Status::UNKNOWN_MODULE));
        assert_eq!(error.peer_text(), Some("no pool tank, 3 times"));
        let Some(PoolError::NoSuchPool { name, tried: 3 }) = error.details() else { panic!("{error:?}") };
        assert_eq!(name, "tank");

        let error = fail("full");
        assert_eq!((error.status(), error.peer_text()), (Some(Status::FAILURE), Some("tank is full")));
        let Some(PoolError::Full(hello)) = error.details() else { panic!("{error:?}") };
        assert_eq!(hello.name, "tank");

        let error = fail("disk");
        assert_eq!((error.status(), error.peer_text()), (Some(Status::FAILURE), Some("the pool's disk")));
        assert!(error.details::<PoolError>().is_none());

        // A failure within decides where the variant says nothing of its own.
        assert_eq!(told(&fail("other")), (Status::UNKNOWN_METHOD, "refused", Some("details".to_owned())));
    });
}

#[test]
fn a_caller_that_did_not_ask_is_told_the_status_alone() {
    // E4.
    with_every_server(|driver| {
        let (server, _) = serve(driver);
        let failing = FailingClient::new(blocking::Client::connect(server.path()).unwrap());
        let error = failing.derived(Hello::default()).unwrap_err();
        assert_eq!((error.status(), error.peer_text()), (Some(Status::UNKNOWN_MODULE), None));
        assert!(error.details::<PoolError>().is_none());
    });
}

#[test]
fn details_of_another_type_or_version_are_read_as_far_as_they_go() {
    /// The same type, a version later.
    #[derive(Debug, PartialEq, drpc::Failure)]
    #[failure(name = "PoolError")]
    enum Newer {
        NoSuchPool { name: String, tried: u32, last: u64 },
    }

    impl fmt::Display for Newer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("newer")
        }
    }

    let old = PoolError::NoSuchPool { name: "tank".into(), tried: 3 }.to_details().unwrap();
    let new = Newer::NoSuchPool { name: "tank".into(), tried: 3, last: 0 };
    assert_eq!(Newer::from_details(&old), Some(Newer::NoSuchPool { name: "tank".into(), tried: 3, last: 0 }));
    let read = PoolError::from_details(&new.to_details().unwrap());
    assert!(matches!(read, Some(PoolError::NoSuchPool { tried: 3, .. })), "{read:?}");

    assert!(Newer::from_details(&PoolError::Full(Hello::default()).to_details().unwrap()).is_none());
    for other in [&b""[..], b"\xff", b"text"] {
        assert!(PoolError::from_details(&drpc::Bytes::from_static(other)).is_none());
    }
}
