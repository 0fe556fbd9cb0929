use drpc::drpc_module;

static ID: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(5);

fn id() -> i32 {
    ID.load(std::sync::atomic::Ordering::Relaxed)
}

struct Greeter;

#[drpc_module(id = id())]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {}
