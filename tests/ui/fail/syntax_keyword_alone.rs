use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, req: Hello) -> Hello {
        req
    }

    #[method(2)]
    fn
}

fn main() {
    let greeter = GreeterClient::new(drpc::blocking::Client::connect("/x").unwrap());
    let _ = greeter.hello(Hello::default());
    let _ = GreeterMethod::Hello;
    let _ = Greeter.hello(Hello::default());
    let _ = drpc::Server::builder().module(Greeter);
}
