//! NDJSON files: good, odd, damaged, hostile.

use std::io::Cursor;

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use icpgate::intake::ndjson::{Limits, Lines, parse};
use icpgate::intake::{Line, Violation};
use icpgate_policy::explain::Language;
use icpgate_policy::explain::file::file_problem;
use icpgate_policy::field::{Compression, Content, FieldProblem, FileProblem, LineProblem};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt as _, BufReader};

use super::support::{data, intake, now};
use icpgate_policy::identity::CheckDigits;

const GOOD: &str = r#"{"access":{"service_number":"京ICP备10046444号-1","provider_id":"p"}}"#;

/// Lines with their numbers, `true` for a record; and the problem of the file.
async fn read(bytes: &[u8], limits: Limits) -> (Vec<(u64, bool)>, Option<FileProblem>) {
    // A small buffer, so that lines and magic numbers are cut up.
    let reader = BufReader::with_capacity(3, Cursor::new(bytes.to_vec()));
    let mut lines = match Lines::new(reader, limits).await {
        Ok(lines) => lines,
        Err(problem) => return (Vec::new(), Some(problem)),
    };
    let mut read = Vec::new();
    while let Some(next) = lines.next_record().await {
        match next {
            Ok((number, record)) => read.push((number, record.is_ok())),
            Err(problem) => {
                assert!(lines.next().await.is_none());
                for language in [Language::English, Language::Chinese] {
                    assert!(!file_problem(&problem, language).is_empty());
                }
                return (read, Some(problem));
            }
        }
    }
    (read, None)
}

async fn read_all(text: &str) -> (Vec<(u64, bool)>, Option<FileProblem>) {
    read(text.as_bytes(), Limits::default()).await
}

async fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(text).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

fn problem(line: &str) -> (String, LineProblem) {
    let Err(Violation {
        field,
        problem: FieldProblem::Line(problem),
    }) = parse(line.as_bytes())
    else {
        panic!("{line} is refused")
    };
    (field, problem)
}

#[tokio::test]
async fn blank_lines_marks_and_line_ends() {
    let text = format!("\u{feff}{GOOD}\r\n\r\n  \n\t{GOOD} \nbad\n{GOOD}");
    let (lines, problem) = read_all(&text).await;
    assert_eq!(lines, [(1, true), (4, true), (5, false), (6, true)]);
    assert_eq!(problem, None);
}

#[tokio::test]
async fn compression_is_told_by_content() {
    let text = format!("{GOOD}\n{GOOD}\n");
    for bytes in [gzip(text.as_bytes()).await, zstd(text.as_bytes()).await] {
        let (lines, problem) = read(&bytes, Limits::default()).await;
        assert_eq!(lines, [(1, true), (2, true)]);
        assert_eq!(problem, None);
        // Files that were put together with `cat`.
        let twice = [bytes.clone(), bytes].concat();
        assert_eq!(read(&twice, Limits::default()).await.0.len(), 4);
    }
}

#[tokio::test]
async fn a_broken_end_leaves_the_lines_before() {
    let text = (0..20_000).map(|i| format!("{}\n", GOOD.replace("\"p\"", &format!("\"{i}\""))));
    let text: String = text.collect();
    for (bytes, compression) in [
        (gzip(text.as_bytes()).await, Compression::Gzip),
        (zstd(text.as_bytes()).await, Compression::Zstd),
    ] {
        let half = &bytes[..bytes.len() / 2];
        let (lines, problem) = read(half, Limits::default()).await;
        assert_eq!(problem, Some(FileProblem::Truncated { compression }));
        assert!(lines.len() > 1_000, "{}", lines.len());
        assert!(
            lines.iter().all(|(_, good)| *good),
            "no half line is taken for a whole one"
        );

        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle..].fill(0xff);
        let (lines, problem) = read(&damaged, Limits::default()).await;
        // What gzip makes of such data may well be valid, and lack its end only.
        let truncated = FileProblem::Truncated { compression };
        let damaged = FileProblem::Damaged { compression };
        assert!(
            problem == Some(damaged) || problem == Some(truncated),
            "{problem:?}"
        );
        assert!(lines.len() > 1_000, "{}", lines.len());
    }
    let mut checksum = gzip(text.as_bytes()).await;
    let at = checksum.len() - 8;
    checksum[at] ^= 1;
    let (lines, problem) = read(&checksum, Limits::default()).await;
    assert_eq!(lines.len(), 20_000);
    assert_eq!(
        problem,
        Some(FileProblem::Damaged {
            compression: Compression::Gzip
        })
    );

    let (lines, problem) = read(&gzip(b"").await[..8], Limits::default()).await;
    assert!(lines.is_empty());
    assert_eq!(
        problem,
        Some(FileProblem::Truncated {
            compression: Compression::Gzip
        })
    );
}

#[tokio::test]
async fn a_bomb_is_bounded() {
    let limits = Limits {
        line: 1_000,
        decompressed: 1_000_000,
    };
    let bomb = gzip(&vec![b'x'; 50_000_000]).await;
    let (lines, problem) = read(&bomb, limits).await;
    assert!(lines.is_empty());
    assert_eq!(problem, Some(FileProblem::TooLarge { limit: 1_000_000 }));
    let bomb = zstd(&b"\n".repeat(5_000_000)).await;
    let (_, problem) = read(&bomb, limits).await;
    assert_eq!(problem, Some(FileProblem::TooLarge { limit: 1_000_000 }));
}

#[tokio::test]
async fn long_lines_are_skipped() {
    let limits = Limits {
        line: GOOD.len(),
        ..Limits::default()
    };
    let text = format!(
        "{GOOD}\r\n{GOOD}x\n{}\n{GOOD}\n{}",
        "y".repeat(500),
        "z".repeat(500)
    );
    let (lines, problem) = read(text.as_bytes(), limits).await;
    assert_eq!(
        lines,
        [(1, true), (2, false), (3, false), (4, true), (5, false)]
    );
    assert_eq!(problem, None);
    let mut lines = Lines::new(Cursor::new(text.into_bytes()), limits)
        .await
        .unwrap();
    lines.next().await;
    let Some(Ok((2, Line::Unreadable(problem)))) = lines.next().await else {
        panic!()
    };
    assert_eq!(problem, LineProblem::TooLong { limit: GOOD.len() });
}

#[tokio::test]
async fn files_of_something_else() {
    for (bytes, content) in [
        (b"\x89PNG\r\n\x1a\n".to_vec(), Content::Image),
        (b"PK\x03\x04....".to_vec(), Content::Zip),
        (b"%PDF-1.7\n".to_vec(), Content::Pdf),
        (b"BZh91AY".to_vec(), Content::Archive),
        (b"SQLite format 3\0".to_vec(), Content::Sqlite),
        (b"\xff\xfe{\0".to_vec(), Content::Utf16),
        (format!("[{GOOD}]").into_bytes(), Content::JsonArray),
        (format!(" [\n {GOOD},\n").into_bytes(), Content::JsonArray),
        (b"{\n  \"access\": {\n".to_vec(), Content::JsonPretty),
        (b"number,name\n1,2\n".to_vec(), Content::Csv),
        (b"hello\nworld\n".to_vec(), Content::Text),
        (b"[]\n".to_vec(), Content::JsonArray),
    ] {
        for bytes in [bytes.clone(), gzip(&bytes).await] {
            let (lines, problem) = read(&bytes, Limits::default()).await;
            assert_eq!(problem, Some(FileProblem::NotLines(content)));
            assert!(lines.iter().all(|(_, good)| !good));
        }
    }
}

#[tokio::test]
async fn empty_files() {
    for text in ["", "\n\n", "  ", "\u{feff}"] {
        assert_eq!(
            read_all(text).await,
            (vec![], Some(FileProblem::Empty)),
            "{text:?}"
        );
    }
    assert_eq!(
        read(&gzip(b"").await, Limits::default()).await.1,
        Some(FileProblem::Empty)
    );
}

#[tokio::test]
async fn what_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |path: &std::path::Path| Lines::open(path, Limits::default()).await.err();
    assert_eq!(open(folder.path()).await, Some(FileProblem::Directory));
    assert_eq!(
        open(&folder.path().join("none")).await,
        Some(FileProblem::NotFound)
    );
    assert_eq!(open(&data("subject")).await, None);
}

/// A bad first line does not make a file bad.
#[tokio::test]
async fn one_bad_line_never_affects_others() {
    for bad in [
        "garbage", "[1]", "\"text\"", "{", "{\"a\":", "\u{0}", "}{", "1,2,3",
    ] {
        let text = format!("{bad}x\n{GOOD}\n{bad}\n{GOOD}\n");
        let (lines, problem) = read_all(&text).await;
        assert_eq!(
            lines,
            [(1, false), (2, true), (3, false), (4, true)],
            "{bad}"
        );
        assert_eq!(problem, None);
    }
}

#[test]
fn faults_name_the_field_and_the_column() {
    let secret = "11010519491231002X";
    for (line, field, expected) in [
        (
            format!(r#"{{"subject":{{"certificate":{{"nummer":"{secret}"}}}}}}"#),
            "subject.certificate.nummer",
            LineProblem::UnknownField {
                name: Some("nummer".into()),
            },
        ),
        (
            format!(r#"{{"subject":{{"{secret}":1}}}}"#),
            "subject",
            LineProblem::UnknownField { name: None },
        ),
        (
            format!(r#"{{"subject":{{"people":[{{}},{{"name":["{secret}"]}}]}}}}"#),
            "subject.people[1].name",
            LineProblem::WrongType { column: Some(42) },
        ),
        (
            r#"{"subject":{"subjectNumber":"a","subject_number":"b"}}"#.to_owned(),
            "subject.subject_number",
            LineProblem::Duplicate,
        ),
        (
            r#"{"access":{},"block":{}}"#.to_owned(),
            "block",
            LineProblem::Duplicate,
        ),
        (
            format!(r#"{{"registration":{{"expiresAt":"{secret}"}}}}"#),
            "registration.expires_at",
            LineProblem::WrongValue { column: Some(48) },
        ),
        (
            format!(r#"{{"subject":{{"name":"{secret}"#),
            "subject.name",
            LineProblem::Incomplete,
        ),
        (
            format!(r#"{{"subject" "{secret}"}}"#),
            "",
            LineProblem::NotJson { column: 12 },
        ),
        (
            format!("{GOOD} {GOOD}"),
            "",
            LineProblem::NotJson { column: 71 },
        ),
        (format!("\"{secret}\""), "", LineProblem::NotAnObject),
        ("null".to_owned(), "", LineProblem::NotAnObject),
    ] {
        let (found_field, found) = problem(&line);
        assert_eq!(found_field, field, "{line} {found:?}");
        match (&found, &expected) {
            (LineProblem::NotJson { column }, LineProblem::NotJson { column: expected }) => {
                assert!(column.abs_diff(*expected) <= 6, "{line}: {column}");
            }
            (
                LineProblem::WrongType {
                    column: Some(column),
                }
                | LineProblem::WrongValue {
                    column: Some(column),
                },
                LineProblem::WrongType {
                    column: Some(expected),
                }
                | LineProblem::WrongValue {
                    column: Some(expected),
                },
            ) => assert!(column.abs_diff(*expected) <= 12, "{line}: {column}"),
            _ => assert_eq!(found, expected, "{line}"),
        }
        assert!(!format!("{found:?}").contains(secret));
    }
    let Err(violation) = parse(b"{\"a\xff\":1}") else {
        panic!()
    };
    let expected = FieldProblem::Line(LineProblem::NotUtf8 { column: 4 });
    assert_eq!(violation.problem, expected);
}

#[test]
fn short_names_of_enums_are_answered_with_the_long_ones() {
    let (field, found) = problem(r#"{"subject":{"nature":", expected `张三丰`"}}"#);
    assert_eq!(field, "subject.nature");
    let LineProblem::NotAMember { expected } = found else {
        panic!("{found:?}")
    };
    assert_eq!(expected.len(), 6);
    assert!(
        expected.contains(&"SUBJECT_NATURE_ENTERPRISE".into()),
        "{expected:?}"
    );
}

#[test]
fn deep_nesting_is_refused() {
    let line = format!("{{\"subject\":{}", "[".repeat(500_000));
    problem(&line);
    let line = format!(
        "{{\"x\":null,\"subject\":{}",
        "{\"people\":[".repeat(100_000)
    );
    problem(&line);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(record) = parse(&bytes) {
            let _ = intake(CheckDigits::Accept).record(record, now());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(&bytes, Limits { line: 100, decompressed: 1_000 }));
    }

    #[test]
    fn any_change_of_a_good_line_is_read_without_a_panic(
        kind in 0_usize..10,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        let text = std::fs::read_to_string(data(super::support::KINDS[kind])).unwrap();
        let mut line: Vec<char> = text.lines().next().unwrap().chars().collect();
        for (at, character) in changes {
            let at = at.index(line.len());
            line[at] = character;
        }
        let line: String = line.into_iter().collect();
        if let Ok(record) = parse(line.as_bytes()) {
            let _ = intake(CheckDigits::Accept).record(record, now());
        }
    }
}
