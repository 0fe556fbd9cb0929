use drpc::{Failure, drpc_module};
use drpc_tests::messages::Hello;

#[derive(Default)]
struct Pools;

#[drpc_module(id = 2, register)]
impl Pools {
    #[method(11)]
    async fn create(&self, req: Hello) -> Result<Hello, Failure>;
}

mod part {
    use super::*;

    #[drpc_module(part)]
    impl Pools {
        #[method]
        pub(super) async fn create(&self, req: Hello) -> Result<Hello, Failure> {
            Ok(req)
        }

        #[method]
        pub(super) fn destroy(&self, req: Hello) -> Result<(), Failure> {
            drop(req);
            Ok(())
        }
    }
}

fn main() {
    assert_eq!(PoolsMethod::Create.id(), 211);
}
