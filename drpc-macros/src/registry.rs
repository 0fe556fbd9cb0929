//! The registry, read once: a crate may have a hundred modules, and the compiler expands them in one process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use drpc_registry::{Registry, RegistryError};

/// The registry that was read last, as it was then.
struct Read {
    path: PathBuf,
    modified: SystemTime,
    registry: Arc<Registry>,
}

static LAST: Mutex<Option<Read>> = Mutex::new(None);

/// Reads a registry, unless it is unchanged since it was read last. (An editor's process lives longer than a file.)
pub(crate) fn load(path: &Path) -> Result<Arc<Registry>, RegistryError> {
    let modified = path.metadata().and_then(|file| file.modified()).ok();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(read) = &*last
        && (read.path.as_path(), Some(read.modified)) == (path, modified)
    {
        return Ok(read.registry.clone());
    }
    let registry = Arc::new(Registry::load(path)?);
    *last = modified.map(|modified| Read { path: path.to_owned(), modified, registry: registry.clone() });
    Ok(registry)
}
