//! The program under its supervisor: health, reflection, signals, and several on one file.

use std::time::Duration;

use icpgate::bootstrap::{self, Parts};
use icpgate::gate::Contact;
use icpgate::lifecycle::LifecycleError;
use icpgate::proto::v1;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::faulty::{self, Fault, Faulty};
use super::frames::{DATA, END_HEADERS, HEADERS, Raw, SETTINGS, call};
use super::harness::{Server, Start, ask, channel, filed, reasons};
use super::program::Program;

const PATIENCE: Duration = Duration::from_secs(20);

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn health_tells_of_the_server_and_of_each_service() {
    let server = Server::empty().await;
    let mut health = HealthClient::new(server.channel().await);
    for service in [
        "",
        "icpgate.v1.ProvisioningService",
        "icpgate.v1.RecordService",
    ] {
        let response = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving, "{service}");
    }
    let status = health.check(of("icpgate.v1.Nobody")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

/// A thousand probes ask nobody, and a store that does not answer keeps none of them waiting.
#[tokio::test]
async fn behaviour_21_probes_cost_nothing_and_do_not_hang() {
    let server = Server::start(Start {
        settings: vec![
            ("cache.poll_interval", "200ms"),
            ("cache.load_timeout", "300ms"),
        ],
        over: |inner| Faulty::over(inner, Fault::Counted),
        ..Start::default()
    })
    .await;
    let mut health = HealthClient::new(server.channel().await);
    let (looks, begin) = (faulty::looks(), Instant::now());
    for _ in 0..1000 {
        let response = health.check(of("")).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving);
    }
    // One look at the change log an interval, and one at each end.
    let intervals = usize::try_from(begin.elapsed().as_millis() / 200).unwrap();
    let looks = faulty::looks() - looks;
    assert!(looks <= intervals + 2, "{looks} in {intervals} intervals");
    let mut watch = health
        .watch(of("icpgate.v1.RecordService"))
        .await
        .unwrap()
        .into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    // From now on every look hangs.
    faulty::hang(true);
    let told = timeout(PATIENCE, watch.message())
        .await
        .expect("it is told");
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::NotServing);
    for service in ["", "icpgate.v1.ProvisioningService"] {
        let response = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(
            response.status(),
            ServingStatus::Serving,
            "safe answers go on"
        );
    }
    faulty::hang(false);
    let told = timeout(PATIENCE, watch.message())
        .await
        .expect("it is told");
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::Serving);
}

/// Whoever has not seen the change log yet has nothing to answer from, and says so.
#[tokio::test]
async fn a_replica_is_ready_when_it_has_seen_the_change_log() {
    let config = super::harness::config(tempfile::tempdir().unwrap().path(), &[]);
    let parts = bootstrap::open(&config, true).await.unwrap();
    let clock = std::sync::Arc::new(icpgate::clock::SystemClock);
    let (gate, _worker) = bootstrap::gate(parts, &config, clock).unwrap();
    let contact = gate.contact();
    assert_eq!(*contact.borrow(), Contact::Beginning);
    gate.follow().await.unwrap();
    assert_eq!(*contact.borrow(), Contact::Held);
    gate.store().close().await;
    gate.follow().await.unwrap_err();
    assert_eq!(*contact.borrow(), Contact::Lost);
}

/// While it says that it ends, it still takes calls, on new connections too.
#[tokio::test]
async fn behaviour_14_calls_are_taken_while_balancers_look_elsewhere() {
    let mut program = Program::start(&["--sample", "--set", "limits.lame_duck=2s"]).await;
    let mut health = HealthClient::new(channel(program.address).await);
    let mut watch = health.watch(of("")).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    program.signal("-TERM");
    let told = timeout(PATIENCE, watch.message())
        .await
        .expect("it is told");
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::NotServing);
    let mut client = program.provisioning().await;
    client
        .check_provisioning(ask("sample-shop.cn"))
        .await
        .unwrap();
    let status = timeout(PATIENCE, program.wait()).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", program.output());
}

/// Slow headers, a message that never comes and an import that says nothing end with the program.
#[tokio::test]
async fn behaviour_14_unfinished_calls_do_not_hold_up_the_end() {
    let lame = ["--sample", "--set", "limits.lame_duck=10ms"];
    let mut program =
        Program::start(&[&lame[..], &["--set", "limits.call_timeout=5s"]].concat()).await;
    let mut headers = Raw::greeted(program.address).await;
    headers
        .write(&[0, 0, 200, HEADERS, END_HEADERS, 0, 0, 0, 1, 0x83])
        .await
        .unwrap();
    let mut message = Raw::greeted(program.address).await;
    let block = call("/icpgate.v1.ProvisioningService/CheckProvisioning");
    message
        .frame(HEADERS, END_HEADERS, 1, &block)
        .await
        .unwrap();
    message.frame(DATA, 0, 1, &[0, 0, 0]).await.unwrap();
    let mut records = program.records().await;
    let (lines, incoming) = tokio::sync::mpsc::channel::<v1::ImportRecordsRequest>(1);
    let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
    let importing = records.import_records(incoming);
    let ending = async {
        headers.until(SETTINGS).await.unwrap();
        message.until(SETTINGS).await.unwrap();
        program.signal("-TERM");
        timeout(PATIENCE, program.wait()).await.expect("it ends")
    };
    let (imported, status) = tokio::join!(importing, ending);
    assert_eq!(imported.unwrap_err().code(), Code::Unavailable);
    assert_eq!(status.code(), Some(0), "{}", program.output());
    drop(lines);
}

/// A second signal does not wait for anybody.
#[tokio::test]
async fn behaviour_14_a_second_signal_ends_it_at_once() {
    let mut program = Program::start(&["--sample", "--set", "limits.lame_duck=15s"]).await;
    let mut health = HealthClient::new(channel(program.address).await);
    let mut watch = health.watch(of("")).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    program.signal("-TERM");
    timeout(PATIENCE, watch.message())
        .await
        .expect("told")
        .unwrap();
    let begin = Instant::now();
    program.signal("-TERM");
    let status = timeout(PATIENCE, program.wait()).await.expect("it ends");
    // What was dropped is told.
    assert_ne!(status.code(), Some(0));
    assert!(
        begin.elapsed() < Duration::from_secs(14),
        "{:?}",
        begin.elapsed()
    );
}

/// What is not done when the patience is at its end is dropped, and the exit code says so.
#[tokio::test]
async fn behaviour_14_the_deadline_of_the_drain_ends_what_runs() {
    let mut args = vec!["--sample"];
    for setting in [
        "limits.lame_duck=10ms",
        "limits.drain_timeout=1s",
        "limits.call_timeout=1h",
    ] {
        args.extend(["--set", setting]);
    }
    let mut program = Program::start(&args).await;
    let mut message = Raw::greeted(program.address).await;
    let block = call("/icpgate.v1.ProvisioningService/CheckProvisioning");
    let headers = message.frame(HEADERS, END_HEADERS, 1, &block);
    headers.await.unwrap();
    message.frame(DATA, 0, 1, &[0, 0, 0]).await.unwrap();
    message.until(SETTINGS).await.unwrap();
    program.signal("-TERM");
    let status = timeout(PATIENCE, program.wait()).await.expect("it ends");
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let output = program.output();
    assert!(output.contains("did not finish in time"), "{output}");
    assert!(output.contains("error: dropped "), "{output}");
}

/// A background task that breaks ends the program with an error, and does so in order. Nothing from
/// outside breaks one, so the store does, under all that the program consists of.
#[tokio::test]
async fn a_background_task_that_breaks_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("grpc.listen", "127.0.0.1:0"),
        ("cache.poll_interval", "20ms"),
    ];
    let config = super::harness::config(folder.path(), &settings);
    let clock = || std::sync::Arc::new(icpgate::clock::SystemClock);
    let door = bootstrap::open_door(&config, clock()).await.unwrap();
    let parts = bootstrap::open(&config, true).await.unwrap();
    let parts = Parts {
        store: Faulty::over(parts.store, Fault::Breaks),
        ..parts
    };
    let serving = bootstrap::serve_parts(parts, door, &config, clock());
    let ended = timeout(PATIENCE, serving).await.expect("it ends");
    let error = ended.unwrap_err();
    let why = error.downcast_ref::<LifecycleError>();
    assert!(
        matches!(why, Some(LifecycleError::TaskPanicked { task }) if task.contains("change log")),
        "{error:?}"
    );
}

#[tokio::test]
async fn reflection_tells_every_service_and_method() {
    let server = Server::empty().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let requests = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("icpgate.v1.ProvisioningService".into()),
        MessageRequest::FileContainingSymbol("icpgate.v1.RecordService".into()),
    ];
    let requests = futures::stream::iter(requests.map(|message| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    }));
    let mut responses = client
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    let mut told = Vec::new();
    while let Some(response) = responses.message().await.unwrap() {
        told.push(response.message_response.unwrap());
    }
    let MessageResponse::ListServicesResponse(services) = &told[0] else {
        panic!("{told:?}");
    };
    let names: Vec<_> = services
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in ["icpgate.v1.ProvisioningService", "icpgate.v1.RecordService"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for (answer, methods) in told[1..].iter().zip([
        [
            "CheckProvisioning",
            "BatchCheckProvisioning",
            "ScreenDomains",
            "GetDecision",
        ],
        ["PutRecords", "ImportRecords", "GetDomain", "ListChanges"],
    ]) {
        let MessageResponse::FileDescriptorResponse(files) = answer else {
            panic!("{answer:?}");
        };
        let bytes = files.file_descriptor_proto.concat();
        for method in methods {
            assert!(
                bytes
                    .windows(method.len())
                    .any(|window| window == method.as_bytes()),
                "{method}"
            );
        }
    }
}

#[tokio::test]
async fn the_program_serves_the_sample_and_ends_in_order() {
    let mut program = Program::start(&["--sample"]).await;
    let mut client = program.provisioning().await;
    let response = client
        .check_provisioning(ask("sample-shop.cn"))
        .await
        .unwrap();
    assert_eq!(
        response.into_inner().decision.unwrap().verdict(),
        v1::Verdict::Allow
    );
    // Started without a word of configuration: its data is beside it, for its owner only.
    let data = program.folder.path().join("icpgate-data");
    #[cfg(unix)]
    for name in ["icpgate.sqlite", "privacy.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(data.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    program.stop().await;
    assert!(
        !data.join("icpgate.sqlite-wal").exists(),
        "the log is folded into the file"
    );
}

/// A call that runs when the signal comes is answered.
#[tokio::test]
async fn a_signal_lets_running_calls_finish() {
    let mut program = Program::start(&["--sample"]).await;
    let mut client = program
        .provisioning()
        .await
        .max_decoding_message_size(usize::MAX);
    let requests = (0..1000)
        .map(|at| ask(&format!("w{at}.sample-shop.cn")))
        .collect();
    let call = client.batch_check_provisioning(v1::BatchCheckProvisioningRequest { requests });
    let signal = async {
        // Long enough for the call to have arrived, not for it to be answered.
        tokio::time::sleep(Duration::from_millis(60)).await;
        program.signal("-TERM");
    };
    let (response, ()) = futures::join!(call, signal);
    assert_eq!(response.unwrap().into_inner().results.len(), 1000);
    drop(client);
    let status = program.wait().await;
    assert_eq!(status.code(), Some(0), "{}", program.output());
}

/// What was answered before the end is in the log after it.
#[tokio::test]
async fn nothing_answered_is_lost_at_the_end() {
    let mut program = Program::start(&["--sample"]).await;
    let mut client = program.provisioning().await;
    let mut ids = Vec::new();
    for at in 0..200 {
        let response = client
            .check_provisioning(ask(&format!("w{at}.sample-shop.cn")))
            .await
            .unwrap();
        ids.push(response.into_inner().decision.unwrap().decision_id);
    }
    drop(client);
    program.stop().await;
    let config = super::harness::config(
        program.folder.path(),
        &[
            ("store.path", path(&program, "icpgate-data/icpgate.sqlite")),
            (
                "privacy.key_file",
                path(&program, "icpgate-data/privacy.key"),
            ),
        ],
    );
    let parts = bootstrap::open(&config, false).await.unwrap();
    for id in ids {
        assert!(parts.store.decision(&id).await.unwrap().is_some(), "{id}");
    }
}

fn path(program: &Program, name: &str) -> &'static str {
    program
        .folder
        .path()
        .join(name)
        .display()
        .to_string()
        .leak()
}

/// Callers who hold something open and say nothing do not keep the program from ending.
#[tokio::test]
async fn silent_callers_do_not_hold_up_the_end() {
    let mut program = Program::start(&["--sample"]).await;
    let silent = TcpStream::connect(program.address).await.unwrap();
    let mut slow = TcpStream::connect(program.address).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    let mut health = HealthClient::new(channel(program.address).await);
    let mut watch = health.watch(of("")).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let idle = channel(program.address).await;
    let mut client = program.provisioning().await;
    let (batches, incoming) = tokio::sync::mpsc::channel(1);
    let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
    let mut screen = client.screen_domains(incoming).await.unwrap().into_inner();
    batches
        .send(v1::ScreenDomainsRequest {
            sequence: 1,
            requests: vec![ask("sample-shop.cn")],
        })
        .await
        .unwrap();
    assert_eq!(screen.message().await.unwrap().unwrap().sequence, 1);
    program.signal("-TERM");
    let told = timeout(PATIENCE, watch.message())
        .await
        .expect("watchers are told");
    if let Ok(Some(told)) = told {
        assert_eq!(told.status(), ServingStatus::NotServing);
    }
    // An open stream ends, so that its caller goes elsewhere.
    let ended = timeout(PATIENCE, screen.message())
        .await
        .expect("the stream is ended");
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
    let status = timeout(PATIENCE, program.wait())
        .await
        .expect("ends although callers are open");
    assert_eq!(status.code(), Some(0), "{}", program.output());
    drop((silent, slow, idle, batches));
}

#[tokio::test]
async fn no_call_is_taken_after_the_end() {
    let mut program = Program::start(&[]).await;
    let address = program.address;
    program.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// Two programs on one file: a write through one is seen by the other at once.
#[tokio::test]
async fn a_second_server_on_the_same_file_works() {
    let mut first = Program::start(&["--sample"]).await;
    let store = path(&first, "icpgate-data/icpgate.sqlite");
    let key = format!(
        "privacy.key_file={}",
        path(&first, "icpgate-data/privacy.key")
    );
    let mut second = Program::start(&["--store-path", store, "--set", &key]).await;
    let mut records = first.records().await;
    let request = v1::PutRecordsRequest {
        records: filed("shared-example.cn", 997_001),
    };
    let revision = records
        .put_records(request)
        .await
        .unwrap()
        .into_inner()
        .revision;
    let mut answers = Vec::new();
    for program in [&first, &second] {
        let mut client = program.provisioning().await;
        let response = client
            .check_provisioning(ask("shared-example.cn"))
            .await
            .unwrap();
        answers.push(response.into_inner().decision.unwrap());
    }
    assert_eq!(answers[0].verdict(), v1::Verdict::Allow);
    assert_eq!(answers[1].verdict(), v1::Verdict::Allow);
    assert_eq!(answers[1].revision, revision);
    assert_eq!(answers[0].policy_version, answers[1].policy_version);
    // Either reads what the other decided.
    let mut client = first.provisioning().await;
    let mut found = false;
    for _ in 0..300 {
        let request = v1::GetDecisionRequest {
            decision_id: answers[1].decision_id.clone(),
        };
        found = client.get_decision(request).await.is_ok();
        if found {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(found, "the other's decision");
    drop((client, records));
    second.stop().await;
    let mut client = first.provisioning().await;
    let response = client
        .check_provisioning(ask("nowhere-filed.cn"))
        .await
        .unwrap();
    assert_eq!(
        reasons(&response.into_inner().decision.unwrap()),
        [v1::Reason::FilingNotFound]
    );
    drop(client);
    first.stop().await;
}

/// Killed without a word, it loses nothing that it acknowledged.
#[tokio::test]
async fn a_killed_program_keeps_what_it_acknowledged() {
    let mut program = Program::start(&["--sample"]).await;
    let mut records = program.records().await;
    let mut client = program.provisioning().await;
    let request = v1::PutRecordsRequest {
        records: filed("killed-example.cn", 997_002),
    };
    records.put_records(request).await.unwrap();
    let question = v1::CheckProvisioningRequest {
        purpose: v1::Purpose::Activation as i32,
        order_id: "order-1".into(),
        ..ask("killed-example.cn")
    };
    let activated = client
        .check_provisioning(question)
        .await
        .unwrap()
        .into_inner()
        .decision
        .unwrap();
    program.signal("-KILL");
    program.wait().await;
    let config = super::harness::config(
        program.folder.path(),
        &[
            ("store.path", path(&program, "icpgate-data/icpgate.sqlite")),
            (
                "privacy.key_file",
                path(&program, "icpgate-data/privacy.key"),
            ),
        ],
    );
    let parts = bootstrap::open(&config, false).await.unwrap();
    let recorded = parts
        .store
        .decision(&activated.decision_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(recorded.orders.len(), 1);
    let counts: u64 = parts
        .store
        .counts()
        .await
        .unwrap()
        .iter()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(counts, 97 + 4);
}

#[tokio::test]
async fn garbage_at_the_port_harms_nobody() {
    let server = Server::sample().await;
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = stream.shutdown().await;
    }
    assert_eq!(
        server.check(ask("sample-shop.cn")).await.verdict(),
        v1::Verdict::Allow
    );
}
