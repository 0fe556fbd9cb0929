//! What descriptors tell, without the messages and enums that only methods carry which a caller may not call.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};

use super::catalogue::Carriers;

/// As much of descriptor sets, one behind the other, as a caller may see: all, if there is no method that they may not call; nothing, if
/// the sets can't be read.
pub(super) fn open_to(carriers: &Carriers, sets: &Bytes) -> Bytes {
    let Some(closed) = &carriers.closed else { return sets.clone() };
    let mut set = FileDescriptorSet::decode(sets.clone()).unwrap_or_default();
    hide(&mut set, &carriers.open, closed);
    set.encode_to_vec().into()
}

/// Takes out what is reached from `closed` types, and neither from `open` ones nor from any that no method carries.
fn hide(set: &mut FileDescriptorSet, open: &HashSet<String>, closed: &HashSet<String>) {
    let mut references = References::of(set);
    references.add_orphans(|name| open.contains(name) || closed.contains(name));
    let mut carried = references.reached_from(closed);
    carried.extend(references.reached_from(open));
    let seen: HashSet<String> =
        open.iter().chain(references.types().filter(|name| !carried.contains(*name))).cloned().collect();
    let seen = references.reached_from(&seen);
    let hidden = references.types().filter(|name| !seen.contains(*name)).cloned().collect();

    let mut gone = HashSet::new();
    set.file.retain_mut(|file| {
        // By it, other files see what is in others.
        let passes_on = !file.public_dependency.is_empty();
        Cut { hidden: &hidden, moves: HashMap::new(), emptied: HashSet::new() }.file(file);
        let is_empty = file.message_type.is_empty() && file.enum_type.is_empty() && file.extension.is_empty();
        let is_kept = passes_on || !is_empty;
        if !is_kept {
            gone.insert(file.name().to_owned());
        }
        is_kept
    });
    set.file.iter_mut().for_each(|file| forget_imports(file, &gone));
}

/// Which types hold which, by full names.
#[derive(Default)]
struct References {
    held: HashMap<String, Vec<String>>,
    /// The messages that others are declared in, and those.
    nested: Vec<(String, String)>,
}

impl References {
    fn of(set: &FileDescriptorSet) -> Self {
        let mut references = References::default();
        for file in &set.file {
            for message in &file.message_type {
                references.add_message(file.package(), message);
            }
            for values in &file.enum_type {
                references.held.entry(within(file.package(), values.name())).or_default();
            }
            references.add_extensions(&file.extension);
        }
        references
    }

    fn add_message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = within(scope, message.name());
        for nested in &message.nested_type {
            self.nested.push((name.clone(), within(&name, nested.name())));
            self.add_message(&name, nested);
        }
        for values in &message.enum_type {
            self.nested.push((name.clone(), within(&name, values.name())));
            self.held.entry(within(&name, values.name())).or_default();
        }
        self.add_extensions(&message.extension);
        let held = message.field.iter().filter_map(held);
        self.held.entry(name).or_default().extend(held);
    }

    /// What extends a message is held by it.
    fn add_extensions(&mut self, extensions: &[FieldDescriptorProto]) {
        for extension in extensions {
            self.held.entry(absolute(extension.extendee())).or_default().extend(held(extension));
        }
    }

    /// What is declared in a message and held by none is as good as held by that.
    fn add_orphans(&mut self, is_carried: impl Fn(&String) -> bool) {
        let by_others = |(holder, held): (&String, &Vec<String>)| {
            held.iter().filter(|held| *held != holder).cloned().collect::<Vec<_>>()
        };
        let held: HashSet<String> = self.held.iter().flat_map(by_others).collect();
        for (around, name) in std::mem::take(&mut self.nested) {
            if !held.contains(&name) && !is_carried(&name) {
                self.held.entry(around).or_default().push(name);
            }
        }
    }

    fn types(&self) -> impl Iterator<Item = &String> {
        self.held.keys()
    }

    /// These types, and all that they hold.
    fn reached_from(&self, names: &HashSet<String>) -> HashSet<String> {
        let (mut due, mut reached): (Vec<&String>, _) = (names.iter().collect(), HashSet::new());
        while let Some(name) = due.pop() {
            if reached.insert(name.clone()) {
                due.extend(self.held.get(name).into_iter().flatten());
            }
        }
        reached
    }
}

/// The type that a field holds, if it is no scalar.
fn held(field: &FieldDescriptorProto) -> Option<String> {
    field.type_name.as_deref().map(absolute)
}

/// A compiler writes names in full, with a dot before them.
fn absolute(name: &str) -> String {
    name.trim_start_matches('.').to_owned()
}

fn within(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// Cuts hidden types out of a file.
struct Cut<'a> {
    hidden: &'a HashSet<String>,
    /// Where declarations have gone, by the places at which comments find them: to another index; or nowhere.
    moves: HashMap<Vec<i32>, Option<usize>>,
    /// The places of messages of which only the name is left.
    emptied: HashSet<Vec<i32>>,
}

/// The numbers of fields in `FileDescriptorProto` and `DescriptorProto`, of which places are made.
mod place {
    pub(super) const FILE_MESSAGE: i32 = 4;
    pub(super) const FILE_ENUM: i32 = 5;
    pub(super) const FILE_SERVICE: i32 = 6;
    pub(super) const FILE_EXTENSION: i32 = 7;
    pub(super) const FIELD: i32 = 2;
    pub(super) const NESTED: i32 = 3;
    pub(super) const ENUM: i32 = 4;
    pub(super) const EXTENSION: i32 = 6;
    pub(super) const ONEOF: i32 = 8;
}

impl Cut<'_> {
    fn file(&mut self, file: &mut FileDescriptorProto) {
        let package = file.package().to_owned();
        self.messages(&mut file.message_type, &package, &[place::FILE_MESSAGE]);
        self.enums(&mut file.enum_type, &package, &[place::FILE_ENUM]);
        self.extensions(&mut file.extension, &[place::FILE_EXTENSION]);
        // It names methods.
        self.retain(&mut file.service, &[place::FILE_SERVICE], |_, _, _| false);
        let Some(info) = &mut file.source_code_info else { return };
        info.location.retain_mut(|location| {
            // It may be about what stood there.
            location.leading_detached_comments.clear();
            self.moved(&location.path).map(|path| location.path = path).is_some()
        });
    }

    /// One that is hidden stays as an empty one, if something is declared in it that is not.
    fn messages(&mut self, messages: &mut Vec<DescriptorProto>, scope: &str, at: &[i32]) {
        self.retain(messages, at, |cut, message, at| {
            let name = within(scope, message.name());
            let is_hidden = cut.hidden.contains(&name);
            cut.messages(&mut message.nested_type, &name, &[at, &[place::NESTED]].concat());
            cut.enums(&mut message.enum_type, &name, &[at, &[place::ENUM]].concat());
            cut.extensions(&mut message.extension, &[at, &[place::EXTENSION]].concat());
            if is_hidden {
                cut.emptied.insert(at.to_vec());
                cut.retain(&mut message.field, &[at, &[place::FIELD]].concat(), |_, _, _| false);
                cut.retain(&mut message.oneof_decl, &[at, &[place::ONEOF]].concat(), |_, _, _| false);
                *message = DescriptorProto {
                    name: message.name.take(),
                    nested_type: std::mem::take(&mut message.nested_type),
                    enum_type: std::mem::take(&mut message.enum_type),
                    extension: std::mem::take(&mut message.extension),
                    ..DescriptorProto::default()
                };
            }
            let holds_some = !message.nested_type.is_empty()
                || !message.enum_type.is_empty()
                || !message.extension.is_empty();
            !is_hidden || holds_some
        });
    }

    fn enums(&mut self, enums: &mut Vec<EnumDescriptorProto>, scope: &str, at: &[i32]) {
        self.retain(enums, at, |cut, values, _| !cut.hidden.contains(&within(scope, values.name())));
    }

    fn extensions(&mut self, extensions: &mut Vec<FieldDescriptorProto>, at: &[i32]) {
        self.retain(extensions, at, |cut, extension, _| {
            let names = [held(extension), Some(absolute(extension.extendee()))];
            !names.iter().flatten().any(|name| cut.hidden.contains(name))
        });
    }

    /// Keeps some of the declarations of a list, and notes where they go. `keep` is told where each has been.
    fn retain<T>(
        &mut self,
        list: &mut Vec<T>,
        at: &[i32],
        mut keep: impl FnMut(&mut Self, &mut T, &[i32]) -> bool,
    ) {
        let (mut before, mut kept) = (0, 0);
        list.retain_mut(|declaration| {
            let place = [at, &[before]].concat();
            before += 1;
            let is_kept = keep(self, declaration, &place);
            self.moves.insert(place, is_kept.then_some(kept));
            kept += usize::from(is_kept);
            is_kept
        });
    }

    /// Where a comment's declaration is now; `None` if it is gone.
    fn moved(&self, path: &[i32]) -> Option<Vec<i32>> {
        if self.emptied.contains(path) {
            return None;
        }
        let mut moved = path.to_vec();
        for end in 1..=path.len() {
            match self.moves.get(&path[..end]) {
                Some(Some(index)) => moved[end - 1] = i32::try_from(*index).ok()?,
                Some(None) => return None,
                None => {}
            }
        }
        Some(moved)
    }
}

/// Leaves out the imports of files that are gone.
fn forget_imports(file: &mut FileDescriptorProto, gone: &HashSet<String>) {
    let (mut moves, mut kept) = (HashMap::new(), Vec::new());
    for (before, name) in (0..).zip(std::mem::take(&mut file.dependency)) {
        if !gone.contains(&name) {
            moves.insert(before, kept.len() as i32);
            kept.push(name);
        }
    }
    file.dependency = kept;
    for list in [&mut file.public_dependency, &mut file.weak_dependency] {
        *list = list.iter().filter_map(|index| moves.get(index).copied()).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SHARED: &str = r#"syntax = "proto3";
package shared;
message Id { string id = 1; }
"#;

    const SECRET: &str = r#"syntax = "proto3";
package secret;
message Plan { string text = 1; }
"#;

    const MAIN: &str = r#"syntax = "proto3";
package main;
import "secret.proto";
import "shared.proto";

service Admin { rpc Wipe(WipeRequest) returns (Named); }

// ---- of the admin ----

// Wipes all.
message WipeRequest {
  // What to wipe.
  oneof what {
    secret.Plan plan = 1;
    Depth depth = 2;
  }
  map<string, Inner> inner = 3;
  // Asked for by everyone.
  message Inner { string text = 1; }
  message Own { string text = 1; }
}

// How deep to wipe.
enum Depth { SHALLOW = 0; }

// Says hello.
message Hello {
  shared.Id id = 1;
  // The one within.
  WipeRequest.Inner inner = 2;
  Mood mood = 3;
}

enum Mood {
  // The first.
  GOOD = 0;
}

// Has a name.
message Named { shared.Id id = 1; }

// An error's details.
message Why { Named who = 1; }
"#;

    fn compiled() -> FileDescriptorSet {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("shared.proto", SHARED), ("secret.proto", SECRET), ("main.proto", MAIN)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
        compiler.include_imports(true).include_source_info(true).open_file("main.proto").unwrap();
        FileDescriptorSet::decode(&*compiler.encode_file_descriptor_set()).unwrap()
    }

    fn names(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The comments of a file, each with the place that it is about.
    fn comments(file: &FileDescriptorProto) -> Vec<(&[i32], &str)> {
        let locations = &file.source_code_info.as_ref().unwrap().location;
        let commented = locations.iter().filter(|location| location.leading_comments.is_some());
        commented.map(|location| (&location.path[..], location.leading_comments().trim())).collect()
    }

    #[test]
    fn what_only_closed_methods_carry_is_taken_out() {
        let mut set = compiled();
        hide(&mut set, &names(&["main.Hello"]), &names(&["main.WipeRequest", "main.Hello", "main.Named"]));
        let files: Vec<_> = set.file.iter().map(FileDescriptorProto::name).collect();
        assert_eq!(files, ["shared.proto", "main.proto"]);
        let main = &set.file[1];
        assert_eq!((&main.dependency[..], main.service.len()), (&["shared.proto".to_owned()][..], 0));
        let messages: Vec<_> = main.message_type.iter().map(DescriptorProto::name).collect();
        // Of a message that one seen is declared in, the name is left. What no method carries is seen, and with it what it holds.
        assert_eq!(messages, ["WipeRequest", "Hello", "Named", "Why"]);
        let shell = &main.message_type[0];
        assert_eq!((shell.field.len(), shell.oneof_decl.len(), shell.nested_type.len()), (0, 0, 1));
        assert_eq!(shell.nested_type[0].name(), "Inner");
        assert_eq!(main.enum_type.iter().map(EnumDescriptorProto::name).collect::<Vec<_>>(), ["Mood"]);
        assert_eq!(
            comments(main),
            [
                (&[4, 0, 3, 0][..], "Asked for by everyone."),
                (&[4, 1], "Says hello."),
                (&[4, 1, 2, 1], "The one within."),
                (&[4, 2], "Has a name."),
                (&[4, 3], "An error's details."),
                (&[5, 0, 2, 0], "The first."),
            ]
        );
        let rest = String::from_utf8_lossy(&set.encode_to_vec()).into_owned();
        for word in ["Wipes", "Wipe(", "Admin", "admin", "secret", "Plan", "Depth", "deep", "Own"] {
            assert!(!rest.contains(word), "{word}");
        }
    }

    #[test]
    fn to_who_may_call_all_the_sets_are_sent_as_they_are() {
        let sets = Bytes::from_static(b"no set");
        let may_call_all = Carriers { open: names(&["main.Hello"]), closed: None };
        assert_eq!(open_to(&may_call_all, &sets), sets);
        assert_eq!(open_to(&Carriers { closed: Some(HashSet::new()), ..may_call_all }, &sets), "");
    }
}
