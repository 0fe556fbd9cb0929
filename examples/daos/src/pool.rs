//! What server and engine agree on about pools.

use drpc::Der;
use uuid::Uuid;

use crate::messages::{PoolProperty, PropertyValue};

/// The number of the property that is a pool's label.
pub const LABEL: u32 = 1;

/// The UUID in a request, or what the reply says if it is none.
///
/// # Errors
///
/// [`Der::INVAL`].
pub fn uuid(text: &str) -> Result<Uuid, Der> {
    Uuid::parse_str(text).map_err(|_| Der::INVAL)
}

/// The label among a pool's properties, or nothing.
#[must_use]
pub fn label(properties: &[PoolProperty]) -> &str {
    let label = properties.iter().rfind(|property| property.number == LABEL);
    match label.and_then(|property| property.value.as_ref()) {
        Some(PropertyValue::Strval(label)) => label,
        _ => "",
    }
}

/// Properties, each number once: of several the last.
#[must_use]
pub fn once(properties: &[PoolProperty]) -> Vec<PoolProperty> {
    let mut once = Vec::with_capacity(properties.len());
    set(&mut once, properties);
    once
}

/// Sets properties among those that are there, each as it came. Of several with one number, the last holds.
pub fn set(properties: &mut Vec<PoolProperty>, new: &[PoolProperty]) {
    for property in new {
        match properties.iter_mut().rfind(|old| old.number == property.number) {
            Some(old) => old.clone_from(property),
            None => properties.push(property.clone()),
        }
    }
}
