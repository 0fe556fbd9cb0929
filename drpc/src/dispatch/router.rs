use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::dispatch::authorization::{Allow, Rules};
#[cfg(feature = "tower")]
use crate::dispatch::middleware::{Dispatch, Layers, Request};
use crate::dispatch::processing::{Asked, Handler, Processing, try_guarded};
use crate::dispatch::registry::origin_of;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::failure::guard::guarded;
use crate::handler::method::{Method, Streams};
#[cfg(feature = "reflection")]
use crate::handler::module::methods_of;
use crate::handler::module::{HandlerFuture, Module, name_of};
use crate::handler::reply::Reply;
use crate::handler::session::Methods;
#[cfg(feature = "reflection")]
use crate::handler::session::{ServedModule, Session};
use crate::observe::metrics;
use crate::observe::server::{Called, ObservedCall};
use crate::wire::{Body, Call, Response};

/// The modules of a server, and the dispatch from a call to its response.
///
/// It needs no runtime and no socket: use it to process calls from anywhere.
///
/// # Example
///
/// ```
/// # use drpc::{drpc_module, wire::Call, Context, ModuleService, PeerCredentials, Session, Status};
/// # struct Echo;
/// # #[drpc_module(id = 7)]
/// # impl Echo {
/// #     #[method(0)]
/// #     fn echo(&self, body: bytes::Bytes) -> bytes::Bytes { body }
/// # }
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut service = ModuleService::new();
/// service.register(Echo)?;
///
/// let session = Session::new(1, PeerCredentials::this_process());
/// let call = Call { module: 7, method: 700, sequence: 1, body: "ping".into(), added: None };
/// let response = service.process(Context::new(session.into(), call.sequence), call).await;
/// assert_eq!((response.status, response.body.into_bytes()), (Status::SUCCESS, "ping".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ModuleService {
    /// Sorted by ID.
    modules: Vec<Entry>,
    /// Where the modules of small IDs stand, by ID: one more than the place in `modules`, or 0.
    places: Vec<u16>,
    pub(crate) rules: Rules,
    #[cfg(feature = "tower")]
    layers: Layers,
}

/// IDs below this are looked up by index: a module's way to its place then doesn't grow with the number of modules.
const SMALL_IDS: usize = 1024;

pub(crate) struct Entry {
    id: i32,
    pub(crate) module: Arc<dyn Module>,
    /// Who put it there, for errors.
    pub(crate) origin: String,
    metrics: metrics::ModuleMetrics,
}

impl ModuleService {
    /// A service without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module.
    ///
    /// # Errors
    ///
    /// [`DuplicateModule`] if there is one of that ID already ([D6](crate::guide::rules#dispatch)); it names both.
    pub fn register<M: Module>(&mut self, module: M) -> Result<(), DuplicateModule> {
        let origin = origin_of(&module);
        self.register_arc(Arc::new(module), origin)
    }

    /// Adds a module; `origin` says where it was declared.
    pub(crate) fn register_arc(
        &mut self,
        module: Arc<dyn Module>,
        origin: String,
    ) -> Result<(), DuplicateModule> {
        let id = module.id();
        match self.position(id) {
            Err(place) => {
                self.modules.insert(place, Entry { id, module, origin, metrics: Default::default() });
                self.note_places();
                Ok(())
            }
            Ok(place) => {
                let first = &self.modules[place];
                Err(DuplicateModule {
                    id,
                    first: format!("module {} ({})", first.module.name(), first.origin),
                    second: format!("module {} ({origin})", module.name()),
                })
            }
        }
    }

    /// Removes a module, if it is there ([D6](crate::guide::rules#dispatch)).
    pub fn unregister(&mut self, id: i32) -> Option<Arc<dyn Module>> {
        let place = self.position(id).ok()?;
        let removed = self.modules.remove(place);
        self.note_places();
        Some(removed.module)
    }

    /// Defines the rule that modules and methods name by `allow = "…"`, or by [`Module::rule`] and [`Method::with_rule`]. A rule
    /// of that name is replaced.
    ///
    /// A call that either rule does not allow is answered FAILURE, and logged; so is one whose rule is not defined.
    pub fn define_rule(&mut self, name: impl Into<String>, rule: Allow) {
        self.rules.define(name.into(), rule);
    }

    /// Whether a rule of that name is defined. A server does better not to start with a module that names one which is not.
    #[must_use]
    pub fn has_rule(&self, name: &str) -> bool {
        self.rules.names().any(|known| known == name)
    }

    /// Puts a layer around the handlers of all modules, within the layers that are there: as in `tower::ServiceBuilder`, the first
    /// is the outermost. See [`middleware`](crate::middleware).
    ///
    /// What the layer makes is cloned for each call. An error of it that is no [`struct@Failure`] answers FAILURE.
    #[cfg(feature = "tower")]
    pub fn layer<L>(&mut self, layer: L)
    where
        L: tower_layer::Layer<Dispatch> + Send + Sync + 'static,
        L::Service: tower_service::Service<
                Request,
                Response = Reply,
                Error: Into<Box<dyn std::error::Error + Send + Sync>>,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers.add(layer);
    }

    /// Takes the layers in place of those that are there, and puts them around the handlers now: some need a runtime for that.
    #[cfg(feature = "tower")]
    pub(crate) fn set_layers(&mut self, layers: Layers) {
        self.layers = layers;
        self.layers.all();
    }

    /// Runs the handler of a call, through the layers if there are any.
    fn handle(
        &self,
        module: &Arc<dyn Module>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> HandlerFuture<'static> {
        #[cfg(feature = "tower")]
        if let Some(layered) = self.layers.all() {
            return layered.clone().oneshot(Request::new(context, module.clone(), method, body));
        }
        module.clone().handle_call(context, method, body)
    }

    /// Whether there are layers around the handlers.
    fn is_layered(&self) -> bool {
        #[cfg(feature = "tower")]
        return !self.layers.is_empty();
        #[cfg(not(feature = "tower"))]
        false
    }

    /// The module of an ID.
    #[must_use]
    pub fn get(&self, id: i32) -> Option<&Arc<dyn Module>> {
        self.entry(id).map(|entry| &entry.module)
    }

    /// The modules, by ascending ID.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = &dyn Module> {
        self.modules.iter().map(|entry| &*entry.module)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.modules
    }

    fn entry(&self, id: i32) -> Option<&Entry> {
        self.position(id).ok().map(|place| &self.modules[place])
    }

    /// The place of a module in the list, or where it would stand.
    fn position(&self, id: i32) -> Result<usize, usize> {
        match usize::try_from(id).ok().and_then(|id| self.places.get(id)) {
            Some(place) if *place > 0 => Ok(usize::from(*place) - 1),
            _ => self.modules.binary_search_by_key(&id, |entry| entry.id),
        }
    }

    fn note_places(&mut self) {
        self.places.clear();
        for (place, entry) in (1..=u16::MAX).zip(&self.modules) {
            if let Ok(id @ 0..SMALL_IDS) = usize::try_from(entry.id) {
                self.places.resize(id + 1, 0);
                self.places[id] = place;
            }
        }
    }

    /// Processes a call. Whatever happens, there is a response with the call's sequence: every failure is a status in it ([D2](crate::guide::rules#dispatch) to [D4](crate::guide::rules#dispatch)), and so is a panic of the
    /// handler ([S10](crate::guide::rules#server)).
    ///
    /// A failed call is logged, since DAOS's protocol carries no error text ([E4](crate::guide::rules#envelope)). A caller that asks for it with the [fields](crate::wire::CallFields) added to its
    /// call is sent the text and details of the [`struct@Failure`] ([E5](crate::guide::rules#envelope)). A call whose caller has no time left is not started, and answered FAILURE.
    ///
    /// Dropping the future drops the handler at its `await`. Nothing else cuts it off: enforcing a [method's time-out](Method::timeout), which shows in the context's
    /// [deadline](Context::deadline), is the server's job: [`Processing::cut_off`].
    pub fn process(&self, context: Context, call: Call) -> Processing {
        self.process_at(context, call, Instant::now)
    }

    /// As [`process`](Self::process); `now` reads the clock of whoever cuts the handler off.
    pub(crate) fn process_at(&self, mut context: Context, call: Call, now: fn() -> Instant) -> Processing {
        let entry = self.entry(call.module);
        let module = entry.map(|entry| &entry.module);
        let (mut method, request_bytes) = (None, call.body.len());
        let added = call.added.as_deref();
        let time_left = added.and_then(|added| added.time_left);
        let asked = added.map(|added| Asked::by(added, &context));
        // A module written by hand may panic before it gives a future, so this is inside the guard too.
        let handler = try_guarded(self.is_layered(), || {
            let module = module.ok_or_else(Failure::unknown_module)?;
            let check = |rule| {
                let allowed = self.rules.check(rule, context.session());
                allowed.inspect_err(|_| metrics::call_refused(name_of(&**module)))
            };
            if let Some(rule) = module.rule() {
                check(rule)?;
            }
            let found = module.get_method(call.method).ok_or_else(Failure::unknown_method)?;
            method = Some(found);
            if let Some(rule) = found.rule() {
                check(rule)?;
            }
            if let (Some(added), Some(asked)) = (added, asked) {
                asked.heed(added, found, &mut context)?;
            } else if found.streams() != Streams::Neither {
                return Err(Asked::default().unlike(found));
            }
            if let Some(limit) = found.timeout() {
                context = context.clone().within(Some(limit), time_left, now);
            }
            Ok(self.handle(module, context.clone(), found, call.body))
        });
        let observed = ObservedCall::begin(|| Called {
            module: call.module,
            found_module: entry.map(|entry| (name_of(&*entry.module), &entry.metrics)),
            method: call.method,
            found_method: method,
            sequence: call.sequence,
            request_bytes,
            descriptors: added.map_or(0, |added| added.descriptors.len()),
        });
        Processing {
            observed,
            handler: handler.map_or_else(Handler::None, Handler::Runs),
            module_id: call.module,
            module: module.cloned(),
            method_id: call.method,
            method,
            sequence: call.sequence,
            asked,
            layered: self.is_layered(),
            context,
            made: 0,
        }
    }

    /// Like [`process`](Self::process), for a marshalled call. One that can't be read is answered with sequence -1 and `FAILED_UNMARSHAL_CALL` ([D1](crate::guide::rules#dispatch)).
    pub async fn process_message(&self, context: Context, message: Bytes) -> Response<Body> {
        match Call::decode(message) {
            Ok(call) => self.process(context, call).await,
            Err(_) => {
                metrics::call_unreadable();
                Response::unreadable_call()
            }
        }
    }
}

impl Methods for ModuleService {
    fn find(&self, module: i32, method: i32) -> Option<Method> {
        let module = self.get(module)?;
        guarded(|| module.get_method(method)).ok().flatten()
    }

    #[cfg(feature = "reflection")]
    fn served_to(&self, caller: &Session) -> Vec<ServedModule> {
        let admits = |rule: Option<&str>| rule.is_none_or(|rule| self.rules.check(rule, caller).is_ok());
        let served = self.modules.iter().map(|Entry { id, module, origin, .. }| {
            // A module that can't say its rule answers every call FAILURE (S10).
            let rule = guarded(|| module.rule().map(str::to_owned));
            let is_open = rule.as_ref().is_ok_and(|rule| admits(rule.as_deref()));
            let (open, closed) = methods_of(&**module).partition(|method| is_open && admits(method.rule()));
            ServedModule {
                id: *id,
                name: name_of(&**module).to_owned(),
                rule: rule.unwrap_or_default(),
                is_remote: guarded(|| module.is_remote()).unwrap_or_default(),
                is_open,
                open,
                closed,
                origin: origin.clone(),
            }
        });
        served.collect()
    }
}

impl fmt::Debug for ModuleService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.modules.iter().map(|entry| (entry.id, entry.module.name()))).finish()
    }
}

/// Two modules of one server have the same ID ([D6](crate::guide::rules#dispatch)).
///
/// ```
/// use drpc::{ModuleService, drpc_module};
///
/// struct Echo;
///
/// #[drpc_module(id = 7)]
/// impl Echo {
///     #[method(0)]
///     fn ping(&self) {}
/// }
///
/// let mut service = ModuleService::new();
/// service.register(Echo)?;
/// assert_eq!(service.register(Echo).unwrap_err().id(), 7);
/// # Ok::<(), drpc::DuplicateModule>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateModule {
    id: i32,
    first: String,
    second: String,
}

impl DuplicateModule {
    /// The ID that both have.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }
}

impl fmt::Display for DuplicateModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DuplicateModule { id, first, second } = self;
        if first == second {
            return write!(
                f,
                "{first} with ID {id} is there twice: it registers itself, or was given twice; leave out `.module(…)`, or \
                 `register` in its attribute"
            );
        }
        write!(f, "two modules have ID {id}: {first} and {second}; a server takes one of each ID")
    }
}

impl std::error::Error for DuplicateModule {}
