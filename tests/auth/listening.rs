//! Where the program does not listen, and what is wrong with what it is given.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tonic::Code;

use crate::pki::{Authority, Signer};
use crate::program::Program;
use crate::server::{CHECK, Place, call};

/// Makes one thing wrong.
type Spoil = fn(&mut Place);

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .current_dir(folder)
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn another_address_than_loopback_needs_protection() {
    let authority = Authority::new();
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.write("jwks.json", "{}");
    let folder = place.folder.path();
    let tls = &[
        "--set",
        "grpc.tls_cert_file=server.pem",
        "--set",
        "grpc.tls_key_file=server.key",
    ];
    let tokens = &[
        "--set",
        "auth.jwks_file=jwks.json",
        "--set",
        "auth.jwt_issuer=i",
        "--set",
        "auth.jwt_audience=a",
        "--set",
        "auth.callers_file=c.toml",
    ];
    for (listen, with, told) in [
        ("0.0.0.0:0", &[][..], "grpc.client_ca_file"),
        ("[::]:0", &[], "grpc.client_ca_file"),
        ("192.0.2.1:0", &[], "grpc.client_ca_file"),
        ("[::ffff:192.0.2.1]:0", &[], "grpc.client_ca_file"),
        ("0.0.0.0:0", &tls[..], "auth.callers_file"),
        ("0.0.0.0:0", &tokens[..], "grpc.tls_cert_file"),
    ] {
        let mut args = vec!["serve", "--grpc-listen", listen];
        args.extend(with);
        let output = run(folder, &args);
        assert!(!output.status.success(), "{args:?}");
        let said = stderr(&output);
        for part in [told, "--insecure", "docs/SECURING.md", "127.0.0.1"] {
            assert!(said.contains(part), "{args:?}: {said}");
        }
        assert!(!folder.join("icpgate-data").exists(), "nothing is made");
    }
}

/// Said in so many words it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insecure_listens_anywhere() {
    let place = Place::new();
    let mut args = vec!["serve", "--grpc-listen", "0.0.0.0:0", "--insecure"];
    args.extend(["--http-listen", "127.0.0.1:0"]);
    let program = Program::start(place.folder.path(), &args);
    let channel = program.channel().await;
    assert_eq!(call(&channel, CHECK, None).await, Code::InvalidArgument);
    let said = program.stop();
    assert!(said.contains("grpc.insecure is set"), "{said}");
}

#[test]
fn the_doctor_tells_what_keeps_callers_out() {
    let place = Place::new();
    let folder = place.folder.path();
    let doctor = |args: &[&str]| {
        let output = run(
            folder,
            &[&["doctor", "--set", "http.listen=127.0.0.1:0"][..], args].concat(),
        );
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, said) = doctor(&["--set", "grpc.listen=127.0.0.1:0"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no TLS, everybody is let in"), "{said}");
    let (code, said) = doctor(&["--set", "grpc.listen=0.0.0.0:0"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("grpc.client_ca_file"), "{said}");
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_before_anything_is_served() {
    let authority = Authority::new();
    let pair = authority.server();
    let other = Authority::new().server();
    let cases: [(&str, Spoil); 6] = [
        ("caller 1 (`a b`), name", |place| {
            place.callers("[[caller]]\nname = \"a b\"\n");
        }),
        ("client_ca_file", |place| {
            place.write("client-ca.pem", "none");
        }),
        ("tls_cert_file", |place| {
            place.write("server.pem", "");
        }),
        ("tls_key_file", |place| {
            place.write("server.key", "");
        }),
        ("callers_file", |place| {
            place.set("auth.callers_file", "/nowhere/callers.toml");
        }),
        ("not a JSON Web Key Set", |place| {
            let path = place.write("jwks.json", "[]");
            place.set("auth.jwks_file", &path);
            place.issuer();
        }),
    ];
    for (told, spoil) in cases {
        let mut place = Place::new();
        place.tls(&pair);
        place.client_ca(&authority);
        place.callers("[[caller]]\nname = \"a\"\nroles = []\ncertificates = [\"dns:a.example\"]\n");
        spoil(&mut place);
        let Err(error) = place.try_start().await else {
            panic!("{told} was not noticed");
        };
        assert!(format!("{error:#}").contains(told), "{told}: {error:#}");
    }
    let mut place = Place::new();
    place.tls(&pair);
    place.write("server.key", &other.key);
    let Err(error) = place.try_start().await else {
        panic!("a key of another certificate was not noticed");
    };
    assert!(format!("{error:#}").contains("with its key"), "{error:#}");
}

/// The commands of the program, with what they need to be let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_commands_show_who_they_are() {
    let authority = Authority::new();
    let signer = Signer::ec("k");
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.tokens(&[&signer]);
    place.callers(
        "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\ncertificates = [\"dns:shop.example\"]\n\
         [[caller]]\nname = \"feed\"\nroles = [\"importer\"]\nsubjects = [\"feed\"]\n",
    );
    let shop = authority.caller(&["dns:shop.example"]);
    place.write("ca.pem", &authority.pem());
    place.write("shop.pem", &shop.cert);
    place.write("shop.key", &shop.key);
    place.write(
        "records.ndjson",
        r#"{"block":{"list":"BLOCK_LIST_PROVIDER","domain":"blocked-name.cn","reason":"test"},"source":"test"}"#,
    );
    let server = place.start().await.trusted(&authority);
    server.place.write(
        "feed.token",
        &format!("{}\n", signer.token(&server.claims("feed"))),
    );
    let url = format!("https://localhost:{}", server.address.port());
    let folder = server.place.folder.path().to_owned();
    let run = async |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || {
            run(
                &folder,
                &args.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .await
        .unwrap()
    };
    let check = [
        "check",
        "sample-shop.cn",
        "--product",
        "cdn",
        "--area",
        "mainland",
        "--server",
        &url,
    ];
    let import = ["import", "records.ndjson", "--server", &url];
    let ca = ["--set", "client.ca_file=ca.pem"];
    let certificate = [
        "--set",
        "client.cert_file=shop.pem",
        "--set",
        "client.key_file=shop.key",
    ];
    let token = ["--set", "client.token_file=feed.token"];
    let output = run(&[&check[..], &ca, &certificate].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = run(&[&import[..], &ca, &token].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // Known, and not allowed; unknown; not trusted.
    let output = run(&[&import[..], &ca, &certificate].concat()).await;
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    let output = run(&[&check[..], &ca].concat()).await;
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    let output = run(&[&check[..], &certificate].concat()).await;
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
    // A token is not shown to whoever listens on the way.
    let plain = [
        "check",
        "a.cn",
        "--product",
        "cdn",
        "--area",
        "mainland",
        "--server",
        "http://192.0.2.1:1",
    ];
    let output = run(&[&plain[..], &token].concat()).await;
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("not encrypted"),
        "{}",
        stderr(&output)
    );
    server.stop().await;
}

/// Where certificates are required, a command without one tells that the server hung up, and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_without_its_certificate_tells_so() {
    let authority = Authority::new();
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.callers(
        "[[caller]]\nname = \"a\"\nroles = [\"checker\"]\ncertificates = [\"dns:a.example\"]\n",
    );
    place.write("ca.pem", &authority.pem());
    let server = place.start().await.trusted(&authority);
    let url = format!("https://localhost:{}", server.address.port());
    let folder = server.place.folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let question = ["check", "a.cn", "--product", "cdn", "--area", "mainland"];
        let rest = ["--server", &url, "--set", "client.ca_file=ca.pem"];
        run(&folder, &[&question[..], &rest].concat())
    });
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("client.cert_file"),
        "{}",
        stderr(&output)
    );
    server.stop().await;
}

/// Without any authentication everybody on this machine is let in, whatever is shown.
#[tokio::test]
async fn on_loopback_everybody_may_everything() {
    let server = Place::new().start().await;
    let channel = server.channel(None).await;
    for token in [None, Some("anything")] {
        assert_eq!(call(&channel, CHECK, token).await, Code::InvalidArgument);
    }
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_ne!(call(&channel, reflection, None).await, Code::Unimplemented);
    tokio::time::timeout(Duration::from_secs(30), server.stop())
        .await
        .unwrap();
}
