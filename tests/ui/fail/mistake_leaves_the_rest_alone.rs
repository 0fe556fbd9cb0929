use drpc::{CallError, Client, Module, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse { greeting: self.greeting(req) }
    }

    #[method(2)]
    fn goodbye(&mut self) {}

    fn greeting(&self, req: Hello) -> String {
        format!("Hello {}", req.name)
    }
}

fn serve(module: impl Module) -> i32 {
    module.id()
}

async fn call(client: Client) -> Result<(), CallError> {
    let greeter = GreeterClient::new(client);
    greeter.hello(Hello::default()).await?;
    Ok(())
}

fn main() {
    serve(Greeter);
    let _ = call;
    println!("{} {}", GreeterMethod::Hello, GreeterMethod::Goodbye.id());
}
