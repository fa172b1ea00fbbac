//! What facts are said to take, held against what they take.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "generate/mod.rs"]
mod generate;

use std::cell::Cell;
use std::sync::Arc;

use icpgate_policy::facts::NameFacts;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One test alone in its process: it counts what the whole process takes.
#[test]
fn facts_take_no_more_than_they_are_said_to() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let said = Cell::new(0);
    let taken = Cell::new(0);
    generate::for_each(1, |world, case, _| {
        let request = case.request(world);
        let facts = case.facts(&request);
        // As a cache gets them: from the wire, with a source for each record.
        let bytes = postcard::to_stdvec(&*facts.name).unwrap();
        drop(facts);
        let before = dhat::HeapStats::get().curr_bytes;
        let facts: Arc<NameFacts> = Arc::new(postcard::from_bytes(&bytes).unwrap());
        let took = dhat::HeapStats::get().curr_bytes - before;
        if facts.size() < took {
            return Err(format!("{} said, {took} taken", facts.size()));
        }
        said.set(said.get() + facts.size());
        taken.set(taken.get() + took);
        Ok(())
    });
    // What is counted here is without the allocator's own share.
    let (said, taken) = (said.get(), taken.get());
    assert!(said < taken * 3 / 2, "{said} said, {taken} taken");
}
