//! Reflection: a module that the crate brings along.

use std::path::Path;
use std::sync::Arc;

use drpc::reflection::{BodyInfo, BodyKind, MethodInfo, ModuleInfo, ReflectionClient, SessionInfo};
use drpc::{
    Allow, Context, Failure, Order, PeerCredentials, Server, ServerBuilder, Status, Wire, blocking,
    drpc_module, testing,
};

use crate::support::{Driver, Gate, RawPeer, WIRES, echo, gated, with_every_server};

