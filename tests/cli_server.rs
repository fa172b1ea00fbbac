//! The commands that ask a server, against one that answers as it is told to.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_server::{
    ProvisioningService, ProvisioningServiceServer,
};
use icpgate::proto::v1::record_service_server::{RecordService, RecordServiceServer};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Answers every question alike and keeps what it was asked.
#[derive(Clone, Default)]
struct Scripted {
    answer: Arc<Mutex<Option<Result<v1::Decision, Status>>>>,
    asked: Arc<Mutex<Vec<v1::CheckProvisioningRequest>>>,
    imported: Arc<Mutex<Vec<v1::ImportRecordsRequest>>>,
}

struct Server {
    url: String,
    script: Scripted,
    health: tonic_health::server::HealthReporter,
    runtime: tokio::runtime::Runtime,
}

fn server() -> Server {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let script = Scripted::default();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (health, health_service) = tonic_health::server::health_reporter();
    let serving = tonic::transport::Server::builder()
        .add_service(ProvisioningServiceServer::new(script.clone()))
        .add_service(RecordServiceServer::new(script.clone()))
        .add_service(health_service)
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
    runtime.handle().spawn(serving);
    Server {
        url,
        script,
        health,
        runtime,
    }
}

impl Server {
    fn answer(&self, answer: Result<v1::Decision, Status>) {
        *self.script.answer.lock().unwrap() = Some(answer);
    }

    fn run(&self, args: &[&str]) -> Output {
        run(
            tempfile::tempdir().unwrap().path(),
            &[args, &["--server", &self.url]].concat(),
            "",
        )
    }
}

fn run(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .current_dir(folder)
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tonic::async_trait]
impl ProvisioningService for Scripted {
    async fn check_provisioning(
        &self,
        request: Request<v1::CheckProvisioningRequest>,
    ) -> Result<Response<v1::CheckProvisioningResponse>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let decision = self.answer.lock().unwrap().clone().unwrap()?;
        Ok(Response::new(v1::CheckProvisioningResponse::new(decision)))
    }

    async fn batch_check_provisioning(
        &self,
        _: Request<v1::BatchCheckProvisioningRequest>,
    ) -> Result<Response<v1::BatchCheckProvisioningResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    type ScreenDomainsStream = tokio_stream::Empty<Result<v1::ScreenDomainsResponse, Status>>;

    async fn screen_domains(
        &self,
        _: Request<Streaming<v1::ScreenDomainsRequest>>,
    ) -> Result<Response<Self::ScreenDomainsStream>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_decision(
        &self,
        _: Request<v1::GetDecisionRequest>,
    ) -> Result<Response<v1::GetDecisionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

/// Accepts services and refuses everything else.
#[tonic::async_trait]
impl RecordService for Scripted {
    async fn import_records(
        &self,
        request: Request<Streaming<v1::ImportRecordsRequest>>,
    ) -> Result<Response<v1::ImportRecordsResponse>, Status> {
        let mut lines = request.into_inner();
        let mut answer = v1::ImportRecordsResponse {
            revision: "r7".into(),
            ..Default::default()
        };
        while let Some(line) = lines.message().await? {
            let record = line.record.clone().and_then(|record| record.record);
            if let Some(v1::record::Record::Service(_)) = record {
                answer.accepted += 1;
            } else {
                let violation = v1::FieldViolation {
                    field: "subject.name".into(),
                    description: "give a name".into(),
                };
                let violations = vec![violation];
                answer.rejected.push(v1::RejectedLine {
                    line: line.line,
                    violations,
                });
                answer.rejected_count += 1;
            }
            self.imported.lock().unwrap().push(line);
        }
        Ok(Response::new(answer))
    }

    async fn put_records(
        &self,
        _: Request<v1::PutRecordsRequest>,
    ) -> Result<Response<v1::PutRecordsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_domain(
        &self,
        _: Request<v1::GetDomainRequest>,
    ) -> Result<Response<v1::GetDomainResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_changes(
        &self,
        _: Request<v1::ListChangesRequest>,
    ) -> Result<Response<v1::ListChangesResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

fn decision(verdict: v1::Verdict) -> v1::Decision {
    v1::Decision {
        decision_id: "dec-1".into(),
        verdict: verdict.into(),
        ..Default::default()
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let server = server();
    let verdicts = [
        (v1::Verdict::Allow, 0, "✓ ALLOW"),
        (v1::Verdict::Deny, 1, "✗ DENY"),
        (v1::Verdict::Review, 2, "? REVIEW"),
        (v1::Verdict::Indeterminate, 3, "… INDETERMINATE"),
    ];
    for (verdict, code, headline) in verdicts {
        server.answer(Ok(decision(verdict)));
        let args = ["check", "a.cn", "--product", "cdn", "--area", "mainland"];
        let output = server.run(&args);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stdout(&output).starts_with(headline), "{}", stdout(&output));

        let output = server.run(&[&args[..], &["--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(code));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["verdict"], verdict.as_str_name());
        assert_eq!(json["decisionId"], "dec-1");
    }
    server.answer(Ok(v1::Decision {
        verdict: 99,
        ..Default::default()
    }));
    let output = server.run(&["check", "a.cn", "--product", "cdn", "--area", "mainland"]);
    assert_eq!(
        output.status.code(),
        Some(70),
        "an unknown verdict is never an allowance"
    );
}

#[test]
fn a_canary_tells_answers_that_are_not_as_expected() {
    let server = server();
    server.answer(Ok(v1::Decision {
        decision_id: "d1".into(),
        reasons: vec![v1::Reason::FilingNotFound.into()],
        ..decision(v1::Verdict::Deny)
    }));
    let right = ["canary", "--expect", "deny", "a.cn", "--output", "json"];
    let output = server.run(&right);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["ok"], true);
    let checked = &report["checks"][0];
    for (key, value) in [
        ("domain", "a.cn"),
        ("expected", "DENY"),
        ("verdict", "DENY"),
        ("product", "CDN"),
        ("area", "MAINLAND"),
        ("decision_id", "d1"),
    ] {
        assert_eq!(checked[key], value, "{key}");
    }
    assert_eq!(checked["reasons"][0], "FILING_NOT_FOUND");
    let asked = server.script.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.domain, "a.cn");
    assert_eq!(asked.purpose(), v1::Purpose::Order);
    // Two questions, of which one has another answer than is expected.
    let output = server.run(&[&right[..], &["--expect", "allow", "b.cn"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["ok"], false);
    let oks = [&report["checks"][0]["ok"], &report["checks"][1]["ok"]];
    assert_eq!(oks, [true, false]);
    let output = server.run(&["canary", "--expect", "allow", "b.cn"]);
    assert!(
        stdout(&output).contains("FILING_NOT_FOUND"),
        "{}",
        stdout(&output)
    );
    // No answer is no verdict.
    server.answer(Err(Status::permission_denied("no role")));
    let output = server.run(&right);
    assert_eq!(output.status.code(), Some(77));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let error = report["checks"][0]["error"].as_str().unwrap();
    assert!(error.contains("no role"), "{report}");
    assert_eq!(report["ok"], false);
    for (args, code) in [
        (&["canary"][..], 64),
        (&["canary", "--expect", "deny"], 64),
        (&["canary", "--expect", "maybe", "a.cn"], 64),
        (&["canary", "--file", "nowhere.toml"], 66),
    ] {
        let output = server.run(args);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn every_flag_reaches_the_server() {
    let server = server();
    server.answer(Ok(decision(v1::Verdict::Allow)));
    let output = server.run(&[
        "check",
        "例子.中国",
        "--product",
        "Reverse_Proxy",
        "--area",
        "GLOBAL",
        "--purpose",
        "pre-filing",
        "--payment",
        "--model",
        "paid-information",
        "--sector",
        "news,ride_hailing",
        "--sector",
        "forum",
        "--live-since",
        "2026-11-22",
        "--claimed",
        "京ICP备10046444号",
        "--origin",
        "o.cn",
        "--origin-in-mainland",
        "false",
        "--host-header",
        "h.cn",
        "--account-id",
        "acc",
        "--customer-real-name",
        "unverified",
        "--domain-control",
        "not-proven",
        "--applicant",
        "京ICP备10046444号",
        "--order-id",
        "o-1",
        "--at-least-as-fresh",
        "r5",
        "--view",
        "full",
        "--language",
        "zh-CN",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = server.script.asked.lock().unwrap().pop().unwrap();
    let expected = v1::CheckProvisioningRequest {
        domain: "例子.中国".into(),
        product: v1::Product::ReverseProxy.into(),
        service_area: v1::ServiceArea::Global.into(),
        purpose: v1::Purpose::PreFiling.into(),
        site: Some(v1::Site {
            payment_enabled: true,
            business_model: v1::BusinessModel::PaidInformation.into(),
            sectors: vec![
                v1::Sector::News.into(),
                v1::Sector::RideHailing.into(),
                v1::Sector::Forum.into(),
            ],
            live_since: Some(pbjson_types::Timestamp {
                seconds: 1_795_276_800,
                nanos: 0,
            }),
        }),
        claimed_filing_number: "京ICP备10046444号".into(),
        origin_host: "o.cn".into(),
        origin_in_mainland: Some(false),
        host_header: "h.cn".into(),
        customer: Some(v1::Customer {
            account_id: "acc".into(),
            real_name: v1::RealName::Unverified.into(),
            domain_control: v1::DomainControl::NotProven.into(),
        }),
        consistency: Some(v1::check_provisioning_request::Consistency::AtLeastAsFresh(
            "r5".into(),
        )),
        applicant: Some(v1::Applicant {
            subject_number: "京ICP备10046444号".into(),
            ..Default::default()
        }),
        order_id: "o-1".into(),
        view: v1::View::Full.into(),
        language: "zh-CN".into(),
    };
    assert_eq!(asked, expected);
}

#[test]
fn what_the_server_refuses_is_told_field_by_field() {
    let server = server();
    let mut details = ErrorDetails::new();
    details.add_bad_request_violation("domain", "give a name");
    details.add_bad_request_violation("language", "give a tag");
    let malformed = Status::with_error_details(Code::InvalidArgument, "malformed", details);
    let cases = [
        (malformed, 64),
        (Status::permission_denied("no"), 77),
        (Status::unavailable("draining"), 69),
        (Status::internal("a defect"), 70),
    ];
    for (status, code) in cases {
        server.answer(Err(status.clone()));
        let output = server.run(&["check", "", "--product", "cdn", "--area", "mainland"]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains(status.message()), "{told}");
        if code == 64 {
            assert!(
                told.contains("\n  domain: give a name\n  language: give a tag"),
                "{told}"
            );
        }
        assert!(stdout(&output).is_empty());
    }
}

const SERVICE: &str = r#"{"service":{"serviceNumber":"京ICP备10046444号-1"}}"#;
const SUBJECT: &str = r#"{"subject":{"subjectNumber":"京ICP备10046444号"}}"#;

#[test]
fn an_import_over_the_wire_counts_every_line_once() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("{SERVICE}\n\nnot json\n{SUBJECT}\n{{\"subjcet\":{{}}}}\n{SERVICE}\n");
    let args = [
        "import",
        "-",
        "--server",
        &server.url,
        "--rejected",
        "rejected.ndjson",
    ];
    let output = run(folder.path(), &args, &file);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.starts_with("✗ 5 lines: 2 accepted, 0 unchanged, 3 rejected\n"),
        "{text}"
    );
    assert!(
        text.contains("r7") && text.contains("subject.name  give a name"),
        "{text}"
    );
    let lines: Vec<u64> = server
        .script
        .imported
        .lock()
        .unwrap()
        .iter()
        .map(|line| line.line)
        .collect();
    assert_eq!(lines, [1, 4, 6], "numbers are those of the file");
    let rejected = std::fs::read_to_string(folder.path().join("rejected.ndjson")).unwrap();
    let mut numbers: Vec<u64> = rejected
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["line"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5]);

    let args = ["import", "-", "--server", &server.url, "--output", "json"];
    let output = run(folder.path(), &args, &format!("{SERVICE}\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "lines": 1, "accepted": 1, "unchanged": 0, "rejected": 0, "revision": "r7",
        "rejectedLines": [],
    });
    assert_eq!(json, expected);
}

#[test]
fn what_is_no_file_of_records_ends_with_65() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "",
        "domain,number\na.cn,b\nc.cn,d\n",
        "[\n{}\n]\n",
        "hello\n",
    ] {
        let output = run(
            folder.path(),
            &["import", "-", "--server", &server.url],
            text,
        );
        assert_eq!(
            output.status.code(),
            Some(65),
            "{text:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_doctor_knows_a_running_server() {
    let server = server();
    let address = server.url.trim_start_matches("http://");
    let grpc = format!("grpc.listen={address}");
    let args = ["doctor", "--set", &grpc, "--set", "http.listen=127.0.0.1:0"];
    let output = run(tempfile::tempdir().unwrap().path(), &args, "");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("icpgate answers on"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn health_is_told_by_the_exit_code() {
    let server = server();
    let say = |service: &str, status| {
        let saying = server.health.set_service_status(service, status);
        server.runtime.block_on(saying);
    };
    let told = |args: &[&str]| {
        let output = server.run(args);
        (output.status.code(), stdout(&output))
    };
    assert_eq!(told(&["health"]), (Some(0), "SERVING\n".to_owned()));
    say("", tonic_health::ServingStatus::NotServing);
    assert_eq!(told(&["health"]), (Some(1), "NOT_SERVING\n".to_owned()));
    let record = ["health", "--service", "icpgate.v1.RecordService"];
    assert_eq!(told(&record), (Some(1), "SERVICE_UNKNOWN\n".to_owned()));
    say(record[2], tonic_health::ServingStatus::Serving);
    assert_eq!(told(&record), (Some(0), "SERVING\n".to_owned()));

    let folder = tempfile::tempdir().unwrap();
    let nobody = ["health", "--server", "http://127.0.0.1:1"];
    let output = run(folder.path(), &nobody, "");
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
}
