//! The ordered log of changes, page by page.

use icpgate::proto::v1;

use super::harness::{Server, bad_fields, filed, record};

async fn list(server: &Server, request: v1::ListChangesRequest) -> v1::ListChangesResponse {
    let mut client = server.records().await;
    client.list_changes(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn pages_hold_every_change_once_and_in_order() {
    let server = Server::sample().await;
    let whole = list(
        &server,
        v1::ListChangesRequest {
            page_size: 1000,
            ..Default::default()
        },
    )
    .await;
    assert_eq!(whole.changes.len(), 97);
    assert_eq!(whole.next_page_token, "");
    for change in &whole.changes {
        assert!(!change.kind.is_empty() && !change.key.is_empty() && !change.revision.is_empty());
        assert_eq!(change.source, "sample");
        assert!(change.committed_at.is_some());
    }
    for page_size in [1, 7, 96, 97, 98] {
        let mut changes = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListChangesRequest {
                page_size,
                page_token,
                ..Default::default()
            };
            let page = list(&server, request).await;
            assert!(page.changes.len() <= usize::try_from(page_size).unwrap());
            assert!(!page.changes.is_empty());
            changes.extend(page.changes);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(changes, whole.changes, "{page_size}");
    }
    let usual = list(&server, v1::ListChangesRequest::default()).await;
    assert_eq!(usual.changes, whole.changes);
}

#[tokio::test]
async fn only_later_changes_are_listed() {
    let server = Server::sample().await;
    let first = server.put(filed("first-example.cn", 991_001)).await;
    let second = server.put(filed("second-example.cn", 991_002)).await;
    let after = |after_revision: &str| v1::ListChangesRequest {
        after_revision: after_revision.to_owned(),
        ..Default::default()
    };
    let since = list(&server, after(&first)).await;
    assert_eq!(since.changes.len(), 4);
    assert!(since.changes.iter().all(|change| change.revision == second));
    let kinds: Vec<_> = since
        .changes
        .iter()
        .map(|change| change.kind.as_str())
        .collect();
    assert_eq!(kinds, ["subject", "service", "access", "registration"]);
    let none = list(&server, after(&second)).await;
    assert_eq!((none.changes.len(), none.next_page_token.as_str()), (0, ""));
    // The same once more is no change.
    assert_eq!(
        server.put(filed("second-example.cn", 991_002)).await,
        second
    );
    assert!(list(&server, after(&second)).await.changes.is_empty());
    // A page token goes on from where its page ended, whatever the revision beside it.
    let request = v1::ListChangesRequest {
        page_size: 3,
        ..after(&first)
    };
    let page = list(&server, request).await;
    let request = v1::ListChangesRequest {
        page_size: 3,
        page_token: page.next_page_token,
        ..after(&first)
    };
    let rest = list(&server, request).await;
    assert_eq!(
        (
            page.changes.len(),
            rest.changes.len(),
            rest.next_page_token.as_str()
        ),
        (3, 1, "")
    );
}

#[tokio::test]
async fn keys_of_changes_hold_no_personal_data() {
    let server = Server::empty().await;
    let card = "11010519491231002X";
    let block = format!(
        r#"{{"block":{{"list":"BLOCK_LIST_AUTHORITY","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{card}"}}}}}}"#
    );
    server.put(vec![record(&block)]).await;
    let told = format!(
        "{:?}",
        list(&server, v1::ListChangesRequest::default()).await
    );
    assert!(told.contains("block") && !told.contains(card), "{told}");
}

#[tokio::test]
async fn malformed_pages_are_refused() {
    let server = Server::empty().await;
    let cases = [
        (
            v1::ListChangesRequest {
                after_revision: "r01".into(),
                ..Default::default()
            },
            "after_revision",
        ),
        (
            v1::ListChangesRequest {
                page_size: -1,
                ..Default::default()
            },
            "page_size",
        ),
        (
            v1::ListChangesRequest {
                page_size: 1001,
                ..Default::default()
            },
            "page_size",
        ),
        (
            v1::ListChangesRequest {
                page_token: "next".into(),
                ..Default::default()
            },
            "page_token",
        ),
        (
            v1::ListChangesRequest {
                page_token: "r1".into(),
                ..Default::default()
            },
            "page_token",
        ),
        (
            v1::ListChangesRequest {
                page_token: "r1.+1".into(),
                ..Default::default()
            },
            "page_token",
        ),
    ];
    for (request, field) in cases {
        let mut client = server.records().await;
        let answer = client.list_changes(request.clone()).await;
        let status = answer.expect_err(&format!("{request:?}"));
        assert_eq!(bad_fields(&status), [field], "{request:?}");
    }
    let empty = list(&server, v1::ListChangesRequest::default()).await;
    assert!(empty.changes.is_empty() && empty.next_page_token.is_empty());
}
