//! A module within a function.

fn main() {
    #[derive(Default)]
    struct Greeter;

    #[drpc::drpc_module(id = 5, register)]
    impl Greeter {
        #[method(1)]
        fn hello(&self) {}
    }

    assert_eq!(GreeterMethod::Hello.id(), 501);
    assert!(drpc::registry::declared_modules().any(|module| module.name() == "greeter"));
}
