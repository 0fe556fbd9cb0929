struct Greeter;

impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    Greeter.hello();
}
