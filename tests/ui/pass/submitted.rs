//! Methods that are answered before the work is done.

use drpc::{Context, Failure, Submitted, drpc_module};
use drpc_tests::messages::Hello;

use drpc::Submitted as Accepted;

type Renamed = Submitted;

struct Jobs;

#[drpc_module(id = 5)]
impl Jobs {
    #[method(1)]
    fn at_once(&self, context: &Context) -> Submitted {
        context.spawn(|context| async move { context.cancelled().await });
        Submitted
    }

    #[method(2)]
    async fn after_a_look(&self, req: Hello) -> Result<Accepted, Failure> {
        if req.name.is_empty() { Err("who?".into()) } else { Ok(Submitted) }
    }

    #[method(3)]
    async fn by_another_name(&self) -> std::io::Result<Renamed> {
        Ok(Submitted)
    }
}

mod client {
    use super::{Submitted, drpc_module};

    #[drpc_module(id = 5, client_only)]
    trait Jobs {
        #[method(1)]
        fn at_once(&self) -> Submitted;
    }

    pub(super) async fn calls(jobs: JobsClient<drpc::Client>) -> Result<(), drpc::CallError> {
        jobs.at_once().await
    }
}

fn blocking(jobs: &JobsClient<drpc::blocking::Client>) -> Result<(), drpc::CallError> {
    jobs.after_a_look(Hello::default())?;
    jobs.by_another_name()
}

fn main() {
    let _ = (blocking, client::calls);
}
