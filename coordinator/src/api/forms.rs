//! Reading what clients send: bodies against the shape of their form, so that each mistake has its own code and the path of
//! its field; path segments and query parameters.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use alloy::primitives::{Address, B256};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hypha_protocol::json::{self, FieldError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::{Code, Problem};

/// Levels of nesting that a body may have: forms have four.
const MAX_DEPTH: usize = 8;

/// What a JSON value must be.
pub(crate) enum Shape {
    /// An object with these fields, and whether each may be left out.
    Object(&'static [(&'static str, Shape, Needed)]),
    /// Any number of values of one shape.
    List(&'static Shape),
    /// 0x and hexadecimal digits for this many bytes.
    Hex(usize),
    /// A decimal string of at most this many bits.
    Decimal(usize),
    /// `true` or `false`.
    Flag,
}

/// Whether a field may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    Always,
    Optional,
}

use Needed::{Always, Optional};

const OUTPUT: Shape = Shape::Object(&[
    ("domainId", Shape::Decimal(64), Always),
    ("owner", Shape::Hex(20), Always),
    ("kind", Shape::Hex(32), Always),
    ("quantity", Shape::Decimal(256), Always),
    ("data", Shape::Hex(32), Optional),
]);

const RESOURCE: Shape = Shape::Object(&[
    ("domainId", Shape::Decimal(64), Always),
    ("owner", Shape::Hex(20), Always),
    ("kind", Shape::Hex(32), Always),
    ("quantity", Shape::Decimal(256), Always),
    ("data", Shape::Hex(32), Optional),
    ("salt", Shape::Hex(32), Always),
]);

/// The body of a transfer (`hypha_protocol::json::TransferJson`).
pub(crate) const TRANSFER: Shape = Shape::Object(&[
    ("inputs", Shape::List(&RESOURCE), Always),
    ("outputs", Shape::List(&OUTPUT), Always),
    ("deadline", Shape::Decimal(64), Always),
    ("signatures", Shape::List(&Shape::Hex(65)), Always),
]);

/// The body of an issue (`hypha_protocol::json::IssueJson`).
pub(crate) const ISSUE: Shape = Shape::Object(&[
    ("resource", RESOURCE, Always),
    ("issuer", Shape::Hex(20), Always),
    ("label", Shape::Hex(32), Always),
    ("deadline", Shape::Decimal(64), Always),
    ("signature", Shape::Hex(65), Always),
]);

/// The body of a question for many proofs (`super::proofs`).
pub(crate) const PROOFS: Shape = Shape::Object(&[
    ("keys", Shape::List(&Shape::Hex(32)), Always),
    ("index", Shape::Decimal(64), Optional),
    ("chain", Shape::Decimal(64), Optional),
    ("holey", Shape::Flag, Optional),
]);

/// Reads a JSON body of a shape, of at most `limit` bytes.
pub(crate) async fn read_body<T: DeserializeOwned>(
    request: Request,
    shape: &Shape,
    limit: usize,
) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    check_headers(&parts.headers, limit)?;
    let bytes = read_bytes(body, limit).await?;
    check_depth(&bytes)?;
    let malformed = |error: serde_json::Error| Problem::new(Code::MalformedJson, error.to_string());
    let value: Value = serde_json::from_slice(&bytes).map_err(malformed)?;
    check(&value, shape, "")?;
    // Read again from the bytes, because a `Value` has forgotten fields that stand twice.
    serde_json::from_slice(&bytes).map_err(malformed)
}

/// A form that passed its shape and still is not typed: its values are wrong in a way the shape does not tell.
pub(crate) fn bad_value(error: &FieldError) -> Problem {
    Problem::new(Code::BadValue, error.to_string()).with("field", error.field.clone())
}

fn check_headers(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(too_large(limit));
    }
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        let detail = format!("content-type is {:?}", essence.chars().take(64).collect::<String>());
        Err(Problem::new(Code::UnsupportedMediaType, detail))
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a body has at most {limit} bytes")).with("maximum", limit)
}

async fn read_bytes(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    use futures::StreamExt;
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::MalformedJson, "the body broke off"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Counts brackets outside of strings, before anything recurses.
fn check_depth(bytes: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let detail = format!("a body nests at most {MAX_DEPTH} levels");
            return Err(Problem::new(Code::TooDeep, detail).with("maximum", MAX_DEPTH));
        }
    }
    Ok(())
}

fn check(value: &Value, shape: &Shape, path: &str) -> Result<(), Problem> {
    match (shape, value) {
        (Shape::Object(fields), Value::Object(object)) => check_object(object, fields, path),
        (Shape::List(element), Value::Array(list)) => list
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| check(value, element, &format!("{path}[{index}]"))),
        (Shape::Hex(length), Value::String(text)) => check_hex(text, *length, path),
        (Shape::Decimal(bits), Value::String(text)) => check_decimal(text, *bits, path),
        (Shape::Flag, Value::Bool(_)) => Ok(()),
        (Shape::Decimal(_), Value::Number(_)) => {
            Err(at(path, Code::BadNumber, "numbers are written as strings, so that no reader rounds them"))
        }
        _ => Err(at(path, Code::BadType, "another type of JSON value stands here")),
    }
}

fn check_object(
    object: &Map<String, Value>,
    fields: &[(&'static str, Shape, Needed)],
    path: &str,
) -> Result<(), Problem> {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = object.keys().find(|name| fields.iter().all(|(known, ..)| known != name)) {
        let shown: String = name.chars().take(64).collect();
        return Err(at(&join(&shown), Code::UnknownField, "this field is not part of the form"));
    }
    fields.iter().try_for_each(|(name, shape, needed)| match object.get(*name) {
        Some(value) => check(value, shape, &join(name)),
        None if *needed == Optional => Ok(()),
        None => Err(at(&join(name), Code::MissingField, "this field is missing")),
    })
}

fn check_hex(text: &str, length: usize, path: &str) -> Result<(), Problem> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match digits {
        None => Err(at(path, Code::BadHex, "expected 0x and hexadecimal digits")),
        Some(digits) if digits.len() != 2 * length => {
            let detail = format!("expected {length} bytes, so {} digits, got {}", 2 * length, digits.len());
            Err(at(path, Code::BadLength, &detail))
        }
        Some(_) => Ok(()),
    }
}

fn check_decimal(text: &str, bits: usize, path: &str) -> Result<(), Problem> {
    match json::parse_decimal(path, text) {
        Ok(number) if number.bit_len() <= bits => Ok(()),
        _ => Err(at(
            path,
            Code::BadNumber,
            &format!("expected a decimal number of at most {bits} bits, without leading zeros"),
        )),
    }
}

fn at(path: &str, code: Code, detail: &str) -> Problem {
    let field = if path.is_empty() { "the body" } else { path };
    Problem::new(code, format!("{field}: {detail}")).with("field", path)
}

/// The variable segment of a path, or a tuple of several.
pub(crate) struct Segment<T = String>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segment)| Self(segment))
            .map_err(|rejection| Problem::new(Code::BadValue, rejection.body_text()))
    }
}

/// A 32-byte word in a path.
pub(crate) fn word(name: &str, text: &str) -> Result<B256, Problem> {
    check_hex(text, 32, name)?;
    json::parse_word(name, text).map_err(|error| bad_value(&error))
}

/// A number of 64 bits in a path.
pub(crate) fn number(name: &str, text: &str) -> Result<u64, Problem> {
    check_decimal(text, 64, name)?;
    json::parse_decimal_u64(name, text).map_err(|error| bad_value(&error))
}

/// Two numbers of 64 bits, with `-` between them.
pub(crate) struct Pair(pub(crate) u64, pub(crate) u64);

impl Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.0, self.1)
    }
}

/// The parameters of a query, each taken once; what is left is unknown.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    /// One that stands twice.
    twice: Option<String>,
}

impl Parameters {
    /// Reads a query string.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        let (mut values, mut twice) = (BTreeMap::new(), None);
        for (name, value) in pairs {
            if values.insert(name.clone(), value).is_some() {
                twice = Some(name);
            }
        }
        Self { values, twice }
    }

    /// Takes a number of 64 bits.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        self.values.remove(name).map(|text| number(name, &text)).transpose()
    }

    /// Takes a 32-byte word.
    pub(crate) fn word(&mut self, name: &str) -> Result<Option<B256>, Problem> {
        self.values.remove(name).map(|text| word(name, &text)).transpose()
    }

    /// Takes an address.
    pub(crate) fn address(&mut self, name: &str) -> Result<Option<Address>, Problem> {
        let Some(text) = self.values.remove(name) else { return Ok(None) };
        check_hex(&text, 20, name)?;
        json::parse_address(name, &text).map(Some).map_err(|error| bad_value(&error))
    }

    /// Takes a word of a list.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.values.remove(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| at(name, Code::BadValue, &format!("{error}")))
    }

    /// Takes two numbers.
    pub(crate) fn pair(&mut self, name: &str) -> Result<Option<Pair>, Problem> {
        let Some(text) = self.values.remove(name) else { return Ok(None) };
        let numbers = text.split_once('-').map(|(first, second)| (number(name, first), number(name, second)));
        match numbers {
            Some((first, second)) => Ok(Some(Pair(first?, second?))),
            None => Err(at(name, Code::BadValue, "expected two numbers with - between them")),
        }
    }

    /// Takes `true` or `1`, `false` or `0`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.values.remove(name).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(at(name, Code::BadValue, "expected true or 1, false or 0")),
        }
    }

    /// Takes the number of rows asked for: at least 1, at most `most`, which is also the default.
    pub(crate) fn limit(&mut self, most: usize) -> Result<usize, Problem> {
        let asked = self.number("limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        match asked {
            Some(0) => Err(at("limit", Code::BadValue, "expected at least 1")),
            asked => Ok(asked.unwrap_or(most).min(most)),
        }
    }

    /// Nothing is left, and nothing stood twice.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let shown = |name: String| name.chars().take(64).collect::<String>();
        if let Some(name) = self.values.into_keys().next() {
            return Err(at(&shown(name), Code::UnknownField, "there is no such parameter"));
        }
        match self.twice {
            Some(name) => Err(at(&shown(name), Code::Ambiguous, "this parameter stands twice")),
            None => Ok(()),
        }
    }
}
