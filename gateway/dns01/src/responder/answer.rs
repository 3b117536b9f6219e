//! Answers a query: bytes in, bytes out.

use hickory_proto::ProtoError;
use hickory_proto::op::{self, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{HINFO, NS, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::known::{Known, Place};
use super::query::{OPT, Query, Received};

/// The largest datagram that is sent and expected: it passes every network
/// without fragments (the DNS flag day of 2020).
const DATAGRAM_BYTES: u16 = 1232;
/// The largest without EDNS (RFC 1035, section 4.2.1).
const PLAIN_DATAGRAM_BYTES: u16 = 512;

/// For the records that do not change, in seconds.
const APEX_TTL: u32 = 300;
/// For values and for the SOA record of a response without data: as short as
/// possible. Zero is legal, but some resolvers make a minute of it.
const VALUE_TTL: u32 = 1;

/// How much room there is for a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// What the client says that it can receive.
    Datagram,
    /// None: the client has to come by TCP.
    Truncated,
    Stream,
}

/// The response to a message; none if it must not be answered.
pub(super) fn respond(message: &[u8], room: Room, known: &Known) -> Option<Vec<u8>> {
    let query = match Received::read(message) {
        Received::Nothing => return None,
        // Nobody would come by TCP to hear this.
        Received::Unusable(..) if room == Room::Truncated => return None,
        Received::Unusable(metadata, code) => {
            return response(&metadata, code).to_vec().ok();
        }
        Received::Query(query) => query,
    };
    let mut bytes = match room {
        Room::Truncated => bare(&query, ResponseCode::NoError).truncate().to_vec(),
        Room::Datagram | Room::Stream => {
            let limit = limit(room, &query);
            answer(&query, known).and_then(|answer| match answer.to_vec()? {
                bytes if bytes.len() <= limit => Ok(bytes),
                _ => answer.truncate().to_vec(),
            })
        }
    };
    if bytes.is_err() {
        bytes = response(&query.metadata, ResponseCode::ServFail).to_vec();
    }
    bytes.ok()
}

fn limit(room: Room, query: &Query) -> usize {
    usize::from(match (room, query.edns) {
        (Room::Stream, _) => u16::MAX,
        (_, None) => PLAIN_DATAGRAM_BYTES,
        // RFC 6891, section 6.2.3: less than 512 means 512.
        (_, Some(edns)) => edns.payload.clamp(PLAIN_DATAGRAM_BYTES, DATAGRAM_BYTES),
    })
}

fn answer(query: &Query, known: &Known) -> Result<Message, ProtoError> {
    // RFC 6891, section 6.1.3.
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return Ok(bare(query, ResponseCode::BADVERS));
    }
    let question = &query.question;
    let refused = || bare(query, ResponseCode::Refused);
    if question.query_class != DNSClass::IN {
        return Ok(refused());
    }
    match u16::from(question.query_type) {
        OPT => return Ok(bare(query, ResponseCode::FormErr)),
        // Those that are no types of records, among them transfers of a zone (RFC
        // 6895, section 3.1); but not ANY.
        249..=254 => return Ok(refused()),
        _ => {}
    }
    let Some(place) = known.find(&question.name) else {
        return Ok(refused());
    };
    let mut answer = bare(query, ResponseCode::NoError);
    answer.metadata.authoritative = true;
    // The name as it was asked, because some resolvers mix cases to recognise
    // their own question, and because it needs no room then.
    let add = |answer: &mut Message, ttl: u32, data: RData| {
        answer.add_answer(Record::from_rdata(question.name.clone(), ttl, data));
    };
    let is_apex = place.below_apex == 0;
    match question.query_type {
        RecordType::TXT => {
            for value in &place.values {
                let text = TXT::from_bytes(vec![value.as_bytes()]);
                add(&mut answer, VALUE_TTL, RData::TXT(text));
            }
        }
        RecordType::SOA if is_apex => {
            add(&mut answer, APEX_TTL, RData::SOA(place.soa.clone()));
        }
        RecordType::NS if is_apex => {
            let name_server = NS(known.name_server().clone());
            add(&mut answer, APEX_TTL, RData::NS(name_server));
        }
        // RFC 8482, section 4.2: the least that is not an error.
        RecordType::ANY if is_apex || !place.values.is_empty() => {
            let text = HINFO::new("RFC8482".to_owned(), String::new());
            add(&mut answer, APEX_TTL, RData::HINFO(text));
        }
        _ => {}
    }
    if answer.answers.is_empty() {
        answer.add_authority(no_data(&question.name, place)?);
    }
    Ok(answer)
}

/// What says how long there is nothing (RFC 2308, section 2.2): the SOA record of
/// the zone, whose name is the last part of the question's.
fn no_data(name: &Name, place: Place) -> Result<Record, ProtoError> {
    let apex = Name::from_labels(name.iter().skip(place.below_apex))?;
    Ok(Record::from_rdata(apex, VALUE_TTL, RData::SOA(place.soa)))
}

/// A response that repeats the question, and knows EDNS if the client does.
fn bare(query: &Query, code: ResponseCode) -> Message {
    let mut message = response(&query.metadata, code);
    message.add_query(query.question.clone());
    if let Some(edns) = query.edns {
        let mut ours = op::Edns::new();
        ours.set_max_payload(DATAGRAM_BYTES);
        // RFC 3225, section 3: it is copied. Nothing here is signed.
        ours.set_dnssec_ok(edns.dnssec_ok);
        message.set_edns(ours);
    }
    message
}

/// A response with nothing but a header: never recursive.
fn response(query: &Metadata, code: ResponseCode) -> Message {
    let mut message = Message::new(query.id, MessageType::Response, query.op_code);
    // RFC 1035, section 4.1.1: it is copied.
    message.metadata.recursion_desired = query.recursion_desired && query.op_code == OpCode::Query;
    message.metadata.response_code = code;
    message
}

#[cfg(test)]
mod tests;
