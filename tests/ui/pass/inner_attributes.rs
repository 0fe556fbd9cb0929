//! Attributes and docs within the block.
#![allow(clippy::mixed_attributes_style, reason = "it is what this is about")]

use drpc::drpc_module;

struct Greeter;

/// Outer docs.
#[drpc_module(id = 5)]
/// More of them.
impl Greeter {
    #![allow(clippy::needless_pass_by_ref_mut)]
    #![doc = "Greets."]
    //! Inner docs.

    #[method(1)]
    fn hello(&self) {
        #![allow(unused_variables)]
        let x = 1;
    }
}

fn main() {
    assert_eq!(GreeterMethod::ALL.len(), 1);
}
