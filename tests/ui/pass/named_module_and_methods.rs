//! Names that are said.

use drpc::drpc_module;

struct Agent;

#[drpc_module(id = 1, name = "sec_agent")]
impl Agent {
    #[method(1, name = "request_creds")]
    fn credentials(&self) {}

    #[method(name = "validate_creds", id = 102)]
    fn validate(&self) {}
}

fn main() {
    assert_eq!(drpc::Module::name(&Agent), "sec_agent");
    assert_eq!(AgentMethod::Credentials.method(), drpc::Method::new(1, 101, "request_creds"));
    assert_eq!(AgentMethod::Validate.to_string(), "validate_creds");
}
