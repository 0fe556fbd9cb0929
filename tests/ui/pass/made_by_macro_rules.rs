//! Modules, and handlers, that a macro makes.

use drpc::{Context, Failure, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

macro_rules! module {
    ($ty:ident, $id:expr, $number:literal, $handler:ident, $request:ty, $outcome:ty, $factory:path) => {
        #[derive(Default)]
        struct $ty;

        /// Made by a macro.
        #[drpc_module(id = $id, register = $factory)]
        impl $ty {
            #[method($number)]
            async fn $handler(&self, context: &Context, request: $request) -> $outcome {
                let _ = (context, request);
                Default::default()
            }
        }
    };
}

module!(Greeter, 5, 1, hello, Hello, HelloResponse, Greeter::default);
module!(Parrot, -6, 2, repeat, Hello, (), Default::default);

macro_rules! handlers {
    ($($number:literal $handler:ident $outcome:ty;)*) => {
        #[drpc_module(id = 7)]
        impl Butler {
            $(
                #[method($number)]
                fn $handler(&self) -> $outcome {
                    Ok(())
                }
            )*
        }
    };
}

struct Butler;

handlers! {
    1 open Result<(), Failure>;
    2 close std::io::Result<()>;
}

macro_rules! with_bodies {
    ($($vis:vis $handler:ident $number:literal $body:block)*) => {
        #[drpc_module(id = 8)]
        impl Cook {
            $(
                #[method($number)]
                $vis fn $handler(&self) $body
            )*
        }
    };
}

struct Cook;

fn log() {}

with_bodies! {
    boil 1 {}
    pub fry 2 { log() }
    pub(crate) bake 3 {
        log();
        log();
    }
}

macro_rules! with_items {
    ($docs:literal $($item:item)*) => {
        #[drpc_module(id = 9)]
        impl Waiter {
            #[doc = $docs]
            $($item)*
        }
    };
}

struct Waiter;

with_items! {
    "Serves."
    #[method(1)]
    pub fn serve(&self, request: Hello) -> Hello {
        Hello { name: request.name + Self::ENDING }
    }

    const ENDING: &str = "!";

    /// Leaves.
    #[method(2)]
    async fn leave(&self) -> Result<(), Failure> {
        Ok(())
    }
}

fn main() {
    assert_eq!(WaiterMethod::ALL, [WaiterMethod::Serve, WaiterMethod::Leave]);
    assert_eq!(CookMethod::Bake.id(), 803);
    assert_eq!(GreeterMethod::Hello.id(), 501);
    assert_eq!(ParrotMethod::Repeat.id(), -598);
    assert_eq!(ButlerMethod::Close.id(), 702);
}
