use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::logs;

/// The spans that were built, and what was logged in them, to be looked at.
#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Those that have ended, in the order in which they did.
    ended: Vec<Span>,
    live: HashMap<u64, Span>,
    events: Vec<Logged>,
}

/// One span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: String,
    /// The span that it is in.
    pub(crate) parent: Option<&'static str>,
    pub(crate) fields: Fields,
}

/// The values of a span's or an event's fields, as text.
pub(crate) type Fields = BTreeMap<&'static str, String>;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) fields: Fields,
    /// The names of the spans that it is in, from the outermost.
    pub(crate) scope: Vec<&'static str>,
}

impl Spans {
    /// Collects what is built on this thread, up to a level, for as long as the guard lives, and by the servers and clients that
    /// it starts.
    pub(crate) fn of_this_thread(level: LevelFilter) -> (Spans, tracing::subscriber::DefaultGuard) {
        let spans = Spans::default();
        let subscriber = tracing_subscriber::registry().with(level).with(spans.clone());
        (spans, tracing::dispatcher::set_default(&logs::asked(subscriber)))
    }

    /// The spans of this name that have ended.
    pub(crate) fn ended(&self, name: &str) -> Vec<Span> {
        let state = self.state();
        assert!(state.live.is_empty(), "spans that have not ended: {:?}", state.live);
        state.ended.iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The one event with this message.
    #[track_caller]
    pub(crate) fn event(&self, message: &str) -> Logged {
        let state = self.state();
        let found: Vec<_> = state
            .events
            .iter()
            .filter(|event| event.fields.get("message").is_some_and(|said| said.contains(message)))
            .collect();
        match found[..] {
            [event] => event.clone(),
            _ => panic!("`{message}` was logged {} times, among {:#?}", found.len(), state.events),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut span = Span {
            name: metadata.name(),
            target: metadata.target(),
            level: metadata.level().to_string(),
            parent: context.span(id).and_then(|span| Some(span.parent()?.name())),
            fields: Fields::new(),
        };
        attributes.record(&mut Texts(&mut span.fields));
        self.state().live.insert(id.into_u64(), span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(span) = self.state().live.get_mut(&id.into_u64()) {
            values.record(&mut Texts(&mut span.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Texts(&mut fields));
        let scope = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let scope = scope.map(|span| span.name()).collect();
        self.state().events.push(Logged { fields, scope });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut state = self.state();
        if let Some(span) = state.live.remove(&id.into_u64()) {
            state.ended.push(span);
        }
    }
}

struct Texts<'a>(&'a mut Fields);

impl Visit for Texts<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
