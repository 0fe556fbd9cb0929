//! From a file to a registry: which form it has, what its reader makes of it, and what the checks say.

use std::fs;
use std::path::Path;

use crate::registry::Registry;
use crate::report::{Problem, RegistryError};
use crate::source::Source;
use crate::{check, header_form, toml_form};

/// # Reading
impl Registry {
    /// Reads and checks the registry at `path`: a C header if its name ends in `.h` (or `.hh`, `.hpp`,
    /// `.hxx`), TOML otherwise.
    ///
    /// # Errors
    ///
    /// When the file can't be read ([`RegistryError::is_unreadable`]), or when its text is wrong, as with
    /// [`parse`](Self::parse).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RegistryError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|error| RegistryError::unreadable(path, error))?;
        Self::parse(path, &text)
    }

    /// Checks the registry in `text`; `path` says which form it has and stands in messages, but is not opened.
    ///
    /// ```
    /// let error = drpc_registry::Registry::parse("modules.toml", "[[module]]\nid = 5").unwrap_err();
    /// assert!(error.to_string().contains("modules.toml:1:1"));
    /// ```
    ///
    /// # Errors
    ///
    /// One error that holds every mistake in the text, each with its place and a way out.
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self, RegistryError> {
        let path = path.as_ref();
        let source = Source::new(path, text);
        let mut problems: Vec<Problem> = Vec::new();
        let drafts = if source.is_header() {
            header_form::read(text, &mut problems)
        } else {
            toml_form::read(text, &mut problems)
        };
        let modules = match drafts {
            Some(drafts) => check::check(&drafts, &source, &mut problems),
            None => Vec::new(),
        };
        if problems.is_empty() {
            Ok(Self::new(path, modules))
        } else {
            Err(RegistryError::malformed(&source, text, problems))
        }
    }
}
