use drpc::drpc_module;

struct Note;

#[drpc_module(id = 5, client_only)]
trait Greeter {
    #[method(1)]
    fn hello(&self, note: Note) -> Result<(), String>;

    #[method(2)]
    fn goodbye(&self, note: Note);
}

fn main() {
    let _ = |greeter: GreeterClient<drpc::blocking::Client>| greeter.hello(Note);
}
