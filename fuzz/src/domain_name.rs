//! What a person typed where a domain is asked for.

use std::sync::LazyLock;

use icpgate_policy::domain_name::{
    Host, HostError, HostName, Suffixes, fold, is_public, is_under, parse,
};
use icpgate_policy::explain::Language;
use icpgate_policy::explain::domain_name::host_error;
use icpgate_policy::policy::{Policy, shipped};

/// The suffixes of a shipped policy: of the list, approved ones and those of government bodies.
static SUFFIXES: LazyLock<Suffixes> = LazyLock::new(|| {
    let document = shipped("mainland-strict").expect("the policy is shipped");
    let policy = Policy::compile(document, "self").expect("a shipped policy compiles");
    policy.suffixes
});

/// Reads the input as a host, and as a record's name once it is one.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match parse(&text, &SUFFIXES) {
        Ok(Host::Ip(address)) => {
            let _ = is_public(address);
            assert_eq!(
                parse(&address.to_string(), &SUFFIXES),
                Ok(Host::Ip(address)),
                "{text:?}"
            );
        }
        Ok(Host::Name(name)) => well_formed(&name),
        Err(error) => told(&text, &error),
    }
    let folded = fold(&text);
    assert_eq!(fold(&folded), folded, "the key of a key: {text:?}");
}

fn well_formed(name: &HostName) {
    let shown = name.to_string();
    // RFC 1035, section 2.3.4, and RFC 1123, section 2.1.
    assert!(shown.len() <= 253, "{shown}");
    let labels: Vec<&str> = name.ascii().split('.').collect();
    assert!(labels.len() >= 2, "{shown}");
    for label in &labels {
        assert!((1..=63).contains(&label.len()), "{shown}");
        assert!(
            label
                .bytes()
                .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-'),
            "{shown}"
        );
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{shown}");
    }

    // Every way of writing the name leads to the same value.
    let same = Ok(Host::Name(name.clone()));
    let star = if name.is_wildcard() { "*." } else { "" };
    for form in [
        shown.clone(),
        format!(" {}. ", shown.to_uppercase()),
        format!("{star}{}", name.unicode()),
    ] {
        assert_eq!(parse(&form, &SUFFIXES), same, "{form:?}");
    }

    // Where filings are looked for never leaves what one registrant holds.
    let registrable = name.registrable();
    assert!(is_under(name.ascii(), registrable), "{shown}");
    assert!(is_under(registrable, name.suffix()), "{shown}");
    assert_ne!(registrable, name.suffix(), "{shown}");
    assert_eq!(
        registrable.split('.').count(),
        name.suffix().split('.').count() + 1,
        "{shown}"
    );
    let candidates: Vec<&str> = name.candidates().collect();
    assert_eq!(candidates.first(), Some(&name.ascii()), "{shown}");
    assert_eq!(candidates.last(), Some(&registrable), "{shown}");
    assert_eq!(
        candidates.len(),
        labels.len() + 1 - registrable.split('.').count(),
        "{shown}"
    );
    for candidate in candidates {
        assert!(is_under(name.ascii(), candidate), "{shown}");
        let Ok(Host::Name(candidate)) = parse(candidate, &SUFFIXES) else {
            panic!("{shown}: {candidate} is no name");
        };
        assert_eq!(candidate.registrable(), registrable, "{shown}");
    }
}

/// What is said about a text that names no host, and what is suggested instead.
fn told(text: &str, error: &HostError) {
    for language in [Language::English, Language::Chinese] {
        let told = host_error(error, language);
        assert!(!told.is_empty(), "{text:?}: {error:?}");
        assert!(!told.contains(char::is_control), "{text:?}: {told:?}");
    }
    if let HostError::PublicSuffix { suffix } | HostError::WildcardOverSuffix { suffix } = error {
        assert!(parse(suffix, &SUFFIXES).is_err(), "{text:?}: {suffix}");
    }
    if let HostError::LeadingDot {
        suggestion: Some(suggestion),
    }
    | HostError::NotBare {
        host: Some(suggestion),
        ..
    } = error
    {
        let read = parse(suggestion, &SUFFIXES);
        let read = read.as_ref().map(ToString::to_string);
        assert_eq!(read, Ok(suggestion.to_string()), "{text:?}");
    }
}
