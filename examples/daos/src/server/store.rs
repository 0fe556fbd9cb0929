//! The system's pools and properties, on disk.
//!
//! What was committed is there after a kill at any instant: redb writes beside what is valid, and makes a commit valid by one write. Each
//! function here is one transaction, and returns when it is on disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use drpc::Der;
use prost::{DecodeError, Message};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use tokio::task::{self, JoinError};
use uuid::Uuid;

use crate::kept::Kept;
use crate::messages::mgmt::{PoolCreateReq, PoolServiceState};
use crate::pool;

/// UUID → [`Pool`].
const POOLS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("pools");
/// Label → UUID.
const LABELS: TableDefinition<'_, &str, u128> = TableDefinition::new("labels");
/// The system's properties.
const PROPERTIES: TableDefinition<'_, &str, &str> = TableDefinition::new("properties");

/// The database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Arc<Database>,
}

/// A pool, as the server knows it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pool {
    /// Where it stands in its life.
    #[prost(enumeration = "PoolServiceState", tag = "1")]
    pub state: i32,
    /// The request that an engine makes it of again, after a restart: as it came, with all changes since.
    #[prost(message, required, tag = "2")]
    pub request: Kept<PoolCreateReq>,
    /// The ranks of its service.
    #[prost(uint32, repeated, tag = "3")]
    pub svc_reps: Vec<u32>,
}

impl Pool {
    /// Its label, or nothing.
    #[must_use]
    pub fn label(&self) -> &str {
        pool::label(&self.request.properties)
    }
}

/// Why a transaction came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is a pool of this UUID.
    #[error("there is a pool {0} already")]
    PoolExists(Uuid),
    /// There is a pool of this label.
    #[error("there is a pool with the label `{0}` already")]
    LabelTaken(String),
    /// There is no such pool.
    #[error("there is no pool `{0}`")]
    NoPool(String),
    /// The database, or its disk.
    #[error("the database of pools failed: {0}")]
    Database(#[from] redb::Error),
    /// A record that another program has written.
    #[error("a record of the database of pools can't be read: {0}")]
    Record(#[from] DecodeError),
    /// The server ends.
    #[error("the work was given up")]
    GivenUp(#[from] JoinError),
}

impl StoreError {
    /// What a reply says of it.
    #[must_use]
    pub fn der(&self) -> Der {
        match self {
            StoreError::PoolExists(_) | StoreError::LabelTaken(_) => Der::EXIST,
            StoreError::NoPool(_) => Der::NONEXIST,
            StoreError::Database(_) | StoreError::Record(_) => Der::IO,
            StoreError::GivenUp(_) => Der::SHUTDOWN,
        }
    }
}

impl Store {
    /// Opens the database, and makes it if it is not there. What was begun and not acknowledged when the last server ended was not done: a
    /// pool that was being created is forgotten, and one that was being destroyed is there.
    ///
    /// # Errors
    ///
    /// If it can't be, or is of another kind.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::create(path).map_err(redb::Error::from)?;
        write(&database, |transaction| {
            transaction.open_table(LABELS)?;
            transaction.open_table(PROPERTIES)?;
            // A table must be closed before it is opened again.
            let pools = decoded(&transaction.open_table(POOLS)?)?;
            for (uuid, pool) in pools {
                match pool.state() {
                    PoolServiceState::Ready => {}
                    PoolServiceState::Destroying => put_back(transaction, uuid, pool)?,
                    _ => forget(transaction, uuid, &pool)?,
                }
            }
            Ok(())
        })?;
        Ok(Store { database: database.into() })
    }

    /// Notes a pool.
    ///
    /// # Errors
    ///
    /// [`PoolExists`](StoreError::PoolExists), [`LabelTaken`](StoreError::LabelTaken).
    pub async fn add(&self, uuid: Uuid, pool: Pool) -> Result<(), StoreError> {
        self.write(move |transaction| {
            if transaction.open_table(POOLS)?.get(uuid.as_u128())?.is_some() {
                return Err(StoreError::PoolExists(uuid));
            }
            put(transaction, uuid, &pool)
        })
        .await
    }

    /// Changes a pool. One that is as it was costs no write.
    ///
    /// # Errors
    ///
    /// [`NoPool`](StoreError::NoPool), or [`LabelTaken`](StoreError::LabelTaken) by another pool. Then nothing is changed.
    pub async fn update(
        &self,
        uuid: Uuid,
        change: impl FnOnce(&mut Pool) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let old = get(transaction, uuid)?;
            let mut new = old.clone();
            change(&mut new);
            if new == old {
                return Ok(());
            }
            unlabel(transaction, &old)?;
            put(transaction, uuid, &new)
        })
        .await
    }

    /// Forgets a pool.
    ///
    /// # Errors
    ///
    /// [`NoPool`](StoreError::NoPool).
    pub async fn remove(&self, uuid: Uuid) -> Result<(), StoreError> {
        self.write(move |transaction| forget(transaction, uuid, &get(transaction, uuid)?)).await
    }

    /// The pool with this UUID.
    ///
    /// # Errors
    ///
    /// [`NoPool`](StoreError::NoPool).
    pub async fn get(&self, uuid: Uuid) -> Result<Pool, StoreError> {
        self.read(move |transaction| read_pool(transaction, uuid)).await
    }

    /// The pool with this label.
    ///
    /// # Errors
    ///
    /// [`NoPool`](StoreError::NoPool).
    pub async fn find(&self, label: &str) -> Result<(Uuid, Pool), StoreError> {
        let label = label.to_owned();
        self.read(move |transaction| {
            let uuid =
                transaction.open_table(LABELS)?.get(&label[..])?.map(|uuid| Uuid::from_u128(uuid.value()));
            let uuid = uuid.ok_or(StoreError::NoPool(label))?;
            Ok((uuid, read_pool(transaction, uuid)?))
        })
        .await
    }

    /// All pools, by UUID.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn pools(&self) -> Result<Vec<(Uuid, Pool)>, StoreError> {
        self.read(|transaction| decoded(&transaction.open_table(POOLS)?)).await
    }

    /// Sets properties of the system.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn set_properties(&self, properties: Vec<(String, String)>) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let mut table = transaction.open_table(PROPERTIES)?;
            for (key, value) in &properties {
                table.insert(&key[..], &value[..])?;
            }
            Ok(())
        })
        .await
    }

    /// All properties of the system.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn properties(&self) -> Result<HashMap<String, String>, StoreError> {
        self.read(|transaction| {
            let mut properties = HashMap::new();
            for entry in transaction.open_table(PROPERTIES)?.iter()? {
                let (key, value) = entry?;
                properties.insert(key.value().to_owned(), value.value().to_owned());
            }
            Ok(properties)
        })
        .await
    }

    /// A disk is waited for on a thread that may block.
    async fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let database = self.database.clone();
        task::spawn_blocking(move || write(&database, change)).await?
    }

    async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let database = self.database.clone();
        let read = move || look(&database.begin_read().map_err(redb::Error::from)?);
        task::spawn_blocking(read).await?
    }
}

/// A transaction that is dropped without a commit changes nothing.
fn write<R>(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    let result = change(&transaction)?;
    transaction.commit().map_err(redb::Error::from)?;
    Ok(result)
}

fn put(transaction: &WriteTransaction, uuid: Uuid, pool: &Pool) -> Result<(), StoreError> {
    transaction.open_table(POOLS)?.insert(uuid.as_u128(), &pool.encode_to_vec()[..])?;
    if pool.label().is_empty() {
        return Ok(());
    }
    match transaction.open_table(LABELS)?.insert(pool.label(), uuid.as_u128())? {
        Some(_) => Err(StoreError::LabelTaken(pool.label().to_owned())),
        None => Ok(()),
    }
}

fn get(transaction: &WriteTransaction, uuid: Uuid) -> Result<Pool, StoreError> {
    let table = transaction.open_table(POOLS)?;
    let pool = table.get(uuid.as_u128())?.ok_or_else(|| StoreError::NoPool(uuid.to_string()))?;
    Ok(Pool::decode(pool.value())?)
}

fn forget(transaction: &WriteTransaction, uuid: Uuid, pool: &Pool) -> Result<(), StoreError> {
    unlabel(transaction, pool)?;
    transaction.open_table(POOLS)?.remove(uuid.as_u128())?;
    Ok(())
}

fn put_back(transaction: &WriteTransaction, uuid: Uuid, mut pool: Pool) -> Result<(), StoreError> {
    unlabel(transaction, &pool)?;
    pool.state = PoolServiceState::Ready.into();
    put(transaction, uuid, &pool)
}

fn unlabel(transaction: &WriteTransaction, pool: &Pool) -> Result<(), StoreError> {
    if !pool.label().is_empty() {
        transaction.open_table(LABELS)?.remove(pool.label())?;
    }
    Ok(())
}

fn read_pool(transaction: &ReadTransaction, uuid: Uuid) -> Result<Pool, StoreError> {
    let pool = transaction.open_table(POOLS)?.get(uuid.as_u128())?;
    Ok(Pool::decode(pool.ok_or_else(|| StoreError::NoPool(uuid.to_string()))?.value())?)
}

fn decoded(table: &impl ReadableTable<u128, &'static [u8]>) -> Result<Vec<(Uuid, Pool)>, StoreError> {
    let pool =
        |entry: Result<(redb::AccessGuard<'_, u128>, redb::AccessGuard<'_, &[u8]>), redb::StorageError>| {
            let (uuid, pool) = entry?;
            Ok((Uuid::from_u128(uuid.value()), Pool::decode(pool.value())?))
        };
    table.iter()?.map(pool).collect()
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        StoreError::Database(error.into())
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        StoreError::Database(error.into())
    }
}
