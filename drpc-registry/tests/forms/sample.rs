// Generated from the dRPC registry: change that instead.

/// The ID and the name of every module, in the order of the IDs.
#[allow(dead_code, unreachable_pub)]
pub const MODULES: &[(i32, &str)] = &[(-3, "below_zero"), (0, "empty"), (12, "type")];

/// Module `below_zero`.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod below_zero {
    /// The module ID.
    pub const ID: i32 = -3;

    /// The name in the registry.
    pub const NAME: &str = "below_zero";

    /// The global IDs of the methods.
    pub mod method {
        /// Method `lowest`.
        pub const LOWEST: i32 = -300;

        /// Method `highest`.
        pub const HIGHEST: i32 = -201;
    }
}

/// A module without methods.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod empty {
    /// The module ID.
    pub const ID: i32 = 0;

    /// The name in the registry.
    pub const NAME: &str = "empty";

    /// The global IDs of the methods.
    pub mod method {}
}

/// A module named by a keyword.
///
/// With a second paragraph, */ the end of a C comment, and a pipe | too.
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod r#type {
    /// The module ID.
    pub const ID: i32 = 12;

    /// The name in the registry.
    pub const NAME: &str = "type";

    /// The global IDs of the methods.
    pub mod method {
        /// Method `name`.
        pub const NAME: i32 = 1201;

        /// A "quoted" <word>, a  mark, `code | <T>` and a [link] in braces {}.
        pub const ID: i32 = 1202;

        /// Takes one like
        ///
        /// ````text
        ///     Request { id: 5 }
        ///
        /// ```
        /// let reply = call();
        /// ```
        /// ````
        pub const METHOD: i32 = 1203;

        /// A method named by a keyword.
        pub const MATCH: i32 = 1210;
    }
}
