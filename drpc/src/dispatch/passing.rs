//! The descriptors of a call, and those of its reply: who may pass which (E5).

use crate::descriptors::Descriptors;
use crate::handler::failure::Failure;
use crate::handler::method::Method;
use crate::observe::metrics;
use crate::wire::{Body, CallFields, Response, ResponseFields};

/// What a call says of descriptors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passing {
    /// It has some.
    from_caller: bool,
    /// Its caller takes some with the reply.
    to_caller: bool,
}

impl Passing {
    pub(super) fn of(added: &CallFields) -> Self {
        Passing { from_caller: !added.descriptors.is_none(), to_caller: added.takes_descriptors }
    }

    /// Adds to the response what its caller is to know, or says why it can't be sent.
    pub(super) fn answer(self, method: Option<Method>, response: &mut Response<Body>) -> Result<(), Failure> {
        if response.body.has_descriptors() {
            self.check_reply(method, &response.body)?;
        }
        let added = ResponseFields { took_descriptors: self.from_caller, ..ResponseFields::default() };
        response.added = self.from_caller.then(|| added.into());
        Ok(())
    }

    fn check_reply(self, method: Option<Method>, body: &Body) -> Result<(), Failure> {
        match self.to_caller {
            _ if !method.is_some_and(Method::has_fds) => {
                Err("the reply has descriptors, and its method is not declared with `fds`".into())
            }
            false => Err("the reply has descriptors, and its caller takes none".into()),
            true => {
                metrics::descriptors_sent(body.descriptors().len());
                Ok(())
            }
        }
    }
}

/// Whether a call may go on to its method with what has come along. What may not is closed with the call, which is answered FAILURE.
#[cold]
pub(super) fn check(method: Method, descriptors: &Descriptors) -> Result<(), Failure> {
    if !method.has_fds() {
        return Err(format!("method `{method}` takes no descriptors, and its call has some").into());
    }
    descriptors.problem().map_or(Ok(()), |problem| Err(problem.to_string().into()))
}
