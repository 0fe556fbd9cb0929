//! Today's contract against an earlier one: what changed, and what of it breaks a peer that keeps to the earlier one.
//!
//! Types are compared where the calls lead, two and two: from a method's request before and now, to the types of the fields under
//! one number, and on. A type's name does not travel, so another name alone breaks nothing.
//!
//! What breaks is what can't be shown to be harmless on the wire, whichever of the two peers is the older one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::model::{
    Body, Contract, Definition, Enum, Field, FieldType, Label, Message, Method, Module, Reserved, Scalar,
};
use crate::diff::Severity;

/// Tells what changed from one contract to a later one: modules and methods in the order of their IDs, then types by name.
#[must_use]
pub fn compare(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut comparison = Comparison { old, new, changes: Vec::new(), pairs: BTreeMap::new() };
    comparison.modules();
    comparison.types();
    comparison.changes
}

/// One difference between two contracts; it shows as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    severity: Severity,
    message: String,
    reached_by: Vec<String>,
}

impl Change {
    /// What it means for a peer that keeps to the earlier contract.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether a peer that keeps to the earlier contract may be refused, or misunderstood.
    #[must_use]
    pub fn is_breaking(&self) -> bool {
        self.severity == Severity::Breaking
    }

    /// Where a changed type travels: `greeter.hello's request`. Empty for a change of a module or method itself.
    #[must_use]
    pub fn reached_by(&self) -> &[String] {
        &self.reached_by
    }
}

/// How many of the places where a type travels one line names.
const PLACES_SHOWN: usize = 4;

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        let shown = &self.reached_by[..self.reached_by.len().min(PLACES_SHOWN)];
        if shown.is_empty() {
            return Ok(());
        }
        write!(f, " ({}", shown.join(", "))?;
        match self.reached_by.len() - shown.len() {
            0 => write!(f, ")"),
            more => write!(f, ", and {more} more)"),
        }
    }
}

struct Comparison<'a> {
    old: &'a Contract,
    new: &'a Contract,
    changes: Vec<Change>,
    /// A type before and now, and where both travel.
    pairs: BTreeMap<(&'a str, &'a str), Vec<String>>,
}

impl<'a> Comparison<'a> {
    fn modules(&mut self) {
        let (old, new) = (&self.old.modules, &self.new.modules);
        let renumbering = renumbered(named(old, |module| &module.name), named(new, |module| &module.name));
        for (name, was, is) in &renumbering {
            self.breaking(format!("module `{name}` had ID {was} and now has {is}"));
        }
        for id in union(old.keys(), new.keys()) {
            match (old.get(&id), new.get(&id)) {
                (Some(old), Some(new)) => {
                    if old.name != new.name {
                        self.breaking(format!("module ID {id} was `{}` and is now `{}`", old.name, new.name));
                    }
                    self.module(old, new);
                }
                (Some(old), None) if !moved(&renumbering, &old.name) => {
                    self.breaking(format!("module {id}, `{}`, is gone", old.name));
                }
                (None, Some(new)) if !moved(&renumbering, &new.name) => {
                    self.compatible(format!("module {id}, `{}`, is new", new.name));
                }
                _ => {}
            }
        }
    }

    fn module(&mut self, old: &'a Module, new: &'a Module) {
        let module = &new.name;
        self.rule(&format!("module `{module}`"), old.rule.as_deref(), new.rule.as_deref());
        let (before, now) = (&old.methods, &new.methods);
        let renumbering = renumbered(named(before, |method| &method.name), named(now, |method| &method.name));
        for (name, was, is) in &renumbering {
            self.breaking(format!("method `{name}` of `{module}` had ID {was} and now has {is}"));
        }
        for id in union(before.keys(), now.keys()) {
            match (before.get(&id), now.get(&id)) {
                (Some(old), Some(new)) => {
                    if old.name != new.name {
                        self.breaking(format!(
                            "method ID {id} of `{module}` was `{}` and is now `{}`",
                            old.name, new.name
                        ));
                    }
                    self.method(module, old, new);
                }
                (Some(old), None) if !moved(&renumbering, &old.name) => {
                    self.breaking(format!("method {id}, `{}` of `{module}`, is gone", old.name));
                }
                (None, Some(new)) if !moved(&renumbering, &new.name) => {
                    self.compatible(format!("method {id}, `{}` of `{module}`, is new", new.name));
                }
                _ => {}
            }
        }
    }

    fn method(&mut self, module: &str, old: &'a Method, new: &'a Method) {
        let method = format!("{module}.{}", new.name);
        self.body(format!("{method}'s request"), &old.request, &new.request);
        self.body(format!("{method}'s reply"), &old.reply, &new.reply);
        match (&old.items, &new.items) {
            (Some(old), Some(new)) => self.body(format!("{method}'s items"), old, new),
            (None, Some(_)) => self.breaking(format!("method `{method}` now takes a stream of items")),
            (Some(_), None) => self.breaking(format!("method `{method}` no longer takes a stream of items")),
            (None, None) => {}
        }
        match (old.idempotent, new.idempotent) {
            (true, false) => {
                self.breaking(format!(
                    "method `{method}` is no longer idempotent: older clients may send it twice"
                ));
            }
            (false, true) => {
                self.breaking(format!(
                    "method `{method}` is now idempotent: newer clients may send it twice to older servers"
                ));
            }
            _ => {}
        }
        if old.streaming != new.streaming {
            let now = if new.streaming { "now answers by a stream" } else { "no longer answers by a stream" };
            self.breaking(format!("method `{method}` {now}"));
        }
        match (old.fds, new.fds) {
            (true, false) => self.breaking(format!("method `{method}` passes no descriptors any more")),
            (false, true) => {
                self.breaking(format!(
                    "method `{method}` passes descriptors, which older peers don't know of"
                ));
            }
            _ => {}
        }
        self.rule(&format!("method `{method}`"), old.rule.as_deref(), new.rule.as_deref());
    }

    /// Who may call: the names of rules tell no more than that it is decided otherwise.
    fn rule(&mut self, of: &str, old: Option<&str>, new: Option<&str>) {
        match (old, new) {
            (None, Some(new)) => {
                self.breaking(format!("{of} is now for those alone whom rule `{new}` allows"));
            }
            (Some(old), None) => self.compatible(format!("{of} is no longer under rule `{old}`")),
            (Some(old), Some(new)) if old != new => {
                self.breaking(format!("{of} was under rule `{old}` and is now under `{new}`"));
            }
            _ => {}
        }
    }

    fn body(&mut self, place: String, old: &'a Body, new: &'a Body) {
        match (old, new) {
            (Body::Message(old), Body::Message(new)) => {
                if old != new {
                    self.compatible(format!("{place} was `{old}` and is now `{new}`"));
                }
                self.travels(&place, old, new);
            }
            // An empty body is a message whose fields are all absent.
            (Body::Nothing, Body::Message(name)) if !self.is_demanding(name) => {
                self.compatible(format!("{place} was `()` and is now `{name}`"));
            }
            (old, new) if old != new => self.breaking(format!("{place} was `{old}` and is now `{new}`")),
            _ => {}
        }
    }

    /// Whether a message can't be read from an empty body.
    fn is_demanding(&self, name: &str) -> bool {
        match self.new.types.get(name) {
            Some(Definition::Message(message)) => {
                message.fields.values().any(|field| field.label == Label::Required)
            }
            _ => false,
        }
    }

    /// Notes of two types, and of all that they lead to, that they travel in one place.
    fn travels(&mut self, place: &str, old: &'a str, new: &'a str) {
        let mut todo = vec![(old, new)];
        while let Some((old, new)) = todo.pop() {
            let places = self.pairs.entry((old, new)).or_default();
            if places.last().is_some_and(|last| last == place) {
                continue;
            }
            places.push(place.to_owned());
            let definitions = (self.old.types.get(old), self.new.types.get(new));
            if let (Some(Definition::Message(old)), Some(Definition::Message(new))) = definitions {
                let common =
                    old.fields.iter().filter_map(|(number, old)| Some((old, new.fields.get(number)?)));
                todo.extend(
                    common.filter_map(|(old, new)| Some((old.holds.type_name()?, new.holds.type_name()?))),
                );
            }
        }
    }

    fn types(&mut self) {
        for ((old_name, new_name), places) in std::mem::take(&mut self.pairs) {
            let mut changes = Changes { of: new_name, found: Vec::new() };
            match (self.old.types.get(old_name), self.new.types.get(new_name)) {
                (Some(Definition::Message(old)), Some(Definition::Message(new))) => changes.message(old, new),
                (Some(Definition::Enum(old)), Some(Definition::Enum(new))) => changes.values(old, new),
                // The same name is all that is known of both.
                (Some(Definition::Unknown), Some(Definition::Unknown)) if old_name == new_name => {}
                (old, new) => changes.unknown(old_name, old, new),
            }
            self.changes.extend(changes.found.into_iter().map(|(severity, message)| Change {
                severity,
                message,
                reached_by: places.clone(),
            }));
        }
    }

    fn breaking(&mut self, message: String) {
        self.changes.push(Change { severity: Severity::Breaking, message, reached_by: Vec::new() });
    }

    fn compatible(&mut self, message: String) {
        self.changes.push(Change { severity: Severity::Compatible, message, reached_by: Vec::new() });
    }
}

/// What changed from one type to another.
struct Changes<'a> {
    of: &'a str,
    found: Vec<(Severity, String)>,
}

impl Changes<'_> {
    fn message(&mut self, old: &Message, new: &Message) {
        let of = self.of;
        let renumbering =
            renumbered(named(&old.fields, |field| &field.name), named(&new.fields, |field| &field.name));
        for (name, was, is) in &renumbering {
            self.breaking(format!("field `{name}` of `{of}` had number {was} and now has {is}"));
        }
        for number in union(old.fields.keys(), new.fields.keys()) {
            match (old.fields.get(&number), new.fields.get(&number)) {
                (Some(was), Some(is)) => {
                    if was.name != is.name
                        && !moved(&renumbering, &was.name)
                        && !moved(&renumbering, &is.name)
                    {
                        self.compatible(format!(
                            "field {number} of `{of}` was `{}` and is now `{}`",
                            was.name, is.name
                        ));
                    }
                    self.field(number, was, is, same_oneof(number, old, new));
                }
                (Some(was), None) if !moved(&renumbering, &was.name) => {
                    let what = format!("field {number}, `{}` of `{of}`, is gone", was.name);
                    if was.label == Label::Required {
                        self.breaking(format!(
                            "{what} and was required: older peers refuse a message without it"
                        ));
                    } else {
                        self.gone(what, new.reserved.contains(number));
                    }
                }
                (None, Some(is)) => {
                    let what = format!("field {number}, `{}` of `{of}`,", is.name);
                    if old.reserved.contains(number) {
                        self.breaking(format!("{what} has a number that was reserved"));
                    } else if is.label == Label::Required {
                        self.breaking(format!("{what} is new and required: older peers don't send it"));
                    } else if !moved(&renumbering, &is.name) {
                        self.compatible(format!("{what} is new"));
                    }
                }
                _ => {}
            }
        }
        self.reserved(&old.reserved, &new.reserved, &new.fields.keys().copied().collect());
    }

    fn field(&mut self, number: i32, old: &Field, new: &Field, same_oneof: bool) {
        let field = format!("field {number}, `{}` of `{}`,", new.name, self.of);
        let (was, is) = (type_of(old), type_of(new));
        let severity = holds(&old.holds, &new.holds)
            .max(label(old.label, new.label))
            .max(if same_oneof { Severity::Compatible } else { Severity::Breaking })
            // An absent one is read as this here, and as that there.
            .max(if old.default == new.default { Severity::Compatible } else { Severity::Breaking });
        if was != is {
            self.found.push((severity, format!("{field} was `{was}` and is now `{is}`")));
        } else if !same_oneof {
            self.breaking(format!("{field} shares its oneof with others than before"));
        }
    }

    fn values(&mut self, old: &Enum, new: &Enum) {
        let of = self.of;
        let by_name =
            |values: &Enum| values.values.iter().map(|(number, name)| (name.clone(), *number)).collect();
        let renumbering = renumbered(by_name(old), by_name(new));
        for (name, was, is) in &renumbering {
            self.breaking(format!("value `{name}` of `{of}` was {was} and is now {is}"));
        }
        let (before, now) = (names_of(old), names_of(new));
        for number in union(before.keys(), now.keys()) {
            match (before.get(&number), now.get(&number)) {
                (Some(was), Some(is)) if was != is => {
                    self.compatible(format!("value {number} of `{of}` was `{was}` and is now `{is}`"));
                }
                (Some(was), None) if !moved(&renumbering, was) => {
                    let what = format!("value {number}, `{was}` of `{of}`, is gone");
                    self.gone(what, new.reserved.contains(number));
                }
                (None, Some(is)) if old.reserved.contains(number) => {
                    self.breaking(format!(
                        "value {number}, `{is}` of `{of}`, has a number that was reserved"
                    ));
                }
                (None, Some(is)) if !moved(&renumbering, is) => {
                    self.compatible(format!("value {number}, `{is}` of `{of}`, is new"));
                }
                _ => {}
            }
        }
        self.reserved(&old.reserved, &new.reserved, &now.keys().copied().collect());
    }

    /// Two of which not all is known.
    fn unknown(&mut self, old_name: &str, old: Option<&Definition>, new: Option<&Definition>) {
        let name = |name: &str, definition: Option<&Definition>| match definition {
            Some(Definition::Message(_) | Definition::Enum(_)) => format!("`{name}`"),
            Some(Definition::Unknown) | None => format!("`{name}`, whose fields are not known"),
        };
        let (was, is) = (name(old_name, old), name(self.of, new));
        self.breaking(format!("{was}, became {is}: nothing shows that both are the same on the wire"));
    }

    fn gone(&mut self, what: String, is_reserved: bool) {
        match is_reserved {
            true => self.compatible(format!("{what} and its number reserved")),
            false => self.breaking(format!("{what} and its number not reserved")),
        }
    }

    fn reserved(&mut self, old: &Reserved, new: &Reserved, used: &BTreeSet<i32>) {
        let of = self.of;
        // One that is in use again is told of there.
        let used = Reserved::of(used.iter().map(|&number| (number, number)));
        let no_longer = old.without(new).without(&used);
        if !no_longer.is_empty() {
            self.breaking(format!("no longer reserved in `{of}`: {no_longer}"));
        }
    }

    fn breaking(&mut self, message: String) {
        self.found.push((Severity::Breaking, message));
    }

    fn compatible(&mut self, message: String) {
        self.found.push((Severity::Compatible, message));
    }
}

/// What it means that a field held one thing and now holds another. Two messages or enums are compared by themselves.
fn holds(old: &FieldType, new: &FieldType) -> Severity {
    let compatible = match (old, new) {
        // Not all bytes are text; and whose text became bytes, sends them to those who still take them for text.
        (FieldType::Scalar(old), FieldType::Scalar(new)) => wire(*old) == wire(*new),
        (FieldType::Enum(_), FieldType::Scalar(number)) | (FieldType::Scalar(number), FieldType::Enum(_)) => {
            wire(*number) == Wire::Varint && *number != Scalar::Bool
        }
        (FieldType::Message(_), FieldType::Message(_))
        | (FieldType::Enum(_), FieldType::Enum(_))
        | (FieldType::Group(_), FieldType::Group(_)) => true,
        (FieldType::Map(old_key, old), FieldType::Map(new_key, new)) => {
            let key = holds(&FieldType::Scalar(*old_key), &FieldType::Scalar(*new_key));
            return key.max(holds(old, new));
        }
        _ => false,
    };
    if compatible { Severity::Compatible } else { Severity::Breaking }
}

/// Scalars of one kind read each other's values, if these fit.
#[derive(PartialEq, Eq)]
enum Wire {
    Varint,
    Zigzag,
    Fixed32,
    Fixed64,
    Alone(Scalar),
}

fn wire(scalar: Scalar) -> Wire {
    match scalar {
        Scalar::Int32 | Scalar::Int64 | Scalar::Uint32 | Scalar::Uint64 | Scalar::Bool => Wire::Varint,
        Scalar::Sint32 | Scalar::Sint64 => Wire::Zigzag,
        Scalar::Fixed32 | Scalar::Sfixed32 => Wire::Fixed32,
        Scalar::Fixed64 | Scalar::Sfixed64 => Wire::Fixed64,
        Scalar::Double | Scalar::Float | Scalar::String | Scalar::Bytes => Wire::Alone(scalar),
    }
}

fn label(old: Label, new: Label) -> Severity {
    match (old, new) {
        (Label::Plain | Label::Optional, Label::Plain | Label::Optional) => Severity::Compatible,
        (old, new) if old == new => Severity::Compatible,
        _ => Severity::Breaking,
    }
}

/// A field's text without its name.
fn type_of(field: &Field) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = field.write_type(&mut text);
    text
}

/// Whether a field excludes the same others as before, of those that were and are. A oneof's name does not travel.
fn same_oneof(number: i32, old: &Message, new: &Message) -> bool {
    let members = |message: &Message| -> BTreeSet<i32> {
        let Some(oneof) = message.fields.get(&number).and_then(|field| field.oneof.as_deref()) else {
            return BTreeSet::new();
        };
        let members = message.fields.iter().filter(|(_, field)| field.oneof.as_deref() == Some(oneof));
        members.map(|(number, _)| *number).collect()
    };
    let remains = |number: &i32| old.fields.contains_key(number) && new.fields.contains_key(number);
    members(old).into_iter().filter(remains).eq(members(new).into_iter().filter(remains))
}

/// The names of each number, the first of several alone.
fn names_of(values: &Enum) -> BTreeMap<i32, &str> {
    values.values.iter().rev().map(|(number, name)| (*number, name.as_str())).collect()
}

fn named<T>(all: &BTreeMap<i32, T>, name: impl Fn(&T) -> &String) -> BTreeMap<String, i32> {
    all.iter().map(|(number, item)| (name(item).clone(), *number)).collect()
}

/// What has another number than before, by its name.
fn renumbered(old: BTreeMap<String, i32>, new: BTreeMap<String, i32>) -> Vec<(String, i32, i32)> {
    let both = old.into_iter().filter_map(|(name, was)| {
        let is = *new.get(&name)?;
        (was != is).then_some((name, was, is))
    });
    both.collect()
}

fn moved(renumbering: &[(String, i32, i32)], name: &str) -> bool {
    renumbering.iter().any(|(moved, ..)| moved == name)
}

fn union<'k>(old: impl Iterator<Item = &'k i32>, new: impl Iterator<Item = &'k i32>) -> BTreeSet<i32> {
    old.chain(new).copied().collect()
}
