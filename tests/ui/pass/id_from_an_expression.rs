//! IDs that the compiler works out.

use drpc::drpc_module;
use drpc_tests::messages::ids::{Five, HasId};

const BASE: i32 = 4;

const fn next(id: i32) -> i32 {
    id + 1
}

trait Numbered {
    const ID: i32;
}

struct OwnId;

impl OwnId {
    const ID: i32 = 50;
}

#[drpc_module(id = Self::ID)]
impl OwnId {
    #[method(1)]
    fn hello(&self) {}
}

struct Sum;

#[drpc_module(id = BASE + 2)]
impl Sum {
    #[method(1)]
    fn hello(&self) {}
}

struct Block;

#[drpc_module(id = { 3 + 4 })]
impl Block {
    #[method(1)]
    fn hello(&self) {}
}

struct Statements;

#[drpc_module(id = {
    let mut id = BASE;
    id *= 2;
    id
})]
impl Statements {
    #[method(1)]
    fn hello(&self) {}
}

struct OfATrait;

#[drpc_module(id = <Five as HasId>::ID)]
impl OfATrait {
    #[method(1)]
    fn hello(&self) {}
}

struct OfItsTrait;

impl Numbered for OfItsTrait {
    const ID: i32 = 9;
}

#[drpc_module(id = <Self as Numbered>::ID)]
impl OfItsTrait {
    #[method(1)]
    fn hello(&self) {}
}

struct Called;

#[drpc_module(id = next(BASE * 2 + 1))]
impl Called {
    #[method(1)]
    fn hello(&self) {}
}

struct Negated;

#[drpc_module(id = -BASE)]
impl Negated {
    #[method(1)]
    fn hello(&self) {}
}

enum Ids {
    Cast = 12,
}

struct Cast;

#[drpc_module(id = Ids::Cast as i32)]
impl Cast {
    #[method(1)]
    fn hello(&self) {}
}

#[drpc_module(id = BASE + 9, client_only)]
trait Remote {
    #[method(1)]
    fn hello(&self);
}

fn main() {
    assert_eq!(OwnIdMethod::Hello.id(), 5001);
    assert_eq!(SumMethod::Hello.id(), 601);
    assert_eq!(BlockMethod::Hello.id(), 701);
    assert_eq!(StatementsMethod::Hello.id(), 801);
    assert_eq!(OfATraitMethod::Hello.id(), 501);
    assert_eq!(OfItsTraitMethod::Hello.id(), 901);
    assert_eq!(CalledMethod::Hello.id(), 1001);
    assert_eq!(NegatedMethod::Hello.id(), -399);
    assert_eq!(CastMethod::Hello.id(), 1201);
    assert_eq!(RemoteMethod::Hello.id(), 1301);
    let _ = drpc::Server::builder().module(OwnId).module(OfItsTrait).module(Cast);
}
