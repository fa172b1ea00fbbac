//! NDJSON: one record a line in the proto3 JSON mapping, plain or compressed.
//!
//! **Invariant:** memory is bounded by the longest line, whatever the file holds; a bad line never
//! affects another one.
//! **Absent on purpose:** file names. Compression is told by the first octets, so that a pipe
//! reads as a file does.
//! Start at [`Lines::open`]; [`parse`] reads one line.

use std::io;
use std::io::Cursor;
use std::path::Path;
use std::pin::Pin;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use futures::Stream;
use icpgate_policy::field::{Compression, Content, FileProblem, LineProblem};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::line::violation;
use super::{Line, Violation, sniff};
use crate::proto::v1;

pub use super::line::parse;

/// Octets that are read at once.
const CHUNK: usize = 256 * 1024;

/// Bounds on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most octets of a line, its end not counted. Default: 1 MiB.
    pub line: usize,
    /// Most octets after decompression; a file that is not compressed has no bound. Default:
    /// 64 GiB, some hundred million records.
    pub decompressed: u64,
}

/// The lines of a file, in order, blank ones left out.
pub struct Lines {
    reader: Reader,
    limits: Limits,
    compression: Option<Compression>,
    buffer: Vec<u8>,
    /// Octets read, after decompression.
    octets: u64,
    /// Number of the line read last, from 1, blank lines counted.
    number: u64,
    /// Whether there is a record in it at all.
    suspect: Suspect,
    ended: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 1024 * 1024,
            decompressed: 64 * 1024 * 1024 * 1024,
        }
    }
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Where there is none, it may not be read, or it surely is no file of records.
    pub async fn open(path: &Path, limits: Limits) -> Result<Self, FileProblem> {
        let problem = |error: &io::Error| problem_of(error, None);
        let metadata = tokio::fs::metadata(path)
            .await
            .map_err(|error| problem(&error))?;
        if metadata.is_dir() {
            return Err(FileProblem::Directory);
        }
        let file = tokio::fs::File::open(path)
            .await
            .map_err(|error| problem(&error))?;
        Self::new(BufReader::with_capacity(CHUNK, file), limits).await
    }

    /// Reads from anything, such as standard input.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or surely holds something else than records.
    pub async fn new(
        mut reader: impl AsyncBufRead + Send + Unpin + 'static,
        limits: Limits,
    ) -> Result<Self, FileProblem> {
        let head = head(&mut reader)
            .await
            .map_err(|error| problem_of(&error, None))?;
        let compression = sniff::compression(&head);
        let whole = Cursor::new(head.clone()).chain(reader);
        let (head, reader): (_, Reader) = match compression {
            None => (head, Box::pin(whole)),
            Some(compression) => {
                let mut reader: Reader = match compression {
                    Compression::Gzip => {
                        let mut decoder = GzipDecoder::new(whole);
                        decoder.multiple_members(true);
                        Box::pin(BufReader::with_capacity(CHUNK, decoder))
                    }
                    Compression::Zstd => {
                        let mut decoder = ZstdDecoder::new(whole);
                        decoder.multiple_members(true);
                        Box::pin(BufReader::with_capacity(CHUNK, decoder))
                    }
                };
                // Only what is buffered anyway: an error in it belongs behind the lines before.
                let buffered = reader
                    .fill_buf()
                    .await
                    .map_err(|error| problem_of(&error, Some(compression)))?;
                let head = buffered.iter().copied().take(sniff::ENOUGH).collect();
                (head, reader)
            }
        };
        if let Some(content) = sniff::not_lines(&head) {
            return Err(FileProblem::NotLines(content));
        }
        Ok(Self {
            reader,
            limits,
            compression,
            buffer: Vec::new(),
            octets: 0,
            number: 0,
            suspect: Suspect::Nothing,
            ended: false,
        })
    }

    /// The next line with its number; `None` behind the last. A problem with the whole file
    /// comes last, behind the lines that could be read.
    pub async fn next(&mut self) -> Option<Result<(u64, Line), FileProblem>> {
        while !self.ended {
            match self.read_line().await {
                Ok(Read::Line) => {
                    let text = self.buffer.trim_ascii();
                    if text.is_empty() {
                        continue;
                    }
                    self.suspect.look(text);
                    return Some(Ok((self.number, Line::Text(text.into()))));
                }
                Ok(Read::TooLong) => {
                    self.suspect.look(self.buffer.trim_ascii());
                    let problem = LineProblem::TooLong {
                        limit: self.limits.line,
                    };
                    return Some(Ok((self.number, Line::Unreadable(problem))));
                }
                Ok(Read::End) => {
                    self.ended = true;
                    return self.suspect.verdict().map(Err);
                }
                Ok(Read::Bomb) => {
                    self.ended = true;
                    let limit = self.limits.decompressed;
                    return Some(Err(FileProblem::TooLarge { limit }));
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(problem_of(&error, self.compression)));
                }
            }
        }
        None
    }

    /// The next record with its line number, or why the line is none.
    pub async fn next_record(
        &mut self,
    ) -> Option<Result<(u64, Result<v1::Record, Violation>), FileProblem>> {
        let next = self.next().await?;
        Some(next.map(|(number, line)| (number, line.into_record())))
    }

    /// The lines as a stream, for [`import()`](super::import()).
    pub fn into_stream(
        self,
    ) -> impl Stream<Item = Result<(u64, Line), FileProblem>> + Send + Unpin {
        Box::pin(futures::stream::unfold(self, |mut lines| async move {
            let next = lines.next().await?;
            Some((next, lines))
        }))
    }

    /// Octets read so far, after decompression.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    async fn read_line(&mut self) -> io::Result<Read> {
        self.buffer.clear();
        // Room for `\r\n`, so that a line of the limit is read whole.
        let most = self.limits.line.saturating_add(2);
        let mut bounded = (&mut self.reader).take(u64::try_from(most).unwrap_or(u64::MAX));
        let read = bounded.read_until(b'\n', &mut self.buffer).await?;
        if read == 0 {
            return Ok(Read::End);
        }
        self.number = self.number.saturating_add(1);
        if self.count(read) {
            return Ok(Read::Bomb);
        }
        let ended = self.buffer.last() == Some(&b'\n');
        if ended {
            self.buffer.pop();
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        if self.number == 1 {
            let mark = self
                .buffer
                .len()
                .saturating_sub(sniff::without_mark(&self.buffer).len());
            self.buffer.drain(..mark);
        }
        if !ended && read == most {
            return self.skip_line().await;
        }
        Ok(if self.buffer.len() > self.limits.line {
            Read::TooLong
        } else {
            Read::Line
        })
    }

    async fn skip_line(&mut self) -> io::Result<Read> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let end = chunk.iter().position(|&octet| octet == b'\n');
            let skipped = end.map_or(chunk.len(), |at| at.saturating_add(1));
            let last = end.is_some() || chunk.is_empty();
            self.reader.consume(skipped);
            if self.count(skipped) {
                return Ok(Read::Bomb);
            }
            if last {
                return Ok(Read::TooLong);
            }
        }
    }

    /// Counts octets; whether a compressed file has more than it may.
    fn count(&mut self, read: usize) -> bool {
        self.octets = self
            .octets
            .saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        self.compression.is_some() && self.octets > self.limits.decompressed
    }
}

impl Line {
    /// The record, or why the line is none.
    ///
    /// # Errors
    ///
    /// The field and what is wrong with it.
    pub fn into_record(self) -> Result<v1::Record, Violation> {
        match self {
            Self::Text(text) => parse(&text),
            Self::Record(record) => Ok(*record),
            Self::Unreadable(problem) => Err(violation(String::new(), problem)),
        }
    }
}

type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// What came of reading a line.
enum Read {
    /// More octets than a compressed file may have.
    Bomb,
    End,
    Line,
    TooLong,
}

/// Whether the file holds records at all: one line that begins like an object is enough.
#[derive(Clone, Copy)]
enum Suspect {
    /// No line yet.
    Nothing,
    /// No object yet; the first line looks like this.
    Other(Content),
    /// An object was seen.
    Cleared,
}

impl Suspect {
    fn look(&mut self, line: &[u8]) {
        match (line.first(), &self) {
            (Some(b'{'), _) => *self = Self::Cleared,
            (_, Self::Nothing) => *self = Self::Other(sniff::text(line)),
            (_, Self::Other(_) | Self::Cleared) => {}
        }
    }

    fn verdict(self) -> Option<FileProblem> {
        match self {
            Self::Nothing => Some(FileProblem::Empty),
            Self::Other(content) => Some(FileProblem::NotLines(content)),
            Self::Cleared => None,
        }
    }
}

async fn head(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(sniff::ENOUGH);
    let enough = u64::try_from(sniff::ENOUGH).unwrap_or(u64::MAX);
    reader.take(enough).read_to_end(&mut head).await?;
    Ok(head)
}

fn problem_of(error: &io::Error, compression: Option<Compression>) -> FileProblem {
    match (error.kind(), compression) {
        (io::ErrorKind::NotFound, _) => FileProblem::NotFound,
        (io::ErrorKind::PermissionDenied, _) => FileProblem::PermissionDenied,
        (io::ErrorKind::IsADirectory, _) => FileProblem::Directory,
        (io::ErrorKind::UnexpectedEof, Some(compression)) => FileProblem::Truncated { compression },
        // Errors of the decoders have no number of the operating system.
        (_, Some(compression)) if error.raw_os_error().is_none() => {
            FileProblem::Damaged { compression }
        }
        (kind, _) => FileProblem::Unreadable(kind),
    }
}
