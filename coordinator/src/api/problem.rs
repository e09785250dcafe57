//! The one place that chooses HTTP status, code and whether a retry can help; the answer is an RFC 9457 problem document.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hypha_protocol::operations::{OperationError, PackError};
use serde_json::{Map, Value, json};

use crate::metrics;
use crate::refusal::Refusal;
use crate::store::LedgerError;

macro_rules! codes {
    ($($variant:ident = $word:literal $status:ident $retryable:literal $title:literal;)+) => {
        /// Why a request was not answered as asked. The words are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// Whether the same request can succeed later without a change.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json" BAD_REQUEST false "The body is not JSON of this form";
    TooDeep = "too_deep" BAD_REQUEST false "The body nests deeper than any form does";
    UnknownField = "unknown_field" BAD_REQUEST false "A field is not part of the form";
    MissingField = "missing_field" BAD_REQUEST false "A field is missing";
    BadType = "bad_type" BAD_REQUEST false "A field holds another type of JSON value";
    BadHex = "bad_hex" BAD_REQUEST false "A field is not 0x and hexadecimal digits";
    BadLength = "bad_length" BAD_REQUEST false "A field has the wrong number of bytes";
    BadNumber = "bad_number" BAD_REQUEST false "A field is not a canonical decimal number in range";
    BadValue = "bad_value" BAD_REQUEST false "A field holds a value that it cannot have";
    Ambiguous = "ambiguous" BAD_REQUEST false "The request can be read in two ways";
    Unauthorized = "unauthorized" UNAUTHORIZED false "Who asks is not known";
    Forbidden = "forbidden" FORBIDDEN false "Who asks may not do this";
    BodyTooLarge = "body_too_large" PAYLOAD_TOO_LARGE false "The body is too large";
    UnsupportedMediaType = "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE false "The body must be application/json";
    RequestTimeout = "request_timeout" REQUEST_TIMEOUT true "The request took too long";
    NotFound = "not_found" NOT_FOUND true "There is nothing here";
    UnknownChain = "unknown_chain" NOT_FOUND false "No such chain is configured";
    IndexNotKept = "index_not_kept" NOT_FOUND false "The tree at this index is not kept";
    MethodNotAllowed = "method_not_allowed" METHOD_NOT_ALLOWED false "This method is not allowed here";
    OperationTooLong = "operation_too_long" UNPROCESSABLE_ENTITY false "The operation does not fit in a batch";
    OperationMalformed = "operation_malformed" UNPROCESSABLE_ENTITY false "The operation has no canonical form";
    InputCount = "input_count" UNPROCESSABLE_ENTITY false "A transfer has 1 to 16 inputs";
    OutputCount = "output_count" UNPROCESSABLE_ENTITY false "A transfer has 1 to 16 outputs";
    SignatureCount = "signature_count" UNPROCESSABLE_ENTITY false "Each distinct owner of an input signs, and nobody else";
    ZeroDomain = "zero_domain" UNPROCESSABLE_ENTITY false "A domain id is zero";
    ZeroOwner = "zero_owner" UNPROCESSABLE_ENTITY false "An owner is zero";
    ZeroKind = "zero_kind" UNPROCESSABLE_ENTITY false "A kind is zero";
    ZeroQuantity = "zero_quantity" UNPROCESSABLE_ENTITY false "A quantity is zero";
    ZeroSalt = "zero_salt" UNPROCESSABLE_ENTITY false "A salt is zero";
    ZeroIssuer = "zero_issuer" UNPROCESSABLE_ENTITY false "The issuer is zero";
    ZeroLabel = "zero_label" UNPROCESSABLE_ENTITY false "The label is zero";
    KindMismatch = "kind_mismatch" UNPROCESSABLE_ENTITY false "The kind is not the one that issuer and label give";
    QuantityOverflow = "quantity_overflow" UNPROCESSABLE_ENTITY false "The quantities of a kind overflow";
    Unbalanced = "unbalanced" UNPROCESSABLE_ENTITY false "Inputs and outputs of a kind do not add up";
    SignatureMalleable = "signature_malleable" UNPROCESSABLE_ENTITY false "A signature is in its malleable form";
    SignatureParity = "signature_parity" UNPROCESSABLE_ENTITY false "A signature's v is neither 27 nor 28";
    SignerMismatch = "signer_mismatch" UNPROCESSABLE_ENTITY false "A signature is not of the account that must sign";
    DeadlinePassed = "deadline_passed" UNPROCESSABLE_ENTITY false "The deadline has passed, or is too near to be met";
    UnknownDomain = "unknown_domain" UNPROCESSABLE_ENTITY false "A note would be created on a chain that is not registered";
    InputRepeated = "input_repeated" UNPROCESSABLE_ENTITY false "One note is an input twice";
    InputAbsent = "input_absent" UNPROCESSABLE_ENTITY true "A note to spend does not exist";
    InputSpent = "input_spent" CONFLICT false "A note is spent already";
    InputClaimed = "input_claimed" CONFLICT true "Another transfer under way spends the same note";
    OutputExists = "output_exists" CONFLICT false "A note to create exists already";
    RateLimited = "rate_limited" TOO_MANY_REQUESTS true "This key asks more often than it may";
    QueueFull = "queue_full" SERVICE_UNAVAILABLE true "Too many operations wait for a batch";
    Draining = "draining" SERVICE_UNAVAILABLE true "The operator has the coordinator take in nothing new";
    Busy = "busy" SERVICE_UNAVAILABLE true "Too many requests are under way";
    TooManyStreams = "too_many_streams" SERVICE_UNAVAILABLE true "Too many clients follow the events";
    StoreUnavailable = "store_unavailable" SERVICE_UNAVAILABLE true "The store does not take or give anything";
    Halted = "halted" SERVICE_UNAVAILABLE false "The coordinator has stopped writing until an operator looks";
    ShuttingDown = "shutting_down" SERVICE_UNAVAILABLE true "The coordinator is shutting down";
    Internal = "internal" INTERNAL_SERVER_ERROR true "Something went wrong here";
}

/// Media type of the document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// After this a retry of what is full or unavailable makes sense: a few batches later.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a request was not answered as asked.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The code.
    pub code: Code,
    detail: String,
    retry_after: Duration,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with one sentence on this very request.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: RETRY_AFTER, members: Map::new() }
    }

    /// Says when a retry can help, where it is known.
    #[must_use]
    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds a member of its own to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The document.
    fn document(&self) -> Value {
        let mut document = self.members.clone();
        let fields = [
            ("type", json!(format!("urn:hypha:problem:{}", self.code.as_str()))),
            ("title", json!(self.code.title())),
            ("status", json!(self.code.status().as_u16())),
            ("detail", json!(self.detail)),
            ("code", json!(self.code.as_str())),
            ("retryable", json!(self.code.is_retryable())),
        ];
        document.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        metrics::refused(self.code.as_str());
        let mut response = (self.code.status(), self.document().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let comes_back = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        if comes_back.contains(&self.code.status()) && self.code.is_retryable() {
            // Whole seconds, and not too early.
            let seconds = self.retry_after.as_millis().div_ceil(1_000);
            headers
                .insert(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        }
        response
    }
}

/// The code of a refusal, for the answer to a request and for the reason of a rejection alike.
pub fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Operation(error) => code_of_operation(error),
        Refusal::Pack(error) => code_of_pack(error),
        Refusal::InputRepeated { .. } => Code::InputRepeated,
        Refusal::InputAbsent { .. } => Code::InputAbsent,
        Refusal::InputSpent { .. } => Code::InputSpent,
        Refusal::InputClaimed { .. } => Code::InputClaimed,
        Refusal::OutputExists { .. } => Code::OutputExists,
        Refusal::QueueFull { .. } => Code::QueueFull,
        Refusal::Draining => Code::Draining,
        Refusal::Ledger(error) => code_of_ledger(error),
    }
}

fn code_of_operation(error: &OperationError) -> Code {
    match error {
        OperationError::OperationsTooLong { .. } => Code::OperationTooLong,
        // Operations are packed here, so these name what has no canonical form rather than wrong bytes.
        OperationError::OperationsLength { .. }
        | OperationError::NoOperations
        | OperationError::UnknownOperation { .. }
        | OperationError::QuantityEncoding { .. }
        | OperationError::ZeroData
        | OperationError::TooManyKeys { .. }
        | OperationError::OperationOrder { .. }
        // Requests come by the chains, never by HTTP.
        | OperationError::Request(_)
        | OperationError::OrderLength { .. }
        | OperationError::OrderIndex { .. } => Code::OperationMalformed,
        OperationError::InputCount { .. } => Code::InputCount,
        OperationError::OutputCount { .. } => Code::OutputCount,
        OperationError::SignatureCount { .. } => Code::SignatureCount,
        OperationError::ZeroDomain => Code::ZeroDomain,
        OperationError::ZeroOwner => Code::ZeroOwner,
        OperationError::ZeroKind => Code::ZeroKind,
        OperationError::ZeroQuantity => Code::ZeroQuantity,
        OperationError::ZeroSalt => Code::ZeroSalt,
        OperationError::ZeroIssuer => Code::ZeroIssuer,
        OperationError::ZeroLabel => Code::ZeroLabel,
        OperationError::QuantityOverflow { .. } => Code::QuantityOverflow,
        OperationError::Unbalanced { .. } => Code::Unbalanced,
        OperationError::SignatureMalleable => Code::SignatureMalleable,
        OperationError::SignatureParity { .. } => Code::SignatureParity,
        OperationError::SignerMismatch { .. } => Code::SignerMismatch,
        OperationError::DeadlinePassed { .. } => Code::DeadlinePassed,
        OperationError::UnknownDomain { .. } => Code::UnknownDomain,
    }
}

fn code_of_pack(error: &PackError) -> Code {
    match error {
        PackError::InputCount { .. } => Code::InputCount,
        PackError::OutputCount { .. } => Code::OutputCount,
        PackError::SignatureCount { .. } => Code::SignatureCount,
        PackError::SignatureLength { .. } => Code::BadLength,
        PackError::DomainTooLarge { .. } => Code::BadNumber,
        PackError::ZeroQuantity => Code::ZeroQuantity,
        PackError::KindMismatch { .. } => Code::KindMismatch,
        PackError::OperationCount { .. } => Code::OperationMalformed,
    }
}

fn code_of_ledger(error: &LedgerError) -> Code {
    match error {
        LedgerError::Store(_) => Code::StoreUnavailable,
        LedgerError::Halted(_) => Code::Halted,
        LedgerError::ShuttingDown => Code::ShuttingDown,
        LedgerError::Corrupt { .. } => Code::Internal,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = Self::new(code_of(&refusal), refusal.to_string());
        match refusal {
            Refusal::InputSpent { input, by } | Refusal::InputClaimed { input, by } => {
                problem.with("input", input.to_string()).with("transfer", by.to_string())
            }
            Refusal::InputAbsent { input } | Refusal::InputRepeated { input } => {
                problem.with("input", input.to_string())
            }
            Refusal::OutputExists { output } => problem.with("output", output.to_string()),
            _ => problem,
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        tracing::error!(%error, "a request met a failing store");
        Self::new(code_of_ledger(&error), error.to_string())
    }
}
