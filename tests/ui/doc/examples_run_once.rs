//! Each example is tested where it was written, and nowhere else.
//# doctests: 2

use drpc::drpc_module;

/// Greets.
#[derive(Default)]
pub struct Greeter;

/// Greets people.
///
/// ```
/// println!("the block's");
/// ```
#[drpc_module(id = 5, register)]
impl Greeter {
    /// Says hello.
    ///
    /// ```
    /// println!("the method's");
    /// ```
    #[method(1)]
    pub fn hello(&self) {}
}
