# The echo service of capnp-rpc. `mod.rs` tells how the code beside this file is made of it.
@0xb3f2d7a1c4e59608;

interface Echo {
  echo @0 (body :Data) -> (body :Data);
}
