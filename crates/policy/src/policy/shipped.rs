//! The documents that ship with the product.

/// Names and texts of the shipped documents; the first is the default.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "mainland-strict",
        include_str!("../../../../policies/mainland-strict/policy.toml"),
    ),
    (
        "mainland-business-model",
        include_str!("../../../../policies/mainland-business-model/policy.toml"),
    ),
];

/// Text of a shipped document.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .map(|(_, text)| *text)
}
