//! What the engine tells: `ERR,mgmt=DEBUG` is errors, and everything of `mgmt`.

use std::sync::Mutex;

use drpc::Der;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::log::{self, Filter};
use crate::messages::ctl::{SetLogMasksReq, SetLogMasksResp};

/// DAOS's names of what may be told of, and where that is here.
const FACILITIES: [(&str, &str); 4] = [
    ("mgmt", "drpc_daos::engine::mgmt"),
    ("pool", "drpc_daos::engine::pools"),
    ("server", "drpc_daos::engine"),
    ("drpc", "drpc"),
];

/// The masks, and what they are set to.
#[derive(Debug)]
pub struct LogMasks {
    filter: Mutex<Filter>,
}

impl LogMasks {
    pub(crate) fn new(filter: Filter) -> Self {
        LogMasks { filter: filter.into() }
    }

    /// Sets the masks, unless there is a mistake in them.
    pub fn set(&self, req: &SetLogMasksReq) -> SetLogMasksResp {
        let targets = match (req.reset_masks, &req.masks[..]) {
            (true, _) => Ok(Some(log::usual())),
            (false, "") => Ok(None),
            (false, masks) => parse(masks).map(Some),
        };
        let mut errors = Vec::new();
        if !req.streams.is_empty() || !req.subsystems.is_empty() {
            errors.push("there are no debug streams and subsystems here: set masks".to_owned());
        }
        match targets {
            Ok(Some(targets)) if errors.is_empty() => {
                let filter = self.filter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                errors.extend(filter.reload(targets).err().map(|error| error.to_string()));
            }
            Ok(_) => {}
            Err(mistakes) => errors.extend(mistakes),
        }
        let status = if errors.is_empty() { Der::SUCCESS } else { Der::INVAL };
        SetLogMasksResp { status: status.code(), errors }
    }
}

/// A level for all, and levels for facilities; or what is wrong with them.
fn parse(masks: &str) -> Result<Targets, Vec<String>> {
    let mut targets = log::usual();
    let mut mistakes = Vec::new();
    for mask in masks.split(',') {
        let (facility, level) =
            mask.split_once('=').map_or((None, mask), |(facility, level)| (Some(facility), level));
        let Some(level) = level_of(level) else {
            mistakes.push(format!(
                "`{level}` is no level: write DEBUG, INFO, NOTE, WARN, ERR, CRIT, ALRT or EMRG"
            ));
            continue;
        };
        match facility
            .map(|name| (name, FACILITIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))))
        {
            None => targets = targets.with_default(level),
            Some((_, Some((_, target)))) => targets = targets.with_target(*target, level),
            Some((name, None)) => {
                let known = FACILITIES.map(|(known, _)| known).join(", ");
                mistakes.push(format!("there is no facility `{name}`: there are {known}"));
            }
        }
    }
    if mistakes.is_empty() { Ok(targets) } else { Err(mistakes) }
}

/// DAOS's levels below errors are all as urgent as an error here.
fn level_of(name: &str) -> Option<LevelFilter> {
    Some(match &name.to_ascii_uppercase()[..] {
        "DEBUG" | "DBUG" => LevelFilter::DEBUG,
        "INFO" | "NOTE" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERR" | "ERROR" | "CRIT" | "ALRT" | "EMRG" => LevelFilter::ERROR,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_for_all_or_for_a_facility() {
        let targets = parse("ERR,mgmt=DEBUG").unwrap();
        assert!(targets.would_enable("drpc_daos::engine::mgmt", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("drpc_daos::engine::pools", &tracing::Level::INFO));
        assert!(targets.would_enable("drpc_daos::engine::pools", &tracing::Level::ERROR));
    }

    #[test]
    fn every_mistake_is_told() {
        let mistakes = parse("LOUD,bank=ERR").unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[1].contains("no facility `bank`"), "{mistakes:?}");
    }
}
