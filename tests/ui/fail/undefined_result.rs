use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Answered<Hello, drpc::Failure> {
        Ok(req)
    }
}

fn main() {
    let greeter = GreeterClient::new(drpc::blocking::Client::connect("/x").unwrap());
    let _ = greeter.hello(Hello::default());
    let _ = (GreeterMethod::Hello, GreeterMethod::ALL);
    let _ = drpc::Server::builder().module(Greeter);
}
