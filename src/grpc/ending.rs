//! Ends streams of answers in order: with a status, as a service would, and not by cutting them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use http::{HeaderMap, Response};
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;

/// Ends the body of an answer with the status that `end` gives, if it is not at its end before.
pub(super) fn until(
    answer: Response<Body>,
    end: impl Future<Output = Status> + Send + 'static,
) -> Response<Body> {
    answer.map(|body| {
        Body::new(Ending {
            body: Some(body),
            end: Box::pin(end),
        })
    })
}

/// The last frame of a stream that ends with a status.
pub(super) fn last(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

struct Ending {
    /// `None` once it was ended.
    body: Option<Body>,
    end: BoxFuture<'static, Status>,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        // What is there already goes first.
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let status = ready!(self.end.as_mut().poll(context));
        self.body = None;
        Poll::Ready(Some(last(&status)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    /// A body that gives one piece and then nothing for ever.
    struct Endless(Option<Bytes>);

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            match self.0.take() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_a_status_after_what_is_there() {
        let body = Body::new(Endless(Some(Bytes::from_static(b"piece"))));
        let answer = until(Response::new(body), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Status::unavailable("ended")
        });
        let mut body = answer.into_body();
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let piece = next().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "piece");
        let trailers = next().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "14");
        assert!(next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_by_itself_is_left_alone() {
        let never = std::future::pending::<Status>();
        let answer = until(Response::new(Body::empty()), never);
        let mut body = answer.into_body();
        let end = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(end.is_none());
    }
}
