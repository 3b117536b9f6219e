//! Reads a response.
//!
//! As for queries to the name server, only what is needed is decoded: few types
//! of records, of the class IN.

use std::net::IpAddr;

use hickory_proto::op::{self, Header, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, DecodeError};

/// What a server answered.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) code: ResponseCode,
    pub(super) truncated: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: Name,
    pub(super) data: Data,
}

/// The data of a record, as far as it is of interest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Data {
    Alias(Name),
    NameServer(Name),
    Address(IpAddr),
    /// Its strings as one.
    Text(Vec<u8>),
    StartOfAuthority,
    Other,
}

impl Response {
    /// The response to a query; none if the message is something else, or is
    /// malformed.
    pub(super) fn read(message: &[u8], query: &Message) -> Option<Self> {
        let mut decoder = BinDecoder::new(message);
        let header = Header::read(&mut decoder).ok()?;
        let fits = header.message_type == MessageType::Response
            && header.id == query.id
            && header.op_code == OpCode::Query;
        if !fits {
            return None;
        }
        // A server that does not understand a query need not repeat the question.
        let repeats = match header.counts.queries {
            0 => header.response_code != ResponseCode::NoError,
            1 => op::Query::read(&mut decoder).ok().as_ref() == query.queries.first(),
            _ => false,
        };
        if !repeats {
            return None;
        }
        let mut response = Self {
            code: header.response_code,
            truncated: header.truncation,
            answers: Vec::new(),
            authorities: Vec::new(),
        };
        // The records of a truncated response are asked for again.
        if !response.truncated {
            response.answers = read_records(&mut decoder, header.counts.answers).ok()?;
            response.authorities = read_records(&mut decoder, header.counts.authorities).ok()?;
        }
        Some(response)
    }

    /// Whether there is an answer, if only that there is nothing.
    pub(super) fn is_definite(&self) -> bool {
        matches!(self.code, ResponseCode::NoError | ResponseCode::NXDomain)
    }

    /// The code as other tools print it: `SERVFAIL`.
    pub(super) fn code_text(&self) -> String {
        format!("{:?}", self.code).to_ascii_uppercase()
    }

    /// The name that this one is an alias of.
    pub(super) fn alias_of(&self, name: &Name) -> Option<&Name> {
        self.answers.iter().find_map(|record| match &record.data {
            Data::Alias(target) if record.name == *name => Some(target),
            _ => None,
        })
    }

    /// The name servers of this name.
    pub(super) fn name_servers_of(&self, name: &Name) -> Vec<Name> {
        let servers = self.answers.iter().filter_map(|record| match &record.data {
            Data::NameServer(server) if record.name == *name => Some(server.clone()),
            _ => None,
        });
        servers.collect()
    }

    /// The values of all TXT records, also of those behind aliases.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.answers.iter().filter_map(|record| match &record.data {
            Data::Text(text) => Some(&**text),
            _ => None,
        })
    }
}

/// A record has at least 11 bytes, so that a large count ends with an error.
fn read_records(decoder: &mut BinDecoder<'_>, count: u16) -> Result<Vec<Record>, DecodeError> {
    let mut records = Vec::new();
    for _ in 0..count {
        let name = Name::read(decoder)?;
        let kind = RecordType::from(decoder.read_u16()?.unverified());
        let class = DNSClass::from(decoder.read_u16()?.unverified());
        let _ttl = decoder.read_u32()?;
        let length = usize::from(decoder.read_u16()?.unverified());
        let end = decoder.index() + length;
        let data = match class {
            DNSClass::IN => read_data(decoder, kind, length)?,
            _ => None,
        };
        let data = match data {
            Some(data) => data,
            None => {
                decoder.read_slice(length)?;
                Data::Other
            }
        };
        if decoder.index() != end {
            return Err(DecodeError::InsufficientBytes);
        }
        records.push(Record { name, data });
    }
    Ok(records)
}

/// None, and nothing read, for other types.
fn read_data(
    decoder: &mut BinDecoder<'_>,
    kind: RecordType,
    length: usize,
) -> Result<Option<Data>, DecodeError> {
    Ok(Some(match kind {
        // Names may refer to earlier parts of the message.
        RecordType::CNAME => Data::Alias(Name::read(decoder)?),
        RecordType::NS => Data::NameServer(Name::read(decoder)?),
        RecordType::A => Data::Address(IpAddr::from(read_array::<4>(decoder)?)),
        RecordType::AAAA => Data::Address(IpAddr::from(read_array::<16>(decoder)?)),
        RecordType::TXT => {
            let data = decoder.read_slice(length)?.unverified();
            let mut strings = BinDecoder::new(data);
            let mut text = Vec::with_capacity(length);
            while !strings.is_empty() {
                text.extend_from_slice(strings.read_character_data()?.unverified());
            }
            Data::Text(text)
        }
        RecordType::SOA => {
            decoder.read_slice(length)?;
            Data::StartOfAuthority
        }
        _ => return Ok(None),
    }))
}

fn read_array<const N: usize>(decoder: &mut BinDecoder<'_>) -> Result<[u8; N], DecodeError> {
    let bytes = decoder.read_slice(N)?.unverified();
    <[u8; N]>::try_from(bytes).map_err(|_| DecodeError::InsufficientBytes)
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, CNAME, MX, NS, SOA, TXT};
    use hickory_proto::rr::{RData, Record as Full};
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn query() -> Message {
        let mut query = Message::query();
        query.add_query(op::Query::query(name("a.example."), RecordType::TXT));
        query
    }

    fn response_to(query: &Message) -> Message {
        let mut response = Message::response(query.id, OpCode::Query);
        response.add_query(query.queries[0].clone());
        for data in [
            RData::CNAME(CNAME(name("b.example."))),
            RData::NS(NS(name("ns.a.example."))),
            RData::A(A::new(192, 0, 2, 1)),
            RData::TXT(TXT::new(vec!["one ".to_owned(), "two".to_owned()])),
            RData::MX(MX::new(1, name("mx.a.example."))),
        ] {
            response.add_answer(Full::from_rdata(name("a.example."), 60, data));
        }
        let soa = SOA::new(name("ns."), name("mail."), 1, 2, 3, 4, 5);
        response.add_authority(Full::from_rdata(name("example."), 60, RData::SOA(soa)));
        response
    }

    #[test]
    fn the_records_of_interest_are_read() {
        let query = query();
        let response = response_to(&query).to_vec().unwrap();
        let response = Response::read(&response, &query).unwrap();
        let data: Vec<&Data> = response.answers.iter().map(|record| &record.data).collect();
        let expected = [
            &Data::Alias(name("b.example.")),
            &Data::NameServer(name("ns.a.example.")),
            &Data::Address([192, 0, 2, 1].into()),
            &Data::Text(b"one two".to_vec()),
            &Data::Other,
        ];
        assert_eq!(data, expected);
        assert_eq!(response.authorities[0].data, Data::StartOfAuthority);
        let asked = name("A.example.");
        assert_eq!(response.alias_of(&asked), Some(&name("b.example.")));
        assert_eq!(response.alias_of(&name("b.example.")), None);
        assert_eq!(response.name_servers_of(&asked), [name("ns.a.example.")]);
        assert_eq!(response.name_servers_of(&name("b.example.")), []);
    }

    #[test]
    fn responses_to_other_queries_are_not_read() {
        let query = query();
        let read = |change: &dyn Fn(&mut Message)| {
            let mut response = response_to(&query);
            change(&mut response);
            Response::read(&response.to_vec().unwrap(), &query).is_some()
        };
        assert!(read(&|_| {}));
        assert!(!read(&|response| response.metadata.id ^= 1));
        assert!(!read(
            &|response| response.metadata.message_type = MessageType::Query
        ));
        assert!(!read(&|response| response.queries.clear()));
        let other = op::Query::query(name("a.example."), RecordType::A);
        assert!(!read(&|response| response.queries = vec![other.clone()]));
        assert!(read(&|response| {
            response.queries.clear();
            response.metadata.response_code = ResponseCode::FormErr;
        }));
    }

    proptest! {
        #[test]
        fn damaged_responses_cause_no_panic(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let query = query();
            let mut bytes = response_to(&query).to_vec().unwrap();
            let _ = Response::read(&bytes[..cut.index(bytes.len())], &query);
            for (index, byte) in damages {
                let index = 2 + index.index(bytes.len() - 2);
                bytes[index] = byte;
            }
            let _ = Response::read(&bytes, &query);
        }
    }
}
