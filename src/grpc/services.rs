//! Hands a call to the service that it names.
//!
//! A match over three names: a router would box every call once more and look for the same.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::service::Routes;

use super::Limits;
use super::method::{Kind, Service};
use super::provisioning::Provisioning;
use super::records::Records;
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

/// All services of the port. Cheap to clone, and always ready.
#[derive(Clone)]
pub(super) struct Services(Arc<Inner>);

struct Inner {
    /// For single questions, which are short.
    check: ProvisioningServiceServer<Provisioning>,
    provisioning: ProvisioningServiceServer<Provisioning>,
    records: RecordServiceServer<Records>,
    /// Health and reflection; tells callers of what nobody serves.
    auxiliary: Routes,
}

impl Services {
    pub(super) fn new(
        provisioning: Provisioning,
        records: Records,
        auxiliary: Routes,
        limits: &Limits,
    ) -> Self {
        let provisioning = Arc::new(provisioning);
        let serve = |most| {
            ProvisioningServiceServer::from_arc(Arc::clone(&provisioning))
                .max_decoding_message_size(most)
                .max_encoding_message_size(usize::MAX)
        };
        Self(Arc::new(Inner {
            check: serve(limits.question.min(limits.request)),
            provisioning: serve(limits.request),
            records: RecordServiceServer::new(records)
                .max_decoding_message_size(limits.request)
                .max_encoding_message_size(usize::MAX),
            auxiliary: auxiliary.prepare(),
        }))
    }
}

impl<B> tower::Service<Request<B>> for Services
where
    B: http_body::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let kind = Kind::of(path);
        match Service::of(path) {
            Service::Provisioning if kind == Kind::Check => self.0.check.clone().call(request),
            Service::Provisioning => self.0.provisioning.clone().call(request),
            Service::Records => self.0.records.clone().call(request),
            Service::Auxiliary => Box::pin(self.0.auxiliary.clone().call(request)),
        }
    }
}
