//! Reading, unpacking and parsing of JSON files, with errors that name the place.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::error::InputError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How much of a file that is something else is shown.
const SHOWN_BYTES: usize = 16;

/// Reads a file of at most `limit_bytes`; `expected` says in errors what it should be.
pub(super) fn read(path: &Path, expected: &'static str, limit_bytes: u64) -> Result<Vec<u8>, InputError> {
    let file = || path.to_owned();
    let unreadable = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => InputError::Missing { file: file() },
        io::ErrorKind::IsADirectory => InputError::Directory {
            file: file(),
            expected,
        },
        _ => InputError::Unreadable { file: file(), cause },
    };
    let source = File::open(path).map_err(unreadable)?;
    let metadata = source.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(InputError::Directory {
            file: file(),
            expected,
        });
    }
    if metadata.len() > limit_bytes {
        return Err(InputError::TooLarge {
            file: file(),
            limit_bytes,
        });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    source
        .take(limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.is_empty() {
        Err(InputError::Empty {
            file: file(),
            expected,
        })
    } else if bytes.len() as u64 > limit_bytes {
        Err(InputError::TooLarge {
            file: file(),
            limit_bytes,
        })
    } else {
        Ok(bytes)
    }
}

/// Unpacks the content of a file if it is gzipped, to at most `limit_bytes`.
pub(super) fn unpack<'a>(
    path: &Path,
    bytes: &'a [u8],
    limit_bytes: u64,
) -> Result<Cow<'a, [u8]>, InputError> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let file = || path.to_owned();
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(limit_bytes + 1)
        .read_to_end(&mut unpacked)
        .map_err(|cause| {
            if cause.kind() == io::ErrorKind::UnexpectedEof {
                InputError::GzipTruncated { file: file() }
            } else {
                InputError::GzipDamaged { file: file(), cause }
            }
        })?;
    if unpacked.len() as u64 > limit_bytes {
        return Err(InputError::TooLarge {
            file: file(),
            limit_bytes,
        });
    }
    Ok(Cow::Owned(unpacked))
}

/// Parses a JSON object; `expected` says in errors what the file should be.
pub(super) fn parse<'a, T: Deserialize<'a>>(
    path: &Path,
    json: &'a [u8],
    expected: &'static str,
) -> Result<T, InputError> {
    let content = json.trim_ascii_start();
    match content.first() {
        None => Err(InputError::Empty {
            file: path.to_owned(),
            expected,
        }),
        Some(b'{') => serde_json::from_slice(json).map_err(|cause| locate::<T>(path, json, cause)),
        Some(_) => {
            let start = content[..content.len().min(SHOWN_BYTES)]
                .escape_ascii()
                .to_string();
            Err(InputError::NotAnObject {
                file: path.to_owned(),
                expected,
                start,
            })
        }
    }
}

/// Reads RON, the format for files that people write. Strings without escapes may be borrowed from the text.
///
/// # Errors
///
/// With line, column and the path of the value, when the text is no RON or not of the expected shape.
pub(super) fn parse_ron<'a, T: Deserialize<'a>>(path: &Path, text: &'a [u8]) -> Result<T, InputError> {
    let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    let error = |cause: ron::error::SpannedError, at: String| InputError::Ron {
        file: path.to_owned(),
        line: cause.span.start.line,
        column: cause.span.start.col,
        at: if at == "." { String::new() } else { at },
        problem: cause.code.to_string(),
    };
    let mut parser = ron::Deserializer::from_bytes_with_options(text, &options)
        .map_err(|cause| error(cause, String::new()))?;
    let value = match serde_path_to_error::deserialize(&mut parser) {
        Ok(value) => value,
        Err(tracked) => {
            let at = tracked.path().to_string();
            return Err(error(parser.span_error(tracked.into_inner()), at));
        }
    };
    match parser.end() {
        Ok(()) => Ok(value),
        Err(cause) => Err(error(parser.span_error(cause), String::new())),
    }
}

/// Turns a parser's error into one that names the place. Parses again for it: keeping track of the path costs time that
/// good files need not pay.
fn locate<'a, T: Deserialize<'a>>(path: &Path, json: &'a [u8], cause: serde_json::Error) -> InputError {
    let mut parser = serde_json::Deserializer::from_slice(json);
    let (at, cause) = match serde_path_to_error::deserialize::<_, T>(&mut parser) {
        // The value is good, what follows it is not.
        Ok(_) => (String::new(), cause),
        Err(tracked) => (tracked.path().to_string(), tracked.into_inner()),
    };
    let (line, column) = (cause.line(), cause.column());
    let problem = if cause.is_eof() {
        "the JSON ends too early, the file is truncated".to_owned()
    } else {
        let text = cause.to_string();
        let position = format!(" at line {line} column {column}");
        text.strip_suffix(&position).unwrap_or(&text).to_owned()
    };
    let at = if at == "." { String::new() } else { at };
    InputError::Json {
        file: path.to_owned(),
        line,
        column,
        at,
        problem,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const EXPECTED: &str = "a test";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack_error(bytes: &[u8], limit_bytes: u64) -> String {
        unpack(Path::new("f"), bytes, limit_bytes)
            .unwrap_err()
            .to_string()
    }

    fn parse_error(json: &str) -> String {
        parse::<Vec<Option<bool>>>(Path::new("f"), json.as_bytes(), EXPECTED)
            .unwrap_err()
            .to_string()
    }

    #[derive(Debug, Deserialize)]
    struct Shape {
        #[serde(rename = "list")]
        _list: Vec<u8>,
    }

    fn shape_error(json: &str) -> String {
        parse::<Shape>(Path::new("f"), json.as_bytes(), EXPECTED)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn absent_empty_and_too_large_files_and_folders_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("empty"), b"").unwrap();
        std::fs::write(path("large"), b"12345").unwrap();
        let error = |name: &str| {
            let message = read(&path(name), EXPECTED, 4).unwrap_err().to_string();
            message
                .strip_prefix(&format!("{}: ", path(name).display()))
                .unwrap()
                .to_owned()
        };
        assert_eq!(error("absent"), "no such file");
        assert_eq!(error("empty"), "is empty, expected a test");
        assert_eq!(
            error("large"),
            "has more than 4 bytes when unpacked, which is the limit"
        );
        assert_eq!(error(""), "is a directory, expected a test");
    }

    #[test]
    fn gzip_is_recognised_by_its_content() {
        let unpacked = |bytes: &[u8]| unpack(Path::new("f"), bytes, 100).unwrap().into_owned();
        assert_eq!(unpacked(b"plain"), b"plain");
        assert_eq!(unpacked(&gzip(b"packed")), b"packed");
        assert_eq!(
            unpacked(&[gzip(b"two "), gzip(b"members")].concat()),
            b"two members"
        );
    }

    #[test]
    fn bad_gzip_is_truncated_damaged_or_too_large() {
        let packed = gzip(&[7; 1_000]);
        for length in 2..packed.len() {
            assert_eq!(
                unpack_error(&packed[..length], 1_000),
                "f: the gzip stream ends too early, the file is truncated"
            );
        }
        let mut damaged = packed.clone();
        let checksum = packed.len() - 8;
        damaged[checksum] ^= 1;
        assert!(unpack_error(&damaged, 1_000).starts_with("f: the gzip stream is damaged: "));
        assert_eq!(
            unpack_error(&packed, 999),
            "f: has more than 999 bytes when unpacked, which is the limit"
        );
    }

    #[test]
    fn content_that_is_no_object_is_shown() {
        assert_eq!(parse_error(" \n"), "f: is empty, expected a test");
        assert_eq!(
            parse_error("[1]"),
            "f: expected a test, found content that starts with \"[1]\""
        );
        assert_eq!(
            parse_error("PK\u{3}\u{4} and more of it"),
            "f: expected a test, found content that starts with \"PK\\x03\\x04 and more of\""
        );
    }

    #[test]
    fn parse_errors_name_line_column_and_path() {
        assert_eq!(
            shape_error("{\"list\": [1,\n 256]}"),
            "f:2:4: list[1]: invalid value: integer `256`, expected u8"
        );
        assert_eq!(shape_error("{}"), "f:1:2: missing field `list`");
        assert_eq!(
            shape_error("{\"list\": [1,"),
            "f:1:12: list: the JSON ends too early, the file is truncated"
        );
        assert_eq!(shape_error("{\"list\": []} x"), "f:1:14: trailing characters");
        assert_eq!(
            shape_error("{\"list\": [1 2]}"),
            "f:1:13: list: expected `,` or `]`"
        );
    }
}
