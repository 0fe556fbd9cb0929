//! The pools that the engine has, in memory.

use std::collections::{BTreeSet, HashMap};

use drpc::Der;
use uuid::Uuid;

use super::acl::Acl;
use crate::messages::mgmt::{
    AccessControlList, PoolCreateReq, PoolCreateResp, PoolDestroyReq, PoolEvictReq, PoolQueryReq,
    PoolQueryResp, PoolRebuildStatus, PoolServiceState, StorageMediaType, StorageUsageStats,
    pool_rebuild_status,
};
use crate::messages::{PoolProperty, mgmt};
use crate::pool;

/// The bit of a query's mask that asks for the ranks that serve a pool: DAOS's `DPI_ENGINES_ENABLED`.
const ENABLED_RANKS: u64 = 1 << 2;
/// The longest label.
const MAX_LABEL: usize = 127;

/// All pools of an engine.
#[derive(Debug)]
pub struct Pools {
    targets: u32,
    /// Each pool begins with so many containers.
    containers: u32,
    by_uuid: HashMap<Uuid, Pool>,
}

/// One of them.
#[derive(Debug)]
pub struct Pool {
    /// Who may use it.
    pub acl: Acl,
    owner_user: String,
    owner_group: String,
    /// Each as it came.
    properties: Vec<PoolProperty>,
    ranks: Vec<u32>,
    svc_reps: Vec<u32>,
    /// Bytes per rank.
    tiers: Vec<u64>,
    containers: Vec<Uuid>,
    /// Handles that must not be used any more.
    evicted: BTreeSet<Uuid>,
    /// Of the pool map.
    version: u32,
}

impl Pools {
    /// None, on so many targets.
    #[must_use]
    pub fn new(targets: u32, containers: u32) -> Self {
        Pools { targets, containers, by_uuid: HashMap::new() }
    }

    /// The pool with this UUID.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if it is no UUID, [`Der::NONEXIST`] if there is no such pool.
    pub fn get(&mut self, id: &str) -> Result<&mut Pool, Der> {
        self.by_uuid.get_mut(&pool::uuid(id)?).ok_or(Der::NONEXIST)
    }

    /// Makes a pool whose service this rank leads.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if the request makes no sense, [`Der::EXIST`] if there is such a pool.
    pub fn create(&mut self, rank: u32, req: PoolCreateReq) -> Result<PoolCreateResp, Der> {
        let uuid = pool::uuid(&req.uuid)?;
        let tiers = tiers(&req).filter(|_| !uuid.is_nil()).ok_or(Der::INVAL)?;
        is_label(pool::label(&req.properties))?;
        let ranks = if req.ranks.is_empty() { vec![rank] } else { req.ranks };
        let svc_reps = replicas(rank, &ranks, req.num_svc_reps);
        let pool = Pool {
            acl: Acl::parse(&req.acl)?,
            owner_user: req.user,
            owner_group: req.user_group,
            properties: pool::once(&req.properties),
            ranks,
            svc_reps,
            tiers,
            containers: (0..self.containers).map(|_| Uuid::new_v4()).collect(),
            evicted: BTreeSet::new(),
            version: 1,
        };
        let reply = PoolCreateResp {
            svc_ldr: rank,
            svc_reps: pool.svc_reps.clone(),
            tgt_ranks: pool.ranks.clone(),
            tier_bytes: pool.tiers.clone(),
            ..Default::default()
        };
        if self.by_uuid.contains_key(&uuid) {
            return Err(Der::EXIST);
        }
        self.by_uuid.insert(uuid, pool);
        Ok(reply)
    }

    /// Destroys a pool.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); [`Der::BUSY`] if it has containers and they are not to be destroyed with it.
    pub fn destroy(&mut self, req: &PoolDestroyReq) -> Result<(), Der> {
        if !self.get(&req.id)?.containers.is_empty() && !req.recursive {
            return Err(Der::BUSY);
        }
        self.by_uuid.remove(&pool::uuid(&req.id)?);
        Ok(())
    }

    /// How a pool is.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn query(&mut self, req: &PoolQueryReq) -> Result<PoolQueryResp, Der> {
        let targets_per_rank = self.targets;
        let pool = self.get(&req.id)?;
        let ranks = pool.ranks.len().try_into().unwrap_or(u32::MAX);
        let targets = ranks * targets_per_rank;
        Ok(PoolQueryResp {
            uuid: req.id.clone(),
            label: pool::label(&pool.properties).to_owned(),
            total_targets: targets,
            active_targets: targets,
            rebuild: Some(PoolRebuildStatus {
                state: pool_rebuild_status::State::Idle.into(),
                derived_state: pool_rebuild_status::State::Idle.into(),
                ..Default::default()
            }),
            tier_stats: pool.tier_stats(ranks, targets_per_rank),
            version: pool.version,
            leader: pool.svc_reps[0],
            enabled_ranks: match req.query_mask & ENABLED_RANKS {
                0 => String::new(),
                _ => ranges(&pool.ranks),
            },
            total_engines: ranks,
            state: PoolServiceState::Ready.into(),
            svc_ldr: pool.svc_reps[0],
            svc_reps: pool.svc_reps.clone(),
            query_mask: req.query_mask,
            ..Default::default()
        })
    }

    /// Evicts handles. Gives how many could be used until now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); [`Der::INVAL`] if one of them is no UUID, [`Der::BUSY`] if the pool is to be destroyed and has containers.
    pub fn evict(&mut self, req: &PoolEvictReq) -> Result<i32, Der> {
        let pool = self.get(&req.id)?;
        if req.destroy && !req.force_destroy && !pool.containers.is_empty() {
            return Err(Der::BUSY);
        }
        let handles = req.handles.iter().map(|handle| pool::uuid(handle)).collect::<Result<Vec<_>, _>>()?;
        let evicted = handles.into_iter().filter(|handle| pool.evicted.insert(*handle)).count();
        Ok(evicted.try_into().unwrap_or(i32::MAX))
    }
}

impl Pool {
    /// The properties with these numbers; all, if there are none.
    ///
    /// # Errors
    ///
    /// [`Der::NONEXIST`] if one of them was never set.
    pub fn properties(&self, asked: &[PoolProperty]) -> Result<Vec<PoolProperty>, Der> {
        if asked.is_empty() {
            return Ok(self.properties.clone());
        }
        let find = |number| self.properties.iter().find(|property| property.number == number).cloned();
        asked.iter().map(|property| find(property.number).ok_or(Der::NONEXIST)).collect()
    }

    /// Sets properties.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if there is a label among them that can't be one. Then none is set.
    pub fn set_properties(&mut self, new: &[PoolProperty]) -> Result<(), Der> {
        is_label(pool::label(new))?;
        pool::set(&mut self.properties, new);
        Ok(())
    }

    /// Its list and owner, as a reply has them.
    #[must_use]
    pub fn access(&self) -> AccessControlList {
        AccessControlList {
            entries: self.acl.to_text(),
            owner_user: self.owner_user.clone(),
            owner_group: self.owner_group.clone(),
        }
    }

    /// Its containers.
    #[must_use]
    pub fn containers(&self) -> Vec<mgmt::list_cont_resp::Cont> {
        let container = |uuid: &Uuid| mgmt::list_cont_resp::Cont { uuid: uuid.to_string() };
        self.containers.iter().map(container).collect()
    }

    /// Nothing is stored in it: there is no data plane here.
    fn tier_stats(&self, ranks: u32, targets: u32) -> Vec<StorageUsageStats> {
        let media = [StorageMediaType::Scm, StorageMediaType::Nvme];
        let stats = |(bytes, media_type): (&u64, StorageMediaType)| {
            let total = bytes.saturating_mul(ranks.into());
            let of_target = bytes / u64::from(targets.max(1));
            StorageUsageStats {
                total,
                free: total,
                min: of_target,
                max: of_target,
                mean: of_target,
                media_type: media_type.into(),
            }
        };
        self.tiers.iter().zip(media).map(stats).collect()
    }
}

/// The bytes of each tier on one rank; `None` if there are none, or more than two.
fn tiers(req: &PoolCreateReq) -> Option<Vec<u64>> {
    let tiers = if req.tier_bytes.is_empty() {
        let per_rank = req.total_bytes as f64 / req.ranks.len().max(1) as f64;
        req.tier_ratio.iter().map(|ratio| (per_rank * ratio) as u64).collect()
    } else {
        req.tier_bytes.clone()
    };
    (tiers.len() <= 2 && tiers.iter().any(|bytes| *bytes > 0)).then_some(tiers)
}

/// Ranks as DAOS writes them: `[0-2,5]`.
fn ranges(ranks: &[u32]) -> String {
    let mut ranks = ranks.to_vec();
    ranks.sort_unstable();
    ranks.dedup();
    let ranges = ranks.chunk_by(|one, next| one + 1 == *next).map(|range| match range {
        [first, .., last] => format!("{first}-{last}"),
        _ => range.iter().map(u32::to_string).collect(),
    });
    format!("[{}]", ranges.collect::<Vec<_>>().join(","))
}

/// The ranks of the service: the leader, and as many others as are wanted and there.
fn replicas(leader: u32, ranks: &[u32], wanted: u32) -> Vec<u32> {
    let others = ranks.iter().copied().filter(|rank| *rank != leader);
    [leader].into_iter().chain(others).take(wanted.max(1) as usize).collect()
}

/// A label must not be taken for a UUID, and be easy to write; none is fine.
fn is_label(label: &str) -> Result<(), Der> {
    let is_easy = label.chars().all(|char| char.is_ascii_alphanumeric() || "._-:".contains(char));
    if label.len() <= MAX_LABEL && is_easy && Uuid::parse_str(label).is_err() {
        Ok(())
    } else {
        Err(Der::INVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{KnownProperty, PropertyValue};

    const UUID: &str = "6dd6b2b6-f1b8-4a3e-8c41-3a2b27fbc5d3";

    fn request() -> PoolCreateReq {
        PoolCreateReq { uuid: UUID.into(), tier_bytes: vec![1 << 30, 1 << 40], ..Default::default() }
    }

    fn labelled(label: &str) -> PoolCreateReq {
        let value = Some(PropertyValue::Strval(label.into()));
        let properties = vec![KnownProperty { number: pool::LABEL, value }.into()];
        PoolCreateReq { properties, ..request() }
    }

    #[test]
    fn a_pool_is_as_it_was_asked_for() {
        let mut pools = Pools::new(4, 0);
        let wanted = PoolCreateReq { ranks: vec![2, 0, 1], num_svc_reps: 2, ..labelled("tank") };
        let reply = pools.create(0, wanted).unwrap();
        assert_eq!((reply.svc_ldr, reply.svc_reps, reply.tgt_ranks), (0, vec![0, 2], vec![2, 0, 1]));

        let mut req = PoolQueryReq { id: UUID.into(), ..Default::default() };
        let reply = pools.query(&req).unwrap();
        assert_eq!((&reply.label[..], reply.total_targets, &reply.enabled_ranks[..]), ("tank", 12, ""));
        req.query_mask = u64::MAX;
        assert_eq!(pools.query(&req).unwrap().enabled_ranks, "[0-2]");
        assert_eq!(ranges(&[7, 3, 5, 4]), "[3-5,7]");
        assert_eq!(reply.tier_stats[1].total, 3 << 40);
        assert_eq!(reply.tier_stats[1].mean, 1 << 38);
    }

    #[test]
    fn bytes_in_all_are_split_by_the_ratio() {
        let mut pools = Pools::new(1, 0);
        let req = PoolCreateReq {
            tier_bytes: vec![],
            total_bytes: 1000,
            tier_ratio: vec![0.25, 0.75],
            ..request()
        };
        assert_eq!(pools.create(0, req).unwrap().tier_bytes, [250, 750]);
    }

    #[test]
    fn bad_requests_are_refused() {
        let mut pools = Pools::new(1, 0);
        let bad = [
            PoolCreateReq { uuid: "no UUID".into(), ..request() },
            PoolCreateReq { uuid: Uuid::nil().to_string(), ..request() },
            PoolCreateReq { tier_bytes: vec![], ..request() },
            PoolCreateReq { tier_bytes: vec![1, 2, 3], ..request() },
            PoolCreateReq { acl: vec!["nonsense".into()], ..request() },
            labelled("with a space"),
            labelled(UUID),
            labelled(&"x".repeat(128)),
        ];
        for req in bad {
            assert_eq!(pools.create(0, req.clone()), Err(Der::INVAL), "{req:?}");
        }
        pools.create(0, request()).unwrap();
        assert_eq!(pools.create(0, request()), Err(Der::EXIST));
    }

    #[test]
    fn a_pool_with_containers_is_destroyed_with_them_or_not_at_all() {
        let mut pools = Pools::new(1, 2);
        pools.create(0, request()).unwrap();
        assert_eq!(pools.get(UUID).unwrap().containers().len(), 2);
        let mut req = PoolDestroyReq { id: UUID.into(), ..Default::default() };
        assert_eq!(pools.destroy(&req), Err(Der::BUSY));
        req.recursive = true;
        pools.destroy(&req).unwrap();
        assert_eq!(pools.destroy(&req), Err(Der::NONEXIST));
    }

    #[test]
    fn a_handle_is_evicted_once() {
        let mut pools = Pools::new(1, 0);
        pools.create(0, request()).unwrap();
        let handles = vec![Uuid::new_v4().to_string(), Uuid::new_v4().to_string()];
        let mut req = PoolEvictReq { id: UUID.into(), handles, ..Default::default() };
        assert_eq!((pools.evict(&req), pools.evict(&req)), (Ok(2), Ok(0)));
        req.handles.push("nonsense".into());
        assert_eq!(pools.evict(&req), Err(Der::INVAL));
    }
}
