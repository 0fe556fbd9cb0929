use drpc::drpc_module;

struct Note;

type Answer<T> = Result<T, String>;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) -> Answer<Note> {
        Ok(Note)
    }
}

fn main() {
    let _ = |greeter: GreeterClient<drpc::blocking::Client>| drop(greeter.hello());
}
