//! Edits of a head that the configuration of a route makes.

use janua_http::Fields;
use janua_http::fields::{ConstantEdits, is_field_value};
use janua_wasm::Facts;

use crate::template::{Template, Unusable};

/// The largest size of all values that are made for a head, in bytes.
const MAX_VALUES: usize = 256 * 1024;

/// Edits, made in this order: fields are removed, then set, then lines are added.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadEdits {
    /// The fields that are removed, and those that are set to text.
    pub(crate) constant: ConstantEdits,
    /// The fields that are set to what depends on the exchange.
    pub(crate) set: Box<[(Box<str>, Template)]>,
    pub(crate) add: Box<[(Box<str>, Template)]>,
}

/// The values of edits for one exchange, in their order. They are made before the first edit, so
/// that an input has the value that it had then.
#[derive(Debug, Default)]
pub(crate) struct EditValues(Vec<Option<Vec<u8>>>);

/// A value that cannot be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadValue {
    /// The field.
    pub(crate) field: Box<str>,
    /// Why, as a clause for the log.
    pub(crate) why: String,
}

impl HeadEdits {
    fn values(&self) -> impl Iterator<Item = &(Box<str>, Template)> {
        self.set.iter().chain(&self.add)
    }

    /// Makes the values.
    ///
    /// # Errors
    /// The exchange has no usable value for a field.
    pub(crate) fn render(&self, facts: &dyn Facts) -> Result<EditValues, BadValue> {
        let mut size = 0;
        let values = self.values().map(|(name, template)| {
            let value = render(template, facts, &mut size);
            value.map_err(|why| BadValue {
                field: name.clone(),
                why,
            })
        });
        values.collect::<Result<_, _>>().map(EditValues)
    }

    /// Makes the values; one that cannot be made is absent.
    pub(crate) fn render_usable(&self, facts: &dyn Facts) -> EditValues {
        let mut size = 0;
        let values = self.values();
        let values = values.map(|(_, template)| render(template, facts, &mut size).ok().flatten());
        EditValues(values.collect())
    }

    /// Makes the edits.
    pub(crate) fn edit(&self, values: &EditValues, fields: &mut Fields) {
        fields.edit(&self.constant);
        let mut values = values.0.iter().map(Option::as_deref);
        for (name, _) in &self.set {
            match values.next().flatten() {
                Some(value) => fields.set(name.as_bytes(), value),
                None => {
                    fields.remove(name.as_bytes());
                }
            }
        }
        for (name, _) in &self.add {
            if let Some(value) = values.next().flatten() {
                fields.append(name.as_bytes(), value);
            }
        }
    }

    /// The values that may differ between requests with the same cache key.
    pub(crate) fn outside_cache_key<'v>(
        &self,
        values: &'v EditValues,
    ) -> impl Iterator<Item = Option<&'v [u8]>> {
        let values = self.values().zip(&values.0);
        let outside = values.filter(|((_, template), _)| template.is_outside_cache_key());
        outside.map(|(_, value)| value.as_deref())
    }
}

/// The value of one field.
fn render(
    template: &Template,
    facts: &dyn Facts,
    size: &mut usize,
) -> Result<Option<Vec<u8>>, String> {
    let value = template.value(facts).map_err(|unusable| unusable.words())?;
    let Some(value) = value else {
        return Ok(None);
    };
    // A decoded query parameter can contain a line end, which must not get into a head.
    if !is_field_value(&value) {
        return Err("a value is not valid in a field".to_owned());
    }
    *size += value.len();
    match *size > MAX_VALUES {
        true => Err(Unusable::TooLarge.words()),
        // Spaces at its ends are no part of a value (RFC 9110 §5.5), and malformed in HTTP/2.
        false => Ok(Some(value.trim_ascii().to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use janua_wasm::{ClientKey, Input, Single};

    use super::*;
    use crate::template::Part;

    /// An exchange whose fields are those of a head.
    struct Head<'a>(&'a Fields);

    impl Facts for Head<'_> {
        fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
            match input {
                Input::Header(name) => self.0.joined(name.as_bytes(), b", ", out),
                Input::QueryParameter(_) => {
                    out.extend_from_slice(b"a\r\nx-evil: 1");
                    true
                }
                _ => false,
            }
        }

        fn single(&self, input: &Input, out: &mut Vec<u8>) -> Single {
            match self.input(input, out) {
                true => Single::Present,
                false => Single::Absent,
            }
        }

        fn is_secret(&self, _: &Input) -> bool {
            false
        }

        fn client(&self) -> ClientKey {
            ClientKey::from(std::net::IpAddr::from([192, 0, 2, 1]))
        }
    }

    fn of_header(name: &str) -> Template {
        Template::new([Part::Input(Input::Header(name.into()))])
    }

    fn text(text: &str) -> Template {
        Template::new([Part::Literal(text.as_bytes().into())])
    }

    fn shown(fields: &Fields) -> Vec<String> {
        let line = |(_, name, value): (_, &[u8], &[u8])| {
            let line = [name, b": ", value].concat();
            String::from_utf8(line).unwrap()
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn values_are_made_before_the_first_edit() {
        let mut fields = Fields::default();
        for (name, value) in [("x-a", "1"), ("x-b", "2"), ("x-b", "3"), ("x-c", "4")] {
            fields.append(name.as_bytes(), value.as_bytes());
        }
        let mut constant = ConstantEdits::default();
        constant.remove(b"x-a");
        constant.set(b"x-d", b"5");
        let edits = HeadEdits {
            constant,
            set: [
                ("x-e".into(), of_header("x-a")),
                ("x-c".into(), of_header("x-none")),
            ]
            .into(),
            add: [
                ("x-b".into(), of_header("x-b")),
                ("x-b".into(), text("6")),
                ("x-f".into(), of_header("x-none")),
            ]
            .into(),
        };
        let values = edits.render(&Head(&fields)).unwrap();
        edits.edit(&values, &mut fields);
        let expected = [
            "x-b: 2",
            "x-b: 3",
            "x-d: 5",
            "x-e: 1",
            "x-b: 2, 3",
            "x-b: 6",
        ];
        assert_eq!(shown(&fields), expected);
        let personal: Vec<_> = edits.outside_cache_key(&values).collect();
        let expected: [Option<&[u8]>; 4] = [Some(b"1"), None, Some(b"2, 3"), None];
        assert_eq!(personal, expected);
    }

    #[test]
    fn a_line_end_does_not_get_into_a_head() {
        let parameter = Template::new([Part::Input(Input::QueryParameter("q".into()))]);
        let edits = HeadEdits {
            set: [("x-a".into(), parameter)].into(),
            ..HeadEdits::default()
        };
        let mut fields = Fields::default();
        fields.append(b"x-a", b"1");
        let refused = edits.render(&Head(&fields)).unwrap_err();
        assert_eq!(
            (&*refused.field, &*refused.why),
            ("x-a", "a value is not valid in a field")
        );
        let values = edits.render_usable(&Head(&fields));
        edits.edit(&values, &mut fields);
        assert!(shown(&fields).is_empty());
    }
}
