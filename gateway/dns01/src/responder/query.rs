//! Reads a query.
//!
//! Only its header, its question and the fixed part of an OPT record are decoded;
//! the data of records is skipped, so that none of the decoders for their many
//! types is within reach of strangers.

use hickory_proto::op::{self, Header, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, DecodeError};

/// The type of the pseudo-record of EDNS (RFC 6891, section 6.1.2).
pub(super) const OPT: u16 = 41;

/// What a message turns out to be.
#[derive(Debug)]
pub(super) enum Received {
    /// Not answered: too short, or itself a response, which could otherwise go
    /// back and forth for ever.
    Nothing,
    /// Answered with this code and nothing else.
    Unusable(Metadata, ResponseCode),
    Query(Query),
}

/// A query with one question.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) metadata: Metadata,
    pub(super) question: op::Query,
    pub(super) edns: Option<Edns>,
}

/// What a client says of itself in an OPT record (RFC 6891, section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) version: u8,
    /// The size of a datagram that it can receive.
    pub(super) payload: u16,
    pub(super) dnssec_ok: bool,
}

impl Received {
    pub(super) fn read(message: &[u8]) -> Self {
        let mut decoder = BinDecoder::new(message);
        let Ok(header) = Header::read(&mut decoder) else {
            return Self::Nothing;
        };
        let metadata = header.metadata;
        if metadata.message_type == MessageType::Response {
            return Self::Nothing;
        }
        if metadata.op_code != OpCode::Query {
            return Self::Unusable(metadata, ResponseCode::NotImp);
        }
        // RFC 9619: more than one question is malformed. None is of use only with
        // cookies (RFC 7873), which are not implemented.
        if header.counts.queries != 1 {
            return Self::Unusable(metadata, ResponseCode::FormErr);
        }
        match read_rest(&mut decoder, &header) {
            Ok((question, edns)) => Self::Query(Query {
                metadata,
                question,
                edns,
            }),
            Err(_) => Self::Unusable(metadata, ResponseCode::FormErr),
        }
    }
}

fn read_rest(
    decoder: &mut BinDecoder<'_>,
    header: &Header,
) -> Result<(op::Query, Option<Edns>), DecodeError> {
    let question = op::Query::read(decoder)?;
    let counts = header.counts;
    let before = u32::from(counts.answers) + u32::from(counts.authorities);
    let mut edns = None;
    for n in 0..before + u32::from(counts.additionals) {
        let Some(found) = read_record(decoder)? else {
            continue;
        };
        if n < before || edns.replace(found).is_some() {
            return Err(DecodeError::DuplicateEdns);
        }
    }
    match decoder.is_empty() {
        true => Ok((question, edns)),
        false => Err(DecodeError::InsufficientBytes),
    }
}

/// Skips a record, which has at least 11 bytes (RFC 1035, section 4.1.3). Some if
/// it is an OPT record.
fn read_record(decoder: &mut BinDecoder<'_>) -> Result<Option<Edns>, DecodeError> {
    let name = Name::read(decoder)?;
    let kind = decoder.read_u16()?.unverified();
    let class = decoder.read_u16()?.unverified();
    let [_, version, flags, _] = decoder.read_u32()?.unverified().to_be_bytes();
    let length = decoder.read_u16()?.unverified();
    decoder.read_slice(usize::from(length))?;
    if kind != OPT {
        return Ok(None);
    }
    if !name.is_root() {
        return Err(DecodeError::EdnsNameNotRoot(Box::new(name)));
    }
    Ok(Some(Edns {
        version,
        payload: class,
        dnssec_ok: flags & 0x80 != 0,
    }))
}
