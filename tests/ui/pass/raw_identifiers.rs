//! Names that are keywords.

use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct r#Type;

#[drpc_module(id = 5)]
impl r#Type {
    #[method(1)]
    fn r#match(&self, r#in: Hello) -> Hello {
        r#in
    }
}

#[drpc_module(id = 6, client_only)]
trait r#Dyn {
    #[method(1)]
    fn r#loop(&self, r#for: Hello) -> Hello;
}

fn main() {
    assert_eq!(TypeMethod::Match.to_string(), "match");
    assert_eq!(drpc::Module::name(&r#Type), "type");
    assert_eq!(DynMethod::Loop.name(), "loop");
}
