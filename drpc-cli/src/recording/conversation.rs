//! From packets to calls and their replies.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use drpc::testing::{Message, MessageReader};
use drpc::wire::{Call, Response};

use super::event::{Event, Peer, To, packet};

/// The sessions of a recording, each read as far as its events have come.
#[derive(Default)]
pub(crate) struct Conversations(HashMap<u64, Conversation>);

/// Something to show of a session.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) session: u64,
    /// Since the recording began.
    pub(crate) at: Duration,
    pub(crate) peer: Option<Peer>,
    /// How many file descriptors came with it.
    pub(crate) descriptors: usize,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Opened,
    Call(Call),
    Answer(Answer),
    /// What goes there can't be read, here or from here on.
    Unreadable(To, String),
    Closed(Option<String>),
}

/// A response, and what it answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The call, and when it was made; `None` for a response that nobody asked for.
    pub(crate) call: Option<(Duration, Call)>,
    pub(crate) response: Response,
}

struct Conversation {
    peer: Option<Peer>,
    reader: MessageReader,
    /// The calls that are not answered yet, in their order.
    open: VecDeque<(Duration, Call)>,
    /// Those that came with the packets of messages that are not complete, to the server and to the client.
    descriptors: [usize; 2],
}

impl Conversations {
    /// What an event adds; a packet that completes no message adds nothing.
    pub(crate) fn take(&mut self, event: &Event) -> Option<Seen> {
        let (session, at_us) = match event {
            Event::Begun { .. } => return None,
            Event::Opened { session, at_us, .. }
            | Event::Packet { session, at_us, .. }
            | Event::Closed { session, at_us, .. } => (*session, *at_us),
        };
        let at = Duration::from_micros(at_us);
        let conversation = self.0.entry(session).or_insert_with(|| Conversation {
            peer: None,
            reader: MessageReader::new(),
            open: VecDeque::new(),
            descriptors: [0; 2],
        });
        let mut descriptors = 0;
        let what = match event {
            Event::Begun { .. } => return None,
            Event::Opened { peer, .. } => {
                conversation.peer.clone_from(peer);
                What::Opened
            }
            Event::Packet { to, bytes, descriptors: more, .. } => {
                conversation.descriptors[*to as usize] += more;
                let message = conversation.packet(at_us, *to, bytes)?;
                descriptors = std::mem::take(&mut conversation.descriptors[*to as usize]);
                message
            }
            Event::Closed { error, .. } => What::Closed(error.clone()),
        };
        let peer = conversation.peer.clone();
        if let What::Closed(_) = what {
            self.0.remove(&session);
        }
        Some(Seen { session, at, peer, descriptors, what })
    }
}

impl Conversation {
    fn packet(&mut self, at_us: u64, to: To, bytes: &[u8]) -> Option<What> {
        match self.reader.read(&packet(at_us, to, bytes)) {
            Ok(None) => None,
            Ok(Some(Message::Call(call))) => {
                self.open.push_back((Duration::from_micros(at_us), call.clone()));
                Some(What::Call(call))
            }
            Ok(Some(Message::Response(response))) => {
                let call = self.answered_by(&response);
                Some(What::Answer(Answer { call, response }))
            }
            Err(error) => Some(What::Unreadable(to, error.to_string())),
        }
    }

    /// The call of the response's sequence; a sequence of -1 answers the oldest (C5).
    fn answered_by(&mut self, response: &Response) -> Option<(Duration, Call)> {
        let place = match response.sequence {
            -1 => 0,
            sequence => self.open.iter().position(|(_, call)| call.sequence == sequence)?,
        };
        self.open.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use drpc::wire::{Codec, Wire};
    use drpc::{Bytes, Status};

    use super::*;

    fn packets(head: &[u8], body: &[u8]) -> Vec<u8> {
        let codec = Codec::new(Wire::Chunked, 1 << 20);
        let mut packets = codec.packets(head, body).expect("a short message");
        packets.next().expect("one packet").to_vec()
    }

    fn call(sequence: i64, at_us: u64) -> Event {
        let call = Call { module: 5, method: 501, sequence, body: Bytes::new(), added: None };
        Event::Packet { session: 1, at_us, to: To::Server, bytes: packets(&call.head(), &[]), descriptors: 0 }
    }

    fn reply(sequence: i64, at_us: u64) -> Event {
        let response = Response { sequence, status: Status::FAILURE, body: Bytes::new(), added: None };
        Event::Packet {
            session: 1,
            at_us,
            to: To::Client,
            bytes: packets(&response.head(), &[]),
            descriptors: 0,
        }
    }

    fn answered(conversations: &mut Conversations, event: &Event) -> Option<i64> {
        match conversations.take(event).expect("a message").what {
            What::Answer(answer) => answer.call.map(|(_, call)| call.sequence),
            other => panic!("{other:?}"),
        }
    }

    /// C5: a sequence of -1 answers the oldest open call.
    #[test]
    fn replies_find_their_calls() {
        let mut conversations = Conversations::default();
        for sequence in 1..=3 {
            conversations.take(&call(sequence, 10));
        }
        assert_eq!(answered(&mut conversations, &reply(2, 20)), Some(2));
        assert_eq!(answered(&mut conversations, &reply(-1, 21)), Some(1));
        assert_eq!(answered(&mut conversations, &reply(9, 22)), None);
        assert_eq!(answered(&mut conversations, &reply(3, 23)), Some(3));
        assert_eq!(answered(&mut conversations, &reply(-1, 24)), None);
    }

    #[test]
    fn what_breaks_the_wire_is_told_once() {
        let mut conversations = Conversations::default();
        conversations.take(&call(1, 0));
        let broken =
            Event::Packet { session: 1, at_us: 1, to: To::Server, bytes: vec![0; 24], descriptors: 0 };
        assert!(matches!(
            conversations.take(&broken).map(|seen| seen.what),
            Some(What::Unreadable(To::Server, _))
        ));
        assert!(conversations.take(&broken).is_none());
        assert_eq!(answered(&mut conversations, &reply(1, 2)), Some(1));
    }
}
