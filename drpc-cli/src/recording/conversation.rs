//! From packets to calls and their replies.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::time::Duration;

use drpc::Bytes;
use drpc::testing::{Message, MessageReader};
use drpc::wire::{Call, Control, Items, Part, Response, ResponseFields};

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
    Control(Said),
    Answer(Answer),
    /// A call that gets no reply any more.
    Unanswered(Asked),
    /// What goes there can't be read, here or from here on.
    Unreadable(To, String),
    Closed(Option<String>),
}

/// What a client says of a call that is under way.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) control: Control,
    /// Of an item.
    pub(crate) body: Bytes,
    /// The call; the message itself, if that call is over, or was never seen.
    pub(crate) call: Call,
    /// How many items the client has sent for it, this one included.
    pub(crate) sent: usize,
}

/// A response, and what it answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `None` for a response that nobody asked for.
    pub(crate) asked: Option<Asked>,
    pub(crate) response: Response,
}

/// A call that is not, or was not until now, answered for the last time.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Duration,
    pub(crate) call: Call,
    /// How many file descriptors came with it.
    pub(crate) descriptors: usize,
    /// How many items its caller has sent after it.
    sent: usize,
    /// How many items have come of the stream that answers it; `None` if it is no stream.
    pub(crate) items: Option<usize>,
}

struct Conversation {
    peer: Option<Peer>,
    reader: MessageReader,
    /// In the order of the calls.
    open: VecDeque<Asked>,
    /// Those that came with the packets of messages that are not complete, to the server and to the client.
    descriptors: [usize; 2],
}

impl Conversations {
    /// What an event adds: a packet that completes no message adds nothing, and one of several items, or messages, adds each.
    pub(crate) fn take(&mut self, event: &Event) -> Vec<Seen> {
        let (session, at_us) = match event {
            Event::Begun { .. } | Event::Reflected(_) => return Vec::new(),
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
        let all = match event {
            Event::Begun { .. } | Event::Reflected(_) => Vec::new(),
            Event::Opened { peer, .. } => {
                conversation.peer.clone_from(peer);
                vec![What::Opened]
            }
            Event::Packet { to, bytes, descriptors: more, .. } => {
                conversation.descriptors[*to as usize] += more;
                let mut messages = conversation.packet(at_us, *to, bytes);
                if !messages.is_empty() {
                    descriptors = std::mem::take(&mut conversation.descriptors[*to as usize]);
                }
                if let (To::Server, [What::Call(_)]) = (to, &mut messages[..])
                    && let Some(asked) = conversation.open.back_mut()
                {
                    asked.descriptors = descriptors;
                }
                messages
            }
            Event::Closed { error, .. } => {
                let open = std::mem::take(&mut conversation.open).into_iter().map(What::Unanswered);
                open.chain([What::Closed(error.clone())]).collect()
            }
        };
        let peer = conversation.peer.clone();
        if let Event::Closed { .. } = event {
            self.0.remove(&session);
        }
        all.into_iter().map(|what| Seen { session, at, peer: peer.clone(), descriptors, what }).collect()
    }

    /// Of sessions that are not closed, the calls that are open, when there are no more events after that time. In the order of the sessions.
    pub(crate) fn end(&mut self, at: Duration) -> Vec<Seen> {
        let mut open: Vec<_> = self.0.drain().collect();
        open.sort_unstable_by_key(|(session, _)| *session);
        let of = |(session, conversation): (u64, Conversation)| {
            let Conversation { peer, open, .. } = conversation;
            open.into_iter().map(move |asked| Seen {
                session,
                at,
                peer: peer.clone(),
                descriptors: 0,
                what: What::Unanswered(asked),
            })
        };
        open.into_iter().flat_map(of).collect()
    }
}

impl Conversation {
    fn packet(&mut self, at_us: u64, to: To, bytes: &[u8]) -> Vec<What> {
        match self.reader.read(&packet(at_us, to, bytes)) {
            Ok(messages) => {
                messages.into_iter().flat_map(|message| self.message(at_us, to, message)).collect()
            }
            Err(error) => vec![What::Unreadable(to, error.to_string())],
        }
    }

    fn message(&mut self, at_us: u64, to: To, message: Message) -> Vec<What> {
        let unreadable = |error: &dyn Error| vec![What::Unreadable(to, error.to_string())];
        match message {
            Message::Call(call) => match call.added.as_ref().and_then(|added| added.control) {
                Some(Control::Items) => match Items::read(call.body.clone()) {
                    Ok(items) => items
                        .map(|body| What::Control(self.said(Control::Item, Call { body, ..call.clone() })))
                        .collect(),
                    Err(error) => unreadable(&error),
                },
                Some(control) => vec![What::Control(self.said(control, call))],
                None => {
                    let at = Duration::from_micros(at_us);
                    self.open.push_back(Asked {
                        at,
                        call: call.clone(),
                        descriptors: 0,
                        sent: 0,
                        items: None,
                    });
                    vec![What::Call(call)]
                }
            },
            Message::Response(response) if response.part() == Some(Part::Items) => {
                match Items::read(response.body.clone()) {
                    Ok(items) => items.map(|body| self.answer(item(&response, body))).collect(),
                    Err(error) => unreadable(&error),
                }
            }
            Message::Response(response) => vec![self.answer(response)],
        }
    }

    fn answer(&mut self, response: Response) -> What {
        let asked = self.answered_by(&response);
        What::Answer(Answer { asked, response })
    }

    fn said(&mut self, control: Control, message: Call) -> Said {
        let body = message.body.clone();
        let about = self.open.iter_mut().find(|asked| asked.call.sequence == message.sequence);
        let Some(asked) = about else { return Said { control, body, call: message, sent: 0 } };
        asked.sent += usize::from(control == Control::Item);
        Said { control, body, call: asked.call.clone(), sent: asked.sent }
    }

    /// The call of the response's sequence; a sequence of -1 answers the oldest (C5). Until its last response it stays open.
    fn answered_by(&mut self, response: &Response) -> Option<Asked> {
        let place = match response.sequence {
            -1 => 0,
            sequence => self.open.iter().position(|asked| asked.call.sequence == sequence)?,
        };
        let Some(part) = response.part() else { return self.open.remove(place) };
        let asked = self.open.get_mut(place)?;
        // That it is open is said of a stream of the caller's, too; and the others are about that alone.
        let asks_for_stream = asked.call.added.as_ref().is_some_and(|added| added.credit.is_some());
        if part == Part::Item || part == Part::Opened && asks_for_stream {
            *asked.items.get_or_insert(0) += usize::from(part == Part::Item);
        }
        Some(asked.clone())
    }
}

/// One of several items, as if it had come alone.
fn item(several: &Response, body: Bytes) -> Response {
    let added = Some(ResponseFields::of_part(Part::Item).into());
    Response { body, added, ..several.clone() }
}

#[cfg(test)]
mod tests {
    use drpc::Status;
    use drpc::wire::{CallFields, Codec, ResponseFields, Wire};

    use super::*;

    fn packets(head: &[u8], body: &[u8]) -> Vec<u8> {
        let codec = Codec::new(Wire::Chunked, 1 << 20);
        let mut packets = codec.packets(head, body).expect("a short message");
        packets.next().expect("one packet").to_vec()
    }

    fn sent(to: To, message: &[u8], at_us: u64) -> Event {
        Event::Packet { session: 1, at_us, to, bytes: packets(message, &[]), descriptors: 0 }
    }

    fn call(sequence: i64, at_us: u64) -> Event {
        let call = Call { module: 5, method: 501, sequence, body: Bytes::new(), added: None };
        sent(To::Server, &call.encode(), at_us)
    }

    fn reply(sequence: i64, at_us: u64) -> Event {
        let response = Response { sequence, status: Status::FAILURE, body: Bytes::new(), added: None };
        sent(To::Client, &response.encode(), at_us)
    }

    fn part(sequence: i64, part: Part) -> Event {
        let added = ResponseFields { part: Some(part), ..ResponseFields::default() };
        let response =
            Response { sequence, status: Status::SUCCESS, body: Bytes::new(), added: Some(added.into()) };
        sent(To::Client, &response.encode(), 15)
    }

    fn said(conversations: &mut Conversations, sequence: i64, control: Control) -> (i32, usize) {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        let said: Call = Call { sequence, added: Some(added.into()), ..Call::default() };
        match conversations.take(&sent(To::Server, &said.encode(), 16)).pop().expect("a message").what {
            What::Control(said) if said.control == control => (said.call.method, said.sent),
            other => panic!("{other:?}"),
        }
    }

    fn items(conversations: &mut Conversations, event: &Event) -> Option<usize> {
        match conversations.take(event).pop().expect("a message").what {
            What::Answer(answer) => answer.asked.expect("it was asked for").items,
            other => panic!("{other:?}"),
        }
    }

    fn answered(conversations: &mut Conversations, event: &Event) -> Option<i64> {
        match conversations.take(event).pop().expect("a message").what {
            What::Answer(answer) => answer.asked.map(|asked| asked.call.sequence),
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

    /// E5: a call stays open while parts of its stream come, and what is said of it is no call.
    #[test]
    fn a_stream_is_open_until_its_last_response() {
        let mut conversations = Conversations::default();
        conversations.take(&call(1, 10));
        conversations.take(&call(2, 11));
        assert_eq!(items(&mut conversations, &part(1, Part::Opened)), None);
        assert_eq!(items(&mut conversations, &part(1, Part::Item)), Some(1));
        assert_eq!(items(&mut conversations, &reply(2, 12)), None);
        assert_eq!(items(&mut conversations, &part(1, Part::Item)), Some(2));
        assert_eq!(said(&mut conversations, 1, Control::Cancel), (501, 0));
        assert_eq!(items(&mut conversations, &reply(1, 20)), Some(2));
        assert_eq!(answered(&mut conversations, &reply(-1, 21)), None);
    }

    /// E5: so are the items that a caller sends, and what the server says of them is no item of its own.
    #[test]
    fn what_a_caller_sends_belongs_to_its_call() {
        let mut conversations = Conversations::default();
        conversations.take(&call(1, 10));
        assert_eq!(said(&mut conversations, 1, Control::Item), (501, 1));
        assert_eq!(items(&mut conversations, &part(1, Part::Credit)), None);
        assert_eq!(said(&mut conversations, 1, Control::Item), (501, 2));
        assert_eq!(said(&mut conversations, 1, Control::End), (501, 2));
        assert_eq!(answered(&mut conversations, &reply(1, 20)), Some(1));
        assert_eq!(said(&mut conversations, 1, Control::Item), (0, 0));
    }

    /// E5.
    #[test]
    fn several_items_in_one_message_are_several() {
        let mut conversations = Conversations::default();
        conversations.take(&call(1, 10));
        let several: Response = Response {
            sequence: 1,
            body: Bytes::from_static(b"\x01a\x02bc"),
            added: Some(ResponseFields::of_part(Part::Items).into()),
            ..Response::default()
        };
        let answers = conversations.take(&sent(To::Client, &several.encode(), 20));
        let bodies = answers.iter().map(|seen| match &seen.what {
            What::Answer(Answer { asked: Some(asked), response }) => (asked.items, &response.body[..]),
            what => panic!("{what:?}"),
        });
        assert!(bodies.eq([(Some(1), &b"a"[..]), (Some(2), b"bc")]));
    }

    #[test]
    fn what_breaks_the_wire_is_told_once() {
        let mut conversations = Conversations::default();
        conversations.take(&call(1, 0));
        let broken =
            Event::Packet { session: 1, at_us: 1, to: To::Server, bytes: vec![0; 24], descriptors: 0 };
        let seen = conversations.take(&broken).pop();
        assert!(matches!(seen.map(|seen| seen.what), Some(What::Unreadable(To::Server, _))));
        assert!(conversations.take(&broken).is_empty());
        assert_eq!(answered(&mut conversations, &reply(1, 2)), Some(1));
    }
}
