//! Every seed of the fuzz targets, run through what the targets try: without libFuzzer, so that
//! neither rots while nobody fuzzes. An input that broke something becomes a seed.

#[cfg(test)]
#[path = "../fuzz/src/lib.rs"]
pub mod targets;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::targets;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 8] = [
        ("cache_value", targets::cache_value::run),
        ("domain_name", targets::domain_name::run),
        ("frames", targets::frames::run),
        ("identity", targets::identity::run),
        ("import_lines", targets::import_lines::run),
        ("numbers", targets::numbers::run),
        ("policy_document", targets::policy_document::run),
        ("request", targets::request::run),
    ];

    fn fuzz() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Runs all seeds of a target, so that one failure does not hide the others.
    fn run(name: &str) {
        let (_, run) = TARGETS.iter().find(|target| target.0 == name).unwrap();
        let folder = fuzz().join("seeds").join(name);
        let seeds = names(&folder);
        assert!(seeds.len() >= 10, "{name} has {} seeds", seeds.len());
        let broken: Vec<String> = seeds
            .into_iter()
            .filter(|seed| {
                let input = fs::read(folder.join(seed)).unwrap();
                std::panic::catch_unwind(|| run(&input)).is_err()
            })
            .collect();
        assert!(
            broken.is_empty(),
            "{name}: {broken:?}; see the panics above"
        );
    }

    #[test]
    fn every_target_has_a_program_seeds_a_row_on_the_page_and_a_place_here() {
        let listed: BTreeSet<String> = TARGETS.iter().map(|target| target.0.to_owned()).collect();
        let programs = names(&fuzz().join("fuzz_targets"));
        let programs: BTreeSet<String> = programs
            .iter()
            .map(|file| file.strip_suffix(".rs").unwrap().to_owned())
            .collect();
        assert_eq!(programs, listed);
        assert_eq!(names(&fuzz().join("seeds")), listed);
        let page = fs::read_to_string(fuzz().join("../docs/FUZZING.md")).unwrap();
        let told = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let told = told.filter_map(|line| Some(line.split_once('`')?.0.to_owned()));
        assert_eq!(told.collect::<BTreeSet<_>>(), listed, "docs/FUZZING.md");
    }

    #[test]
    fn behaviour_22_cache_value() {
        run("cache_value");
    }

    #[test]
    fn behaviour_22_domain_name() {
        run("domain_name");
    }

    #[test]
    fn behaviour_22_frames() {
        run("frames");
        targets::frames::finish();
    }

    /// A target that reached nothing would find nothing either.
    #[test]
    fn frames_of_the_seeds_reach_what_they_are_named_for() {
        const ENHANCE_YOUR_CALM: u32 = 11;
        const PROTOCOL_ERROR: u32 = 1;
        const FRAME_SIZE_ERROR: u32 = 6;
        const FLOW_CONTROL_ERROR: u32 = 3;
        let outcome = |seed: &str| {
            let input = fs::read(fuzz().join("seeds/frames").join(seed)).unwrap();
            targets::frames::outcome(&input)
        };
        let every = outcome("whole_every");
        assert_eq!(every.answered + every.broken, 14, "{every:?}");
        assert!(every.answered >= 12, "{every:?}");
        assert!(!every.hung_up, "{every:?}");
        let many = outcome("whole_many");
        // What is beyond the streams of a connection is broken off.
        assert_eq!(many.answered + many.broken, 201, "{many:?}");
        assert!(many.answered >= 64, "{many:?}");
        for (seed, code) in [
            ("rapid_reset", ENHANCE_YOUR_CALM),
            ("endless_headers", ENHANCE_YOUR_CALM),
            ("wrong_index", PROTOCOL_ERROR),
            ("long_frame", FRAME_SIZE_ERROR),
            ("window_overflow", FLOW_CONTROL_ERROR),
            ("even_stream", PROTOCOL_ERROR),
            ("continuation_alone", PROTOCOL_ERROR),
        ] {
            let outcome = outcome(seed);
            assert_eq!(outcome.goaway, Some(code), "{seed}: {outcome:?}");
        }
        targets::frames::finish();
    }

    #[test]
    fn behaviour_22_identity() {
        run("identity");
    }

    #[test]
    fn behaviour_22_import_lines() {
        run("import_lines");
    }

    #[test]
    fn behaviour_22_numbers() {
        run("numbers");
    }

    #[test]
    fn behaviour_22_policy_document() {
        run("policy_document");
    }

    #[test]
    fn behaviour_22_request() {
        run("request");
    }
}
