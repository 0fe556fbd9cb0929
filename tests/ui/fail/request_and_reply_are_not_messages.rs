use drpc::blocking::Client;
use drpc::drpc_module;

struct Note;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, note: Note) -> Note {
        note
    }
}

fn main() {
    let greeter: GreeterClient<Client> = GreeterClient::new(Client::connect("").unwrap());
    let _ = greeter.hello(Note);
}
