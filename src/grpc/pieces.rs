//! Lets the answers of several calls leave in one write.
//!
//! The HTTP/2 library gathers frames in a buffer and writes it once there is nothing more to send.
//! A frame of data beyond a bound is not copied there but ends the gathering: it is written at
//! once, with what was gathered before. The bound is 256 octets where the connection takes several
//! buffers in one write, and 1024 where it does not. An answer has about a kilobyte, so each would
//! be a system call of its own, on both sides, where many fit into one. Connections therefore say
//! that they take one buffer only, and [`Pieces`] cuts answers of a few kilobytes into frames below
//! the bound. What is larger is written as it is: there a copy costs more than a call.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Octets of a piece: below the bound of the library.
const PIECE: usize = 1_000;

/// Octets beyond which data is left whole.
const MOST_CUT: usize = 8 * 1024;

/// A body whose data comes in pieces.
#[derive(Debug)]
pub(super) struct Pieces<B> {
    body: B,
    /// What of the last data is not handed out yet.
    rest: Bytes,
}

impl<B> Pieces<B> {
    /// Cuts what comes from a body.
    pub(super) const fn new(body: B) -> Self {
        Self {
            body,
            rest: Bytes::new(),
        }
    }

    fn piece(&mut self) -> Bytes {
        if self.rest.len() > MOST_CUT {
            return std::mem::take(&mut self.rest);
        }
        self.rest.split_to(PIECE.min(self.rest.len()))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
            let data = match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            self.rest = data;
        }
        let piece = self.piece();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = self.body.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use super::*;

    /// A body of frames that are there.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn pieces(frames: Vec<Frame<Bytes>>) -> Vec<Result<Bytes, http::HeaderMap>> {
        let mut body = Pieces::new(Frames(frames.into()));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut all = Vec::new();
        loop {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => all.push(
                    frame
                        .into_data()
                        .map_err(|frame| frame.into_trailers().expect("data or trailers")),
                ),
                Poll::Ready(None) => return all,
                other @ (Poll::Ready(Some(Err(_))) | Poll::Pending) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_leaves_in_pieces_below_the_bound_and_whole_in_sum() {
        let answer: Vec<u8> = (0..2_500_u32).map(|octet| octet.to_le_bytes()[0]).collect();
        let all = pieces(vec![
            Frame::data(answer.clone().into()),
            Frame::trailers(http::HeaderMap::new()),
        ]);
        let data: Vec<&Bytes> = all.iter().flatten().collect();
        let lengths: Vec<usize> = data.iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [1_000, 1_000, 500]);
        assert_eq!(
            data.into_iter().flatten().copied().collect::<Vec<_>>(),
            answer
        );
        assert!(all.last().is_some_and(Result::is_err), "trailers come last");
    }

    #[test]
    fn what_is_large_is_left_whole() {
        let all = pieces(vec![Frame::data(vec![1; MOST_CUT + 1].into())]);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn an_empty_frame_stays_one() {
        let all = pieces(vec![Frame::data(Bytes::new()), Frame::data(vec![1].into())]);
        assert_eq!(all.len(), 2);
    }
}
