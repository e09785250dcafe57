//! The forms of requests, and of what resolves them without executing them.

use serde::{Deserialize, Serialize};

use super::{
    FieldError, TransferJson, lower_hex, parse_address, parse_decimal, parse_decimal_u64, parse_word,
    zero_word,
};
use crate::contracts::Transfer;
use crate::operations::{Content, PackError, Request, RequestError, RequestedIssue, Void, VoidReason};

/// Why a form is no request, or no void.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFormError {
    /// A field does not hold what it should.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The content has no packed form.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The request has no such input or output.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// A request of a chain's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestJson {
    /// Chain id of its queue, decimal.
    pub chain_id: String,
    /// Its number in that queue, from 1, decimal.
    pub number: String,
    /// Address of the account that asked.
    pub sender: String,
    /// What is asked for.
    pub content: ContentJson,
}

/// What a request asks for: one field, whose name says which it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ContentJson {
    /// A transfer; the sender signs nothing for its own notes on the chain of the request.
    Transfer(TransferJson),
    /// An issue of the sender's own kind.
    Issue(RequestedIssueJson),
}

/// An issue that a contract asks for. Its kind follows from the chain of the request, the sender and the label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestedIssueJson {
    /// The sender's name for the kind, 32 bytes, not zero.
    pub label: String,
    /// Chain id of the chain that the note will belong to, decimal.
    pub domain_id: String,
    /// Address of the account that will spend it.
    pub owner: String,
    /// Units of the kind, decimal, not zero.
    pub quantity: String,
    /// Free for applications, 32 bytes; zero when left out.
    #[serde(default = "zero_word")]
    pub data: String,
    /// Makes the note unique, 32 bytes: it follows from the chain, the verifier and the number of the request.
    pub salt: String,
}

/// A request that is resolved without being executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoidJson {
    /// The request.
    pub request: RequestJson,
    /// Why it cannot run: `inputAbsent`, `inputSpent`, `outputExists` or `unknownDomain`.
    pub reason: String,
    /// Which of its inputs or outputs is at fault, from 0, decimal.
    pub position: String,
}

impl TryFrom<&RequestedIssueJson> for RequestedIssue {
    type Error = FieldError;

    fn try_from(json: &RequestedIssueJson) -> Result<Self, FieldError> {
        Ok(Self {
            label: parse_word("label", &json.label)?,
            domain_id: parse_decimal_u64("domainId", &json.domain_id)?,
            owner: parse_address("owner", &json.owner)?,
            quantity: parse_decimal("quantity", &json.quantity)?,
            data: parse_word("data", &json.data)?,
            salt: parse_word("salt", &json.salt)?,
        })
    }
}

impl TryFrom<&ContentJson> for Content {
    type Error = FieldError;

    fn try_from(json: &ContentJson) -> Result<Self, FieldError> {
        Ok(match json {
            ContentJson::Transfer(transfer) => Self::Transfer(Transfer::try_from(transfer)?),
            ContentJson::Issue(issue) => Self::Issue(RequestedIssue::try_from(issue)?),
        })
    }
}

impl TryFrom<&RequestJson> for Request {
    type Error = RequestFormError;

    fn try_from(json: &RequestJson) -> Result<Self, RequestFormError> {
        Ok(Self::new(
            parse_decimal_u64("chainId", &json.chain_id)?,
            parse_decimal_u64("number", &json.number)?,
            parse_address("sender", &json.sender)?,
            Content::try_from(&json.content)?,
        )?)
    }
}

impl TryFrom<&VoidJson> for Void {
    type Error = RequestFormError;

    fn try_from(json: &VoidJson) -> Result<Self, RequestFormError> {
        const REASONS: &str = "inputAbsent, inputSpent, outputExists or unknownDomain";
        let reason = VoidReason::ALL.into_iter().find(|reason| reason.as_str() == json.reason);
        let position = parse_decimal_u64("position", &json.position)?;
        Ok(Self::new(
            Request::try_from(&json.request)?,
            reason.ok_or_else(|| FieldError::new("reason", REASONS, &json.reason))?,
            u8::try_from(position)
                .map_err(|_| FieldError::new("position", "a number from 0 to 255", &json.position))?,
        )?)
    }
}

impl From<&RequestedIssue> for RequestedIssueJson {
    fn from(issue: &RequestedIssue) -> Self {
        Self {
            label: lower_hex(issue.label),
            domain_id: issue.domain_id.to_string(),
            owner: lower_hex(issue.owner),
            quantity: issue.quantity.to_string(),
            data: lower_hex(issue.data),
            salt: lower_hex(issue.salt),
        }
    }
}

impl From<&Content> for ContentJson {
    fn from(content: &Content) -> Self {
        match content {
            Content::Transfer(transfer) => Self::Transfer(transfer.into()),
            Content::Issue(issue) => Self::Issue(issue.into()),
        }
    }
}

impl From<&Request> for RequestJson {
    fn from(request: &Request) -> Self {
        Self {
            chain_id: request.chain_id().to_string(),
            number: request.number().to_string(),
            sender: lower_hex(request.sender()),
            content: request.content().into(),
        }
    }
}

impl From<&Void> for VoidJson {
    fn from(void: &Void) -> Self {
        Self {
            request: void.request().into(),
            reason: void.reason().as_str().to_owned(),
            position: void.position().to_string(),
        }
    }
}
