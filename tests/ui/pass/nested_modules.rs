//! Types and messages in modules within modules.

mod outer {
    pub mod inner {
        pub struct Greeter;
    }

    mod messages {
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Hello {}
    }

    #[drpc::drpc_module(id = 5)]
    impl inner::Greeter {
        #[method(1)]
        fn hello(&self, _: self::messages::Hello) -> messages::Hello {
            messages::Hello {}
        }
    }
}

fn main() {
    assert_eq!(drpc::Module::id(&outer::inner::Greeter), 5);
    assert_eq!(outer::GreeterMethod::Hello.id(), 501);
}
