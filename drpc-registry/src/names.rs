//! What a name may be in the registry, and what it becomes in C, Go and Python.

/// Lower-case words of letters and digits, joined by single underscores, the first of which begins with a letter.
pub(crate) fn is_snake_case(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(is_word)
}

/// The name that a module has by the type that implements it, where `#[drpc_module]` does not say one.
///
/// ```
/// assert_eq!(drpc_registry::module_name_of("PoolService"), "pool_service");
/// assert_eq!(drpc_registry::module_name_of("RPCServer"), "rpc_server");
/// ```
#[must_use]
pub fn module_name_of(type_name: &str) -> String {
    let letters: Vec<char> = type_name.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase() && letters[at - 1] != '_';
        let before_lower = at > 0 && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && !name.ends_with('_') && (after_lower || before_lower) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The `lower_snake_case` name that was probably meant.
pub(crate) fn to_snake_case(name: &str) -> Option<String> {
    let mut snake = String::new();
    let mut previous = ' ';
    for c in name.chars() {
        let starts_word = c.is_uppercase() && (previous.is_lowercase() || previous.is_ascii_digit());
        if !snake.is_empty() && !snake.ends_with('_') && (starts_word || !c.is_alphanumeric()) {
            snake.push('_');
        }
        if c.is_alphanumeric() {
            snake.extend(c.to_lowercase());
        }
        previous = c;
    }
    let snake = snake.trim_end_matches('_');
    (is_snake_case(snake) && !is_path_keyword(snake)).then(|| snake.to_owned())
}

/// The keywords of Rust that not even a raw identifier allows.
pub(crate) fn is_path_keyword(name: &str) -> bool {
    matches!(name, "self" | "super" | "crate")
}

/// A module's enumerator in the C header: `DRPC_MODULE_SEC_AGENT`.
pub(crate) fn c_module(module: &str) -> String {
    format!("DRPC_MODULE_{}", module.to_uppercase())
}

/// A method's enumerator in the C header: `DRPC_METHOD_MGMT_SET_RANK`.
///
/// The checker methods of `srv` go without its name (M).
pub(crate) fn c_method(module: &str, method: &str) -> String {
    let method = method.to_uppercase();
    if is_checker_method(module, &method) {
        format!("DRPC_METHOD_{method}")
    } else {
        format!("DRPC_METHOD_{}_{method}", module.to_uppercase())
    }
}

/// Whether a method, spelled as in C, is one of those that DAOS's header lists without the name of their module (M).
pub(crate) fn is_checker_method(module: &str, method: &str) -> bool {
    module == "srv" && method.starts_with("CHK_")
}

/// A module's constant in Go: `ModuleSecAgent`.
pub(crate) fn go_module(module: &str) -> String {
    format!("Module{}", camel_case(module))
}

/// A method's constant in Go: `MethodMgmtSetRank`.
pub(crate) fn go_method(module: &str, method: &str) -> String {
    format!("Method{}{}", camel_case(module), camel_case(method))
}

/// The class of a module's methods in Python: `SecAgentMethod`.
pub(crate) fn python_methods(module: &str) -> String {
    format!("{}Method", camel_case(module))
}

fn camel_case(name: &str) -> String {
    name.split('_')
        .flat_map(|word| word.chars().enumerate())
        .map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_snake_case() {
        for good in ["a", "sec_agent", "pool_2", "x2_y3", "type"] {
            assert!(is_snake_case(good), "{good}");
        }
        for bad in ["", "_a", "a_", "a__b", "2a", "A", "a-b", "a b", "ä"] {
            assert!(!is_snake_case(bad), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_suggests_a_good_one() {
        let suggested = [
            ("SecAgent", Some("sec_agent")),
            ("sec-agent", Some("sec_agent")),
            (" pool  query ", Some("pool_query")),
            ("__x", Some("x")),
            ("CHK", Some("chk")),
            ("2a", None),
            ("Self", None),
            ("größe", None),
            ("", None),
        ];
        for (name, suggestion) in suggested {
            assert_eq!(to_snake_case(name).as_deref(), suggestion, "{name}");
        }
    }

    /// M: the checker methods of module 3 are spelled without the module's name, those of module 2 with it.
    #[test]
    fn checker_methods_go_without_their_modules_name() {
        assert_eq!(c_method("srv", "chk_list_pool"), "DRPC_METHOD_CHK_LIST_POOL");
        assert_eq!(c_method("srv", "list_pools"), "DRPC_METHOD_SRV_LIST_POOLS");
        assert_eq!(c_method("mgmt", "chk_start"), "DRPC_METHOD_MGMT_CHK_START");
    }

    #[test]
    fn go_constants_are_in_camel_case() {
        assert_eq!(go_module("sec_agent"), "ModuleSecAgent");
        assert_eq!(go_method("mgmt", "set_up"), "MethodMgmtSetUp");
    }
}
