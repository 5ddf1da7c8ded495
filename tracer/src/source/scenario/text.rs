//! Strings that know where in the file they stand, so that mistakes found after parsing still name their place.
//!
//! The parser lends its strings from the file's text: where a string stands follows from where its bytes lie.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::source::InputError;

/// A string of the file. One with escapes is a copy and has no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(Cow<'a, str>);

/// An identifier of the file, like the name of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier<'a>(pub(super) Text<'a>);

/// A map as a list, in the order of the file, each name once.
#[derive(Debug)]
pub(super) struct Named<'a, T>(pub(super) Vec<(Text<'a>, T)>);

/// The file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// Its path, for messages.
    pub(super) path: &'a Path,
    /// Where the files are that it names; an embedded one has none.
    pub(super) folder: Option<&'a Path>,
    /// Its content.
    pub(super) text: &'a str,
}

impl Text<'_> {
    /// The string.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl File<'_> {
    /// The error about a string of the file: `at` says which value it is.
    pub(super) fn error(
        &self,
        place: &Text,
        at: impl fmt::Display,
        problem: impl fmt::Display,
    ) -> InputError {
        let offset = (place.0.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize);
        // A copy lies elsewhere: only `at` says where it came from.
        let before = offset
            .and_then(|offset| self.text.get(..offset))
            .unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        InputError::Ron {
            file: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            at: at.to_string(),
            problem: problem.to_string(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Identifier<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(TextVisitor).map(Self)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<'a, T>(Named<'a, T>);

        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for MapVisitor<'a, T> {
            type Value = Named<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map from names, like { \"alice\": ... }")
            }

            fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
                let entries = &mut self.0.0;
                while let Some(name) = map.next_key::<Text>()? {
                    if entries.iter().any(|(other, _)| *other == name) {
                        map.next_value::<IgnoredAny>()?;
                        return Err(A::Error::custom(format_args!(
                            "\"{}\" is there twice",
                            name.as_str()
                        )));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(self.0)
            }
        }

        deserializer.deserialize_map(MapVisitor(Named::default()))
    }
}

/// Takes strings, borrowed where possible.
pub(super) struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file;

    #[test]
    fn a_string_names_its_line_and_column_and_a_copy_the_start() {
        let file = File {
            path: Path::new("f.ron"),
            folder: None,
            text: "[\n  \"é\", \"one\",\n  \"t\\\"wo\"]",
        };
        let texts: Vec<Text> = file::parse_ron(file.path, file.text.as_bytes()).unwrap();
        let place = |index: usize| file.error(&texts[index], "at", "why").to_string();
        assert_eq!(place(1), "f.ron:2:9: at: why");
        assert_eq!(place(2), "f.ron:1:1: at: why");
        assert_eq!(texts[2].as_str(), "t\"wo");
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_at_its_second_place() {
        let error = file::parse_ron::<Named<u8>>(Path::new("f.ron"), b"{\"a\": 1,\n \"b\": 2,\n \"a\": 3}")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("f.ron:3:"), "{error}");
        assert!(error.ends_with("\"a\" is there twice"), "{error}");
    }
}
