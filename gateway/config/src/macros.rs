//! Macros that derive type, decoder, defaults and reference of a table or a
//! choice of words from one definition.

/// Defines a table of the configuration file.
///
/// Each field is `name: Type = rule;` after its doc comment. The rules are:
/// - `required`,
/// - `default("…")`: the default, written as TOML and decoded like a value in
///   the file,
/// - `optional("…")` for an `Option`: `None` if the field is absent; the text
///   describes what happens then,
/// - `flatten`: several fields of this table that together form one value.
///
/// `short` names a field whose value may be written in place of the whole
/// table. `called` gives a noun and the method that identifies a table in a
/// list (`called "endpoint" by label`), for the messages of `janua reload`.
/// `refused` lists fields that are known but not supported, with the reason.
/// `check` names a function that checks the table as a whole.
macro_rules! table {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $Table:ident ($kind:literal) {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $Type:ty = $rule:ident $(($($arg:literal)?))?;
            )*
        }
        $(short $short:ident)?
        $(called $noun:literal by $called:ident)?
        $(refused { $($key:literal: $why:expr,)* })?
        $(check $check:path)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        $vis struct $Table {
            /// The position of the table, or of its header.
            $vis span: crate::span::Span,
            $(
                $(#[doc = $doc])*
                $vis $field: $Type,
            )*
        }

        impl $Table {
            /// Reads the fields from an open table.
            pub(crate) fn read(
                mut table: crate::decode::TableReader<'_, '_, '_, '_>,
            ) -> Option<Self> {
                $(
                    let $field: Option<$Type> =
                        crate::macros::field!(table, $field, $Type, $rule $(($($arg)?))?);
                )*
                let (span, _decoder) = table.finish(&[$($(($key, $why)),*)?]);
                let read = Self { span, $($field: $field?,)* };
                $($check(&read, _decoder);)?
                Some(read)
            }
        }

        impl crate::decode::Decode for $Table {
            fn decode(
                node: &crate::decode::Node<'_>,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                $(
                    if !node.get_ref().is_table() {
                        let short = stringify!($short);
                        return Self::read(crate::decode::TableReader::short(node, decoder, short));
                    }
                )?
                Self::read(crate::decode::TableReader::new(node, decoder, $kind)?)
            }

            fn kind() -> String {
                $kind.to_owned()
            }

            fn describe(path: &str, fields: &mut Vec<crate::reference::FieldDoc>) {
                $(
                    crate::macros::describe!(
                        path, fields, $field, $Type, concat!($($doc, "\n"),*),
                        $rule $(($($arg)?))?
                    );
                )*
            }
        }

        impl crate::tree::ToTree for $Table {
            fn to_tree(&self) -> crate::tree::Tree {
                let fields = [$(crate::macros::tree!(self, $field, $rule)),*];
                crate::tree::Tree::Table(fields.into_iter().flatten().collect())
            }

            $(
                fn object_name(&self) -> Option<String> {
                    Some(format!(concat!($noun, " {}"), self.$called()))
                }
            )?
        }
    };
}

/// Converts one field for the tree of its table, by its rule.
macro_rules! tree {
    ($table:ident, $field:ident, flatten) => {
        crate::tree::ToFields::to_fields(&$table.$field)
    };
    ($table:ident, $field:ident, $rule:ident) => {
        vec![(
            stringify!($field).to_owned(),
            crate::tree::ToTree::to_tree(&$table.$field),
        )]
    };
}

/// Decodes one field by its rule.
macro_rules! field {
    ($table:ident, $field:ident, $Type:ty, required) => {
        $table.required(stringify!($field))
    };
    ($table:ident, $field:ident, $Type:ty, default($toml:literal)) => {
        $table.default(stringify!($field), $toml)
    };
    ($table:ident, $field:ident, $Type:ty, optional($words:literal)) => {
        $table.optional(stringify!($field))
    };
    ($table:ident, $field:ident, $Type:ty, flatten) => {
        <$Type>::take(&mut $table)
    };
}

/// Adds one field to the reference by its rule.
macro_rules! describe {
    ($path:ident, $fields:ident, $field:ident, $Type:ty, $doc:expr, flatten) => {
        <$Type>::describe_fields($path, $fields)
    };
    ($path:ident, $fields:ident, $field:ident, $Type:ty, $doc:expr, $rule:ident $(($words:literal))?) => {
        crate::reference::FieldDoc::add::<$Type>(
            $fields,
            $path,
            stringify!($field),
            crate::reference::Presence::$rule($($words)?),
            $doc,
        )
    };
}

/// Defines a choice of words.
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        pub enum $Choice:ident {
            $( $(#[doc = $doc:literal])* $Word:ident = $text:literal, )*
        }
        $(refused { $($key:literal: $why:literal,)* })?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Choice {
            $( $(#[doc = $doc])* $Word, )*
        }

        impl $Choice {
            /// The word as it is written in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Word => $text,)*
                }
            }
        }

        impl crate::tree::ToTree for $Choice {
            fn to_tree(&self) -> crate::tree::Tree {
                crate::tree::Tree::Value(self.as_str().to_owned())
            }
        }

        impl crate::decode::Decode for $Choice {
            fn decode(
                node: &crate::decode::Node<'_>,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                match decoder.text(node, &Self::kind())? {
                    $($text => Some(Self::$Word),)*
                    other => {
                        let refused: &[(&str, &str)] = &[$($(($key, $why)),*)?];
                        crate::suggest::refuse_word(node, decoder, other, &[$($text),*], refused)
                    }
                }
            }

            fn kind() -> String {
                [$(concat!("\"", $text, "\"")),*].join(" or ")
            }
        }
    };
}

/// Implements `Decode` by a function from text, which returns an error message and advice.
macro_rules! parsed {
    ($($Type:ty: $parse:path, $kind:literal;)*) => {
        $(
            impl crate::decode::Decode for $Type {
                fn decode(node: &crate::decode::Node<'_>, decoder: &mut crate::decode::Decoder<'_>) -> Option<Self> {
                    let text = decoder.text(node, &Self::kind())?;
                    let span = decoder.span(node);
                    match $parse(text) {
                        Ok(value) => Some(value),
                        Err((message, help)) => {
                            decoder.refuse(crate::diagnostic::Diagnostic::error(span, message).help(help))
                        }
                    }
                }

                fn kind() -> String {
                    $kind.to_owned()
                }
            }
        )*
    };
}

pub(crate) use {describe, field, parsed, table, tree, words};
