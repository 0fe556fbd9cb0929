//! Who may do what with a pool: `A:G:readers@:r` lets the group `readers` read.
//!
//! An entry has four parts: what it does (Allow, aUdit, aLarm), flags (G for a group, S, F and P), the principal, and permissions. A list has one entry a
//! principal, and the most specific one that fits a user holds: owner, users, the owner's group, groups, everyone.

use drpc::Der;

/// A list of entries, in the order of their precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    principal: Principal,
    /// With its letters in their order, each once.
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Principal {
    Owner,
    User(String),
    OwnerGroup,
    Group(String),
    Everyone,
}

impl Acl {
    /// A list of these entries.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if one of them is none, or two are of one principal.
    pub fn parse(entries: &[String]) -> Result<Self, Der> {
        let mut acl = Acl::default();
        for entry in entries {
            let entry = Entry::parse(entry).ok_or(Der::INVAL)?;
            match acl.position(&entry.principal) {
                Ok(_) => return Err(Der::INVAL),
                Err(place) => acl.entries.insert(place, entry),
            }
        }
        Ok(acl)
    }

    /// Puts these entries in place of all.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn overwrite(&mut self, entries: &[String]) -> Result<(), Der> {
        *self = Acl::some(entries)?;
        Ok(())
    }

    /// Adds entries, each in place of that of the same principal.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if there are none, or one of them is none; then nothing is changed.
    pub fn update(&mut self, entries: &[String]) -> Result<(), Der> {
        for entry in Acl::some(entries)?.entries {
            match self.position(&entry.principal) {
                Ok(place) => self.entries[place] = entry,
                Err(place) => self.entries.insert(place, entry),
            }
        }
        Ok(())
    }

    /// Removes the entry of a principal: `OWNER@`, `GROUP@`, `EVERYONE@`, `u:name@` or `g:name@`.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if it is none of those, [`Der::NONEXIST`] if it has no entry.
    pub fn delete(&mut self, principal: &str) -> Result<(), Der> {
        let principal = match principal.split_once(':') {
            Some(("u", name)) => Principal::named(name, false),
            Some(("g", name)) => Principal::named(name, true),
            Some(_) => None,
            None => Principal::special(principal),
        };
        let place = self.position(&principal.ok_or(Der::INVAL)?).map_err(|_| Der::NONEXIST)?;
        self.entries.remove(place);
        Ok(())
    }

    /// The entries, each in one form however it was written.
    #[must_use]
    pub fn to_text(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.text.clone()).collect()
    }

    /// A list that has entries.
    fn some(entries: &[String]) -> Result<Self, Der> {
        if entries.is_empty() { Err(Der::INVAL) } else { Acl::parse(entries) }
    }

    fn position(&self, principal: &Principal) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.principal.cmp(principal))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let [access, flags, principal, permissions] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        // The letters of a part in their order, if they are all of these.
        let ordered = |part: &str, letters: &str| {
            let is_of = part.chars().all(|letter| letters.contains(letter));
            is_of.then(|| letters.chars().filter(|letter| part.contains(*letter)).collect::<String>())
        };
        let (access, flags) = (ordered(access, "AUL")?, ordered(flags, "GSFP")?);
        let permissions = ordered(permissions, "rwcdtTaAo")?;
        let is_sound = parts.next().is_none() && !access.is_empty();
        let text = format!("{access}:{flags}:{principal}:{permissions}");
        let is_group = flags.contains('G');
        let principal = match Principal::special(principal) {
            // The group that owns is a group.
            Some(Principal::OwnerGroup) if !is_group => None,
            Some(special) => Some(special),
            None => Principal::named(principal, is_group),
        };
        principal.filter(|_| is_sound).map(|principal| Entry { principal, text })
    }
}

impl Principal {
    fn special(text: &str) -> Option<Self> {
        match text {
            "OWNER@" => Some(Principal::Owner),
            "GROUP@" => Some(Principal::OwnerGroup),
            "EVERYONE@" => Some(Principal::Everyone),
            _ => None,
        }
    }

    /// `name@`, or `name@domain`.
    fn named(text: &str, is_group: bool) -> Option<Self> {
        let (name, _domain) = text.split_once('@')?;
        let make = if is_group { Principal::Group } else { Principal::User };
        (!name.is_empty()).then(|| make(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn entries_stand_in_the_order_of_their_precedence() {
        let entries = ["A::EVERYONE@:r", "A:G:readers@:r", "A:G:GROUP@:rw", "A::bob@:rw", "AU:S:OWNER@:rw"];
        let acl = Acl::parse(&list(&entries)).unwrap();
        assert_eq!(acl.to_text(), entries.iter().rev().copied().collect::<Vec<_>>());
    }

    #[test]
    fn an_update_replaces_the_entry_of_its_principal() {
        let mut acl = Acl::parse(&list(&["A::bob@:r", "A:G:bob@:r"])).unwrap();
        acl.update(&list(&["A::bob@:rw", "A::OWNER@:rw"])).unwrap();
        assert_eq!(acl.to_text(), ["A::OWNER@:rw", "A::bob@:rw", "A:G:bob@:r"]);
        assert_eq!(acl.update(&list(&["A::carol@:r", "nonsense"])), Err(Der::INVAL));
        assert_eq!(acl.to_text().len(), 3);

        acl.delete("g:bob@").unwrap();
        acl.delete("OWNER@").unwrap();
        assert_eq!(acl.to_text(), ["A::bob@:rw"]);
        assert_eq!(acl.delete("g:bob@"), Err(Der::NONEXIST));
        assert_eq!(acl.delete("bob@"), Err(Der::INVAL));
    }

    #[test]
    fn an_entry_is_written_in_one_way_alone() {
        let acl = Acl::parse(&list(&["A::bob@:wr", "LUA:PFSG:readers@:oAwTtdcar"])).unwrap();
        assert_eq!(acl.to_text(), ["A::bob@:rw", "AUL:GSFP:readers@:rwcdtTaAo"]);
    }

    #[test]
    fn no_entries_replace_nothing() {
        let mut acl = Acl::parse(&list(&["A::bob@:r"])).unwrap();
        assert_eq!((acl.overwrite(&[]), acl.update(&[])), (Err(Der::INVAL), Err(Der::INVAL)));
        assert_eq!(acl.to_text(), ["A::bob@:r"]);
        acl.overwrite(&list(&["A::carol@:r"])).unwrap();
        assert_eq!(acl.to_text(), ["A::carol@:r"]);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for entry in [
            "",
            "A",
            "A::bob@",
            "A::bob@:r:",
            "::bob@:r",
            "X::bob@:r",
            "A::bob:r",
            "A::@:r",
            "A::GROUP@:r",
            "A::bob@:z",
        ] {
            assert_eq!(Acl::parse(&list(&[entry])), Err(Der::INVAL), "{entry}");
        }
        assert_eq!(Acl::parse(&list(&["A::bob@:r", "A::bob@:rw"])), Err(Der::INVAL));
    }
}
