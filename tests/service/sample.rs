//! The sample does not rot: in ten years it says what it says now.

use icpgate::proto::v1;
use jiff::Timestamp;

use super::harness::{NOW, Server, Start, answers, every_question, obligations, reasons, sound};

async fn told(now: Timestamp) -> Vec<(v1::Verdict, Vec<v1::Reason>, Vec<v1::Reason>)> {
    let server = Server::start(Start {
        now,
        ..Start::default()
    })
    .await;
    let decisions = answers(&server, &every_question()).await;
    decisions
        .iter()
        .inspect(|decision| sound(decision, now))
        .map(|decision| (decision.verdict(), reasons(decision), obligations(decision)))
        .collect()
}

#[tokio::test]
async fn the_sample_says_in_2035_what_it_says_now() {
    let questions = every_question();
    let first = told(NOW.parse().unwrap()).await;
    // A working day, a holiday, a leap day and a turn of the year in Beijing.
    for day in [
        "2027-07-07T07:07:07.777777777Z",
        "2035-03-15T04:00:00Z",
        "2035-10-01T16:30:00Z",
        "2036-02-29T15:59:59.999999999Z",
        "2035-12-31T16:00:00Z",
    ] {
        let later = told(day.parse().unwrap()).await;
        for ((question, first), later) in questions.iter().zip(&first).zip(&later) {
            assert_eq!(later, first, "{day}: {question:?}");
        }
    }
}
