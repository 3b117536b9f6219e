//! Text with inputs of the exchange, as the configuration has it in fields and addresses.

use janua_http::url::UrlWriter;
use janua_wasm::{Facts, Input, Single};

/// The largest value that is made for a field, and the most that an address takes of a request, in
/// bytes.
const MAX_VALUE: usize = 64 * 1024;

/// Text with inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Box<[Part]>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(Box<[u8]>),
    Input(Input),
}

/// The exchange has no usable value for a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// A credential comes several times with different values: who reads it might take another
    /// one than the gateway does.
    Conflicting(Input),
    /// The value is too large.
    TooLarge,
}

impl Template {
    pub(crate) fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
        }
    }

    /// Adds a part at the end.
    pub(crate) fn push(&mut self, part: Part) {
        let parts = std::mem::take(&mut self.parts);
        self.parts = parts.into_iter().chain([part]).collect();
    }

    /// The text, if there are no inputs in it.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match &*self.parts {
            [] => Some(b""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether two requests with the same cache key may get different values.
    pub(crate) fn is_outside_cache_key(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Input(input) if input.is_outside_cache_key()))
    }

    /// The value; none if there are inputs and all of them are absent.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(crate) fn value(&self, facts: &dyn Facts) -> Result<Option<Vec<u8>>, Unusable> {
        let mut value = Vec::new();
        let mut is_present = self.literal().is_some();
        for part in &self.parts {
            match part {
                Part::Literal(text) => value.extend_from_slice(text),
                Part::Input(input) => is_present |= append(input, facts, &mut value)?,
            }
            if value.len() > MAX_VALUE {
                return Err(Unusable::TooLarge);
            }
        }
        Ok(is_present.then_some(value))
    }

    /// Appends the parts to a URL, each value encoded for its place. An absent one is empty.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(crate) fn write_to(&self, url: &mut UrlWriter, facts: &dyn Facts) -> Result<(), Unusable> {
        let mut value = Vec::new();
        let mut size = 0;
        for part in &self.parts {
            let input = match part {
                Part::Literal(text) => {
                    url.text(text);
                    continue;
                }
                Part::Input(input) => input,
            };
            value.clear();
            let is_present = append(input, facts, &mut value)?;
            size += value.len();
            if size > MAX_VALUE {
                return Err(Unusable::TooLarge);
            }
            match input {
                Input::Path | Input::OriginalPath => url.path(&value),
                Input::Query | Input::OriginalQuery => url.query(is_present.then_some(&*value)),
                Input::Host | Input::OriginalHost => url.host(&value),
                _ => url.value(&value),
            }
        }
        Ok(())
    }
}

/// Appends the value of an input, and returns whether it is there.
fn append(input: &Input, facts: &dyn Facts, out: &mut Vec<u8>) -> Result<bool, Unusable> {
    if !input.is_credential() {
        return Ok(facts.input(input, out));
    }
    match facts.single(input, out) {
        Single::Absent => Ok(false),
        Single::Present => Ok(true),
        Single::Conflicting => Err(Unusable::Conflicting(input.clone())),
    }
}

impl Unusable {
    /// A description for the client and the log, without any value.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Conflicting(input) => {
                format!("{input} comes several times with different values")
            }
            Self::TooLarge => "a value that the route makes of it is too large".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use janua_wasm::ClientKey;

    use super::*;

    /// An exchange with one header field, a path, and a credential that comes twice.
    struct Exchange;

    impl Facts for Exchange {
        fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
            let value: &[u8] = match input {
                Input::Header(name) if &**name == "x-a" => b"a/b ..",
                Input::Header(name) if &**name == "x-long" => &[b'l'; MAX_VALUE],
                Input::Path => b"/p/q",
                Input::Query => b"k=v",
                Input::Host => b"a.example",
                _ => return false,
            };
            out.extend_from_slice(value);
            true
        }

        fn single(&self, _: &Input, _: &mut Vec<u8>) -> Single {
            Single::Conflicting
        }

        fn is_secret(&self, _: &Input) -> bool {
            false
        }

        fn client(&self) -> ClientKey {
            ClientKey::from(std::net::IpAddr::from([192, 0, 2, 1]))
        }
    }

    fn literal(text: &str) -> Part {
        Part::Literal(text.as_bytes().into())
    }

    fn header(name: &str) -> Part {
        Part::Input(Input::Header(name.into()))
    }

    #[test]
    fn a_value_is_absent_if_all_of_its_inputs_are() {
        for (parts, expected) in [
            (vec![], Some("")),
            (vec![literal("x")], Some("x")),
            (
                vec![literal("<"), header("x-a"), literal(">")],
                Some("<a/b ..>"),
            ),
            (vec![header("x-a"), header("x-none")], Some("a/b ..")),
            (vec![literal("x"), header("x-none")], None),
        ] {
            let value = Template::new(parts.clone()).value(&Exchange).unwrap();
            let value = value.map(|value| String::from_utf8(value).unwrap());
            assert_eq!(value.as_deref(), expected, "{parts:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let too_large = Template::new([literal("x"), header("x-long")]);
        assert_eq!(too_large.value(&Exchange), Err(Unusable::TooLarge));
        let credential = Template::new([header("authorization")]);
        let conflicting = Unusable::Conflicting(Input::Header("authorization".into()));
        assert_eq!(credential.value(&Exchange), Err(conflicting.clone()));
        let mut url = UrlWriter::of_path();
        assert_eq!(credential.write_to(&mut url, &Exchange), Err(conflicting));
        let twice = Template::new([header("x-long"), literal("/"), header("x-long")]);
        let written = twice.write_to(&mut UrlWriter::of_path(), &Exchange);
        assert_eq!(written, Err(Unusable::TooLarge));
    }

    #[test]
    fn in_an_address_each_input_is_written_as_what_it_is() {
        let parts = [
            Part::Input(Input::Host),
            literal("/v2"),
            Part::Input(Input::Path),
            literal("/"),
            header("x-a"),
            Part::Input(Input::Query),
        ];
        let mut url = UrlWriter::of_path();
        url.text(b"/");
        Template::new(parts).write_to(&mut url, &Exchange).unwrap();
        let url = String::from_utf8(url.finish().unwrap()).unwrap();
        assert_eq!(url, "/a.example/v2/p/q/a%2Fb%20..?k=v");
    }
}
