//! Which calls are shown.

use std::time::Duration;

use drpc::wire::Call;

use super::{Answer, Peer};
use crate::schema::Schema;
use crate::words;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which calls")]
pub(crate) struct Filter {
    /// Of this method or module alone, by name or ID: greeter.hello, greeter, 501. May be given more than once.
    #[arg(long = "method", value_name = "NAME")]
    methods: Vec<String>,
    /// Of this client alone, by its process ID or its program's name. May be given more than once.
    #[arg(long = "peer", value_name = "PEER")]
    peers: Vec<String>,
    /// Those that are answered by another status than SUCCESS.
    #[arg(long)]
    failed: bool,
    /// Those that take longer, such as 10ms.
    #[arg(long, value_name = "TIME", value_parser = words::duration)]
    slower: Option<Duration>,
}

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
                self.peers
                    .iter()
                    .any(|wanted| Some(wanted) == pid.as_ref() || Some(wanted) == peer.program.as_ref())
            })
    }

    pub(crate) fn takes_call(&self, call: &Call, schema: &Schema) -> bool {
        if self.methods.is_empty() {
            return true;
        }
        let name = schema.method(call.module, call.method);
        let module = name.split_once('.').map(|(module, _)| module);
        self.methods.iter().any(|wanted| {
            *wanted == name || Some(wanted.as_str()) == module || wanted.parse() == Ok(call.method)
        })
    }

    /// Whether a response is shown. One to no call is, unless certain methods are asked for; a stream's items are only where no last response is
    /// waited for.
    pub(crate) fn takes_answer(&self, answer: &Answer, at: Duration, schema: &Schema) -> bool {
        if answer.response.part().is_some() && self.needs_reply() {
            return false;
        }
        let (took, is_wanted) = match &answer.asked {
            Some(asked) => (Some(at.saturating_sub(asked.at)), self.takes_call(&asked.call, schema)),
            None => (None, self.methods.is_empty()),
        };
        is_wanted
            && (!self.failed || !answer.response.status.is_success())
            && self.slower.is_none_or(|least| took.is_some_and(|took| took > least))
    }
}
