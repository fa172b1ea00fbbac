//! The page of metrics.

use std::path::Path;

use icpgate::telemetry::metrics::{REFERENCE_PATH, reference};

#[test]
fn the_page_is_made_from_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(REFERENCE_PATH);
    let page = reference();
    #[expect(
        clippy::disallowed_methods,
        reason = "asks for the page to be written anew, as an argument would"
    )]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "{REFERENCE_PATH} is not what the list says; run `UPDATE_DOCS=1 cargo test --test metrics`"
    );
}
