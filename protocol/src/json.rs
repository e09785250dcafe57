//! The forms of the nouns in HTTP: numbers are decimal strings, words, addresses and bytes are 0x-hex, and unknown fields
//! are refused.
//!
//! A form becomes typed by `TryFrom`, which says which field is wrong; the typed becomes its form by `From`.

mod request;

use std::fmt::Display;

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::contracts::{Issue, Output, Resource, Transfer};
pub use request::{ContentJson, RequestFormError, RequestJson, RequestedIssueJson, VoidJson};

/// Most characters of a wrong value that an error repeats.
const SHOWN_CHARACTERS: usize = 80;

/// A field that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {actual:?}")]
pub struct FieldError {
    /// Path of the field, such as `inputs[0].owner`.
    pub field: String,
    /// What it should hold.
    pub expected: &'static str,
    /// What it holds, cut to 80 characters.
    pub actual: String,
}

impl FieldError {
    fn new(field: impl Display, expected: &'static str, actual: &str) -> Self {
        let mut shown: String = actual.chars().take(SHOWN_CHARACTERS).collect();
        if shown.len() < actual.len() {
            shown.push('…');
        }
        Self { field: field.to_string(), expected, actual: shown }
    }
}

/// A number from 0 to 2^256 - 1 in its only decimal form: no sign, no leading zero.
///
/// # Errors
/// Anything else.
pub fn parse_decimal(field: impl Display, text: &str) -> Result<U256, FieldError> {
    const EXPECTED: &str = "a decimal number from 0 to 2^256 - 1 without leading zeros";
    let canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let number = canonical.then(|| U256::from_str_radix(text, 10).ok()).flatten();
    number.ok_or_else(|| FieldError::new(field, EXPECTED, text))
}

/// A number from 0 to 2^64 - 1 in its only decimal form.
///
/// # Errors
/// Anything else.
pub fn parse_decimal_u64(field: impl Display, text: &str) -> Result<u64, FieldError> {
    const EXPECTED: &str = "a decimal number from 0 to 2^64 - 1 without leading zeros";
    let number = parse_decimal(&field, text).ok().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| FieldError::new(field, EXPECTED, text))
}

/// 32 bytes of 0x-hex, in either case.
///
/// # Errors
/// Anything else.
pub fn parse_word(field: impl Display, text: &str) -> Result<B256, FieldError> {
    parse_fixed(text)
        .map(B256::new)
        .ok_or_else(|| FieldError::new(field, "0x and 64 hexadecimal digits", text))
}

/// 20 bytes of 0x-hex, in either case; a checksum in the case is not looked at.
///
/// # Errors
/// Anything else.
pub fn parse_address(field: impl Display, text: &str) -> Result<Address, FieldError> {
    parse_fixed(text)
        .map(Address::new)
        .ok_or_else(|| FieldError::new(field, "0x and 40 hexadecimal digits", text))
}

/// A signature: 65 bytes of 0x-hex, in either case.
///
/// # Errors
/// Anything else.
pub fn parse_signature(field: impl Display, text: &str) -> Result<Bytes, FieldError> {
    parse_fixed::<65>(text)
        .map(Bytes::from)
        .ok_or_else(|| FieldError::new(field, "0x and 130 hexadecimal digits", text))
}

fn parse_fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.strip_prefix("0x")?;
    // The decoder would take a second prefix; then the digits behind it are too few.
    (digits.len() == 2 * N).then_some(())?;
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

fn lower_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_prefixed(bytes)
}

fn zero_word() -> String {
    lower_hex(B256::ZERO)
}

/// `u64` as a decimal string, for `#[serde(with)]`.
pub mod decimal_u64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the decimal string.
    ///
    /// # Errors
    /// Whatever the serializer says.
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    /// Reads the only decimal string of a number.
    ///
    /// # Errors
    /// Anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_decimal_u64("number", &text).map_err(D::Error::custom)
    }
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceJson {
    /// Chain id of the chain that the note belongs to, decimal.
    pub domain_id: String,
    /// Address of the account whose signature spends it.
    pub owner: String,
    /// Its kind, 32 bytes.
    pub kind: String,
    /// Units of the kind, decimal, not zero.
    pub quantity: String,
    /// Free for applications, 32 bytes; zero when left out.
    #[serde(default = "zero_word")]
    pub data: String,
    /// Makes the note unique, 32 bytes, not zero.
    pub salt: String,
}

/// A note that a transfer creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputJson {
    /// Chain id of the chain that the note will belong to, decimal.
    pub domain_id: String,
    /// Address of the account whose signature will spend it.
    pub owner: String,
    /// Its kind, 32 bytes.
    pub kind: String,
    /// Units of the kind, decimal, not zero.
    pub quantity: String,
    /// Free for applications, 32 bytes; zero when left out.
    #[serde(default = "zero_word")]
    pub data: String,
}

/// Spends notes and creates notes, each kind in balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferJson {
    /// 1 to 16 notes to spend.
    pub inputs: Vec<ResourceJson>,
    /// 1 to 16 notes to create.
    pub outputs: Vec<OutputJson>,
    /// Latest time at which the hub takes it, Unix seconds, decimal.
    pub deadline: String,
    /// One for each distinct owner among the inputs, in order of first appearance: 65 bytes `r ‖ s ‖ v` each.
    pub signatures: Vec<String>,
}

/// Brings a note of the signer's own kind into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueJson {
    /// The note; its kind is the one that issuer and label give.
    pub resource: ResourceJson,
    /// Address of the account that signs.
    pub issuer: String,
    /// The issuer's name for the kind, 32 bytes, not zero.
    pub label: String,
    /// Latest time at which the hub takes it, Unix seconds, decimal.
    pub deadline: String,
    /// The issuer's signature: 65 bytes `r ‖ s ‖ v`.
    pub signature: String,
}

impl ResourceJson {
    /// The typed note; `path` stands before the names of its fields in errors, such as `inputs[0].`.
    ///
    /// # Errors
    /// The first field that does not hold what it should.
    pub fn typed(&self, path: &str) -> Result<Resource, FieldError> {
        Ok(Resource {
            domainId: parse_decimal(format_args!("{path}domainId"), &self.domain_id)?,
            owner: parse_address(format_args!("{path}owner"), &self.owner)?,
            kind: parse_word(format_args!("{path}kind"), &self.kind)?,
            quantity: parse_decimal(format_args!("{path}quantity"), &self.quantity)?,
            data: parse_word(format_args!("{path}data"), &self.data)?,
            salt: parse_word(format_args!("{path}salt"), &self.salt)?,
        })
    }
}

impl OutputJson {
    /// The typed output; `path` stands before the names of its fields in errors.
    ///
    /// # Errors
    /// The first field that does not hold what it should.
    pub fn typed(&self, path: &str) -> Result<Output, FieldError> {
        Ok(Output {
            domainId: parse_decimal(format_args!("{path}domainId"), &self.domain_id)?,
            owner: parse_address(format_args!("{path}owner"), &self.owner)?,
            kind: parse_word(format_args!("{path}kind"), &self.kind)?,
            quantity: parse_decimal(format_args!("{path}quantity"), &self.quantity)?,
            data: parse_word(format_args!("{path}data"), &self.data)?,
        })
    }
}

/// Makes every element of a list typed; `typed` is given the path of the element.
fn each<J, T>(
    field: &str,
    list: &[J],
    typed: impl Fn(&J, String) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    list.iter().enumerate().map(|(index, element)| typed(element, format!("{field}[{index}]"))).collect()
}

impl TryFrom<&ResourceJson> for Resource {
    type Error = FieldError;

    fn try_from(json: &ResourceJson) -> Result<Self, FieldError> {
        json.typed("")
    }
}

impl TryFrom<&TransferJson> for Transfer {
    type Error = FieldError;

    fn try_from(json: &TransferJson) -> Result<Self, FieldError> {
        Ok(Self {
            inputs: each("inputs", &json.inputs, |input, path| input.typed(&format!("{path}.")))?,
            outputs: each("outputs", &json.outputs, |output, path| output.typed(&format!("{path}.")))?,
            deadline: parse_decimal_u64("deadline", &json.deadline)?,
            signatures: each("signatures", &json.signatures, |text, path| parse_signature(path, text))?,
        })
    }
}

impl TryFrom<&IssueJson> for Issue {
    type Error = FieldError;

    fn try_from(json: &IssueJson) -> Result<Self, FieldError> {
        Ok(Self {
            resource: json.resource.typed("resource.")?,
            issuer: parse_address("issuer", &json.issuer)?,
            label: parse_word("label", &json.label)?,
            deadline: parse_decimal_u64("deadline", &json.deadline)?,
            signature: parse_signature("signature", &json.signature)?,
        })
    }
}

impl From<&Resource> for ResourceJson {
    fn from(resource: &Resource) -> Self {
        Self {
            domain_id: resource.domainId.to_string(),
            owner: lower_hex(resource.owner),
            kind: lower_hex(resource.kind),
            quantity: resource.quantity.to_string(),
            data: lower_hex(resource.data),
            salt: lower_hex(resource.salt),
        }
    }
}

impl From<&Output> for OutputJson {
    fn from(output: &Output) -> Self {
        Self {
            domain_id: output.domainId.to_string(),
            owner: lower_hex(output.owner),
            kind: lower_hex(output.kind),
            quantity: output.quantity.to_string(),
            data: lower_hex(output.data),
        }
    }
}

impl From<&Transfer> for TransferJson {
    fn from(transfer: &Transfer) -> Self {
        Self {
            inputs: transfer.inputs.iter().map(ResourceJson::from).collect(),
            outputs: transfer.outputs.iter().map(OutputJson::from).collect(),
            deadline: transfer.deadline.to_string(),
            signatures: transfer.signatures.iter().map(lower_hex).collect(),
        }
    }
}

impl From<&Issue> for IssueJson {
    fn from(issue: &Issue) -> Self {
        Self {
            resource: ResourceJson::from(&issue.resource),
            issuer: lower_hex(issue.issuer),
            label: lower_hex(issue.label),
            deadline: issue.deadline.to_string(),
            signature: lower_hex(&issue.signature),
        }
    }
}
