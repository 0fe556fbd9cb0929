//! Types called like primitives.

#![allow(non_camel_case_types, dead_code, reason = "nobody else writes such names")]

struct i32;
struct str;
struct u8;
struct u32;
struct bool;
struct usize;

struct Greeter;

#[::drpc::drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, idempotent, allow = "admin")]
    async fn goodbye(&self, req: ::drpc_tests::messages::Hello) -> ::core::result::Result<(), ::drpc::Failure> {
        drop(req);
        Ok(())
    }
}

fn main() {}
