//! What the engine is in the system: its rank, and who else there is.

use std::collections::BTreeSet;

use drpc::Der;

use crate::messages::mgmt::GroupUpdateReq;

/// An engine as a member of a system.
#[derive(Debug, Default)]
pub struct Member {
    rank: Option<u32>,
    is_set_up: bool,
    is_leaving: bool,
    /// Of the newest group that was heard of.
    map_version: u32,
    alive: BTreeSet<u32>,
    /// Those that were members once.
    dead: BTreeSet<u32>,
}

impl Member {
    /// Gives it its rank.
    ///
    /// # Errors
    ///
    /// [`Der::ALREADY`] if it has another one.
    pub fn set_rank(&mut self, rank: u32) -> Result<(), Der> {
        if *self.rank.get_or_insert(rank) == rank { Ok(()) } else { Err(Der::ALREADY) }
    }

    /// It has all that it needs to serve pools.
    ///
    /// # Errors
    ///
    /// [`Der::UNINIT`] if it has no rank.
    pub fn set_up(&mut self) -> Result<(), Der> {
        self.rank.ok_or(Der::UNINIT)?;
        self.is_set_up = true;
        Ok(())
    }

    /// Whether this is the rank that is meant.
    ///
    /// # Errors
    ///
    /// [`Der::UNINIT`] without a rank, [`Der::INVAL`] with another one.
    pub fn is_rank(&self, rank: u32) -> Result<(), Der> {
        if self.rank.ok_or(Der::UNINIT)? == rank { Ok(()) } else { Err(Der::INVAL) }
    }

    /// Takes no new pools any more.
    pub fn leave(&mut self) {
        self.is_leaving = true;
    }

    /// The rank of an engine that serves pools.
    ///
    /// # Errors
    ///
    /// [`Der::UNINIT`] if it is not set up.
    pub fn serves_pools(&self) -> Result<u32, Der> {
        self.rank.filter(|_| self.is_set_up).ok_or(Der::UNINIT)
    }

    /// The rank of an engine that takes new pools.
    ///
    /// # Errors
    ///
    /// [`Der::UNINIT`], or [`Der::SHUTDOWN`] if it is about to end.
    pub fn takes_pools(&self) -> Result<u32, Der> {
        let rank = self.serves_pools()?;
        if self.is_leaving { Err(Der::SHUTDOWN) } else { Ok(rank) }
    }

    /// Hears who belongs to the system. What is older than it knows says nothing new.
    pub fn update_group(&mut self, update: &GroupUpdateReq) {
        if update.map_version < self.map_version {
            return;
        }
        let alive: BTreeSet<_> = update.engines.iter().map(|engine| engine.rank).collect();
        self.dead.extend(self.alive.difference(&alive));
        self.dead.retain(|rank| !alive.contains(rank));
        self.alive = alive;
        self.map_version = update.map_version;
    }

    /// The members that are gone.
    ///
    /// # Errors
    ///
    /// [`Der::GRPVER`] if it has not heard of a group so new.
    pub fn dead_ranks(&self, map_version: u32) -> Result<Vec<u32>, Der> {
        if map_version > self.map_version {
            Err(Der::GRPVER)
        } else {
            Ok(self.dead.iter().copied().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::mgmt::group_update_req::Engine;

    fn group(map_version: u32, ranks: &[u32]) -> GroupUpdateReq {
        let engine = |rank: &u32| Engine { rank: *rank, ..Engine::default() };
        GroupUpdateReq { map_version, engines: ranks.iter().map(engine).collect() }
    }

    #[test]
    fn pools_are_served_between_set_up_and_shutdown() {
        let mut member = Member::default();
        assert_eq!(member.set_up(), Err(Der::UNINIT));
        member.set_rank(3).unwrap();
        assert_eq!(member.takes_pools(), Err(Der::UNINIT));
        member.set_up().unwrap();
        assert_eq!(member.takes_pools(), Ok(3));
        assert_eq!((member.set_rank(3), member.set_rank(4)), (Ok(()), Err(Der::ALREADY)));
        assert_eq!((member.is_rank(3), member.is_rank(4)), (Ok(()), Err(Der::INVAL)));
        member.leave();
        assert_eq!((member.serves_pools(), member.takes_pools()), (Ok(3), Err(Der::SHUTDOWN)));
    }

    #[test]
    fn who_is_gone_is_dead_until_it_comes_back() {
        let mut member = Member::default();
        member.update_group(&group(1, &[0, 1, 2]));
        member.update_group(&group(2, &[0, 2]));
        member.update_group(&group(1, &[0, 1, 2, 3]));
        assert_eq!(member.dead_ranks(2), Ok(vec![1]));
        assert_eq!(member.dead_ranks(3), Err(Der::GRPVER));
        member.update_group(&group(3, &[0, 1, 2]));
        assert_eq!(member.dead_ranks(3), Ok(vec![]));
    }
}
