//! Writes small databases in the MaxMind format (version 2), with addresses of both
//! families in one tree.

use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(u32),
    /// A number of 16 bits.
    Short(u16),
    /// A number of 64 bits.
    Long(u64),
    /// A number with a fraction.
    Real(f64),
    /// Yes or no.
    Flag(bool),
    /// Members.
    Map(Vec<(&'static str, Value)>),
    /// Values in their order.
    List(Vec<Value>),
}

/// A database with these networks, the wider ones before those inside them.
#[must_use]
pub fn database(networks: &[(&str, Value)]) -> Vec<u8> {
    let mut tree = Tree(vec![[Leaf::Empty; 2]]);
    let mut data = Vec::new();
    for (network, value) in networks {
        let leaf = Leaf::Data(data.len());
        encode(value, &mut data);
        let (address, length) = network.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), length + 96),
            IpAddr::V6(address) => (address.to_bits(), length),
        };
        tree.insert(bits, length, leaf);
    }
    let count = tree.0.len();
    let mut file = Vec::new();
    for leaf in tree.0.iter().flatten() {
        let record = match leaf {
            Leaf::Empty => count,
            Leaf::Node(node) => *node,
            Leaf::Data(offset) => count + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(record).unwrap().to_be_bytes());
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1)),
        ("database_type", Value::Text("Test")),
        ("description", Value::Map(vec![("en", Value::Text("Test"))])),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List(Vec::new())),
        ("node_count", Value::Number(u32::try_from(count).unwrap())),
        ("record_size", Value::Short(32)),
    ]);
    encode(&metadata, &mut file);
    file
}

#[derive(Clone, Copy)]
enum Leaf {
    Empty,
    Node(usize),
    Data(usize),
}

struct Tree(Vec<[Leaf; 2]>);

impl Tree {
    fn insert(&mut self, bits: u128, length: u32, leaf: Leaf) {
        let side = |depth: u32| usize::from(bits >> (127 - depth) & 1 == 1);
        let mut node = 0;
        for depth in 0..length - 1 {
            let below = self.0[node][side(depth)];
            node = match below {
                Leaf::Node(below) => below,
                // What was there before is there in both halves.
                Leaf::Empty | Leaf::Data(_) => {
                    self.0.push([below; 2]);
                    self.0[node][side(depth)] = Leaf::Node(self.0.len() - 1);
                    self.0.len() - 1
                }
            };
        }
        self.0[node][side(length - 1)] = leaf;
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) => {
            head(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            head(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            head(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Real(number) => {
            head(3, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Flag(flag) => head(14, usize::from(*flag), out),
        Value::Map(members) => {
            head(7, members.len(), out);
            for (name, value) in members {
                encode(&Value::Text(name), out);
                encode(value, out);
            }
        }
        Value::List(values) => {
            head(11, values.len(), out);
            for value in values {
                encode(value, out);
            }
        }
    }
}

/// The type and the size of a value.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let size = u8::try_from(size).ok().filter(|size| *size < 29).unwrap();
    match kind {
        0..8 => out.push(kind << 5 | size),
        _ => out.extend_from_slice(&[size, kind - 7]),
    }
}
