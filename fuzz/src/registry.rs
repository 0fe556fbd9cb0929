use drpc_registry::Registry;

/// Any text: both forms of the registry are parsed or refused with a report.
pub fn registry(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for file in ["modules.toml", "drpc_modules.h"] {
        if let Err(error) = Registry::parse(file, &text) {
            assert!(!error.to_string().is_empty());
        }
    }
}
