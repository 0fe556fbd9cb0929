//! Messages that nobody else can name.

mod greeter {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Hello {}

    pub struct Greeter;

    #[drpc::drpc_module(id = 5)]
    impl Greeter {
        #[method(1)]
        fn hello(&self, req: Hello) -> Hello {
            req
        }
    }
}

fn main() {
    assert_eq!(drpc::Module::id(&greeter::Greeter), 5);
    assert_eq!(greeter::GreeterMethod::Hello.id(), 501);
}
