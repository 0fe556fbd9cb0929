//! Which calls are shown.

use std::time::Duration;

use drpc::wire::Call;

use super::{Answer, Peer};
use crate::schema::{Calls, Schema, UnknownName};
use crate::words;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which calls")]
pub(crate) struct FilterArgs {
    /// Of this method or module alone, by name or ID: greeter.hello, greeter, 501. May be given more than once.
    #[arg(long = "method", value_name = "NAME")]
    methods: Vec<String>,
    /// Of this client alone, by its process ID or its program's name, of which the first 15 letters count. May be given more than once.
    #[arg(long = "peer", value_name = "PEER")]
    peers: Vec<String>,
    /// Those that are answered by another status than SUCCESS.
    #[arg(long)]
    failed: bool,
    /// Those that take longer, such as 10ms; also those that get no reply, once their session is over.
    #[arg(long, value_name = "TIME", value_parser = words::duration)]
    slower: Option<Duration>,
}

impl FilterArgs {
    /// The filter, once the names are known that its methods are given by.
    pub(crate) fn among(&self, schema: &Schema) -> Result<Filter, UnknownName> {
        let methods = self.methods.iter().map(|word| schema.find_calls(word));
        Ok(Filter {
            methods: methods.collect::<Result<_, _>>()?,
            peers: self.peers.clone(),
            failed: self.failed,
            slower: self.slower,
        })
    }
}

/// Which calls are shown.
pub(crate) struct Filter {
    methods: Vec<Calls>,
    peers: Vec<String>,
    failed: bool,
    slower: Option<Duration>,
}

/// The longest name that the kernel keeps of a program, in bytes.
const LONGEST_NAME: usize = 15;

impl Filter {
    /// Whether a call is only known to be shown when its reply is there.
    pub(crate) fn needs_reply(&self) -> bool {
        self.failed || self.slower.is_some()
    }

    /// Whether no call is passed over, except for its client.
    pub(crate) fn takes_all_calls(&self) -> bool {
        self.methods.is_empty() && !self.needs_reply()
    }

    pub(crate) fn takes_peer(&self, peer: Option<&Peer>) -> bool {
        self.peers.is_empty()
            || peer.is_some_and(|peer| {
                let pid = peer.pid.map(|pid| pid.to_string());
                let is_program = |wanted: &str| {
                    let wanted = &wanted.as_bytes()[..wanted.len().min(LONGEST_NAME)];
                    peer.program.as_ref().is_some_and(|program| program.as_bytes() == wanted)
                };
                self.peers.iter().any(|wanted| Some(wanted) == pid.as_ref() || is_program(wanted))
            })
    }

    pub(crate) fn takes_call(&self, call: &Call) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|wanted| wanted.have(call.module, call.method))
    }

    /// Whether a call is shown that gets no reply any more, so long after it was made.
    pub(crate) fn takes_unanswered(&self, call: &Call, waited: Duration) -> bool {
        !self.failed && self.slower.is_some_and(|least| waited > least) && self.takes_call(call)
    }

    /// Whether a response is shown. One to no call is, unless certain methods are asked for; a stream's items are only where no last response is
    /// waited for.
    pub(crate) fn takes_answer(&self, answer: &Answer, at: Duration) -> bool {
        if answer.response.part().is_some() && self.needs_reply() {
            return false;
        }
        let (took, is_wanted) = match &answer.asked {
            Some(asked) => (Some(at.saturating_sub(asked.at)), self.takes_call(&asked.call)),
            None => (None, self.methods.is_empty()),
        };
        is_wanted
            && (!self.failed || !answer.response.status.is_success())
            && self.slower.is_none_or(|least| took.is_some_and(|took| took > least))
    }
}
