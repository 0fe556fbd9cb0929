//! Messages, and constants, of another crate: the cases in `ui/` use them.

/// What a caller says.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Hello {
    /// Who is greeted.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// What the module answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HelloResponse {
    /// The greeting.
    #[prost(string, tag = "1")]
    pub greeting: String,
}

/// Modules' IDs.
pub mod ids {
    /// A module that says its ID by a trait.
    pub trait HasId {
        /// The ID.
        const ID: i32;
    }

    /// Whose ID is 5.
    pub struct Five;

    impl HasId for Five {
        const ID: i32 = 5;
    }

    /// An ID whose methods' IDs do not fit.
    pub const TOO_LARGE: i32 = i32::MAX;
}
