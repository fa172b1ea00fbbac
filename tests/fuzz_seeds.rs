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

    const TARGETS: [Target; 7] = [
        ("cache_value", targets::cache_value::run),
        ("domain_name", targets::domain_name::run),
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
    fn every_target_has_a_program_seeds_and_a_place_here() {
        let listed: BTreeSet<String> = TARGETS.iter().map(|target| target.0.to_owned()).collect();
        let programs = names(&fuzz().join("fuzz_targets"));
        let programs: BTreeSet<String> = programs
            .iter()
            .map(|file| file.strip_suffix(".rs").unwrap().to_owned())
            .collect();
        assert_eq!(programs, listed);
        assert_eq!(names(&fuzz().join("seeds")), listed);
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
