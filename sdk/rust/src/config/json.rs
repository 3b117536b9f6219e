//! Parses JSON (RFC 8259) to a [`Node`].

use super::node::Node;

/// The maximum depth of nested tables and lists.
const DEPTH: usize = 64;

/// Parses a document.
///
/// # Errors
/// The position of the error in bytes. Only authors of tests see it, because the gateway
/// generates valid JSON.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(DEPTH);
    match node {
        Some(node) if reader.peek().is_none() => Ok(node),
        _ => Err(["not JSON at byte ", &reader.at.to_string()].concat()),
    }
}

/// A reader of JSON. Every method returns `None` for text that is not JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, node: Node) -> Option<Node> {
        let found = self.text.get(self.at..)?.starts_with(word);
        found.then(|| self.at += word.len())?;
        Some(node)
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.table(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Node::Text),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            b'n' => self.word("null", Node::Null),
            _ => self.number(),
        }
    }

    fn table(&mut self, depth: usize) -> Option<Node> {
        let mut fields = Vec::new();
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Node::Table(fields));
        }
        loop {
            self.peek()?;
            let name = self.string()?;
            self.take(b':')?;
            fields.push((name, self.node(depth)?));
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some(Node::Table(fields));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        let mut entries = Vec::new();
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Node::List(entries));
        }
        loop {
            entries.push(self.node(depth)?);
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(Node::List(entries));
            }
        }
    }

    fn number(&mut self) -> Option<Node> {
        let rest = self.text.get(self.at..)?;
        let part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let number = rest.get(..end)?;
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || (whole && leading_zero) {
            return None;
        }
        self.at += end;
        if let Ok(signed) = number.parse() {
            return Some(Node::Signed(signed));
        }
        if let Ok(unsigned) = number.parse() {
            return Some(Node::Unsigned(unsigned));
        }
        Some(Node::Fraction(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        let mut string = String::new();
        let mut rest = self.text.get(self.at..)?.strip_prefix('"')?;
        loop {
            let end = rest.find(['"', '\\'])?;
            let (plain, special) = rest.split_at(end);
            if plain.bytes().any(|byte| byte < 0x20) {
                return None;
            }
            string.push_str(plain);
            if let Some(after) = special.strip_prefix('"') {
                self.at = self.text.len() - after.len();
                return Some(string);
            }
            let mut characters = special.get(1..)?.chars();
            let character = match characters.next()? {
                plain @ ('"' | '\\' | '/') => plain,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (character, after) = unicode(characters.as_str())?;
                    characters = after.chars();
                    character
                }
                _ => return None,
            };
            string.push(character);
            rest = characters.as_str();
        }
    }
}

/// The character of `\u…` or of a surrogate pair, and the text behind it. `text` begins
/// with the first four digits.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (high, rest) = unit(text)?;
    if !(0xD800..0xDC00).contains(&high) {
        return Some((char::from_u32(high)?, rest));
    }
    let (low, rest) = unit(rest.strip_prefix("\\u")?)?;
    let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    let code = 0x10000 + ((high - 0xD800) << 10) + low;
    Some((char::from_u32(code)?, rest))
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}
