//! HTTP forms and the typed data of wallets.

use alloy::primitives::{Address, B256, U256, hex, keccak256};
use hypha_protocol::json::{
    IssueJson, RequestFormError, RequestJson, ResourceJson, TransferJson, VoidJson, parse_address,
    parse_decimal, parse_decimal_u64, parse_signature, parse_word,
};
use hypha_protocol::operations::{
    Issue, PackError, Request, RequestError, Resource, Transfer, Void, VoidReason,
};
use hypha_protocol::signing::{digest, issue_hash, transfer_hash};
use hypha_protocol::typed_data::{issue_typed_data, typed_data};
use serde_json::{Value, json};

use crate::fixtures::*;
use crate::requests::requests;

#[test]
fn forms_become_what_they_were_made_from() {
    let transfer = swap();
    let text = serde_json::to_string(&TransferJson::from(&transfer)).expect("JSON");
    let form: TransferJson = serde_json::from_str(&text).expect("its own form");
    assert_eq!(Transfer::try_from(&form), Ok(transfer));

    let issue = issue("gold", alices_gold());
    let text = serde_json::to_string(&IssueJson::from(&issue)).expect("JSON");
    let form: IssueJson = serde_json::from_str(&text).expect("its own form");
    assert_eq!(Issue::try_from(&form), Ok(issue));

    let resource = Resource { quantity: U256::MAX, domainId: U256::MAX, ..alices_gold() };
    assert_eq!(Resource::try_from(&ResourceJson::from(&resource)), Ok(resource));
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    let (_, request) = requests().swap_remove(6);
    let good = serde_json::to_value(RequestJson::from(&request)).expect("JSON");
    assert_eq!(good["content"]["issue"]["domainId"], SPOKE_CHAIN.to_string());
    let read = |value: Value| serde_json::from_value::<RequestJson>(value);
    let mut surplus = good.clone();
    surplus["content"]["transfer"] = json!({});
    assert!(read(surplus).is_err(), "one content");
    let mut unknown = good.clone();
    unknown["content"]["issue"]["kind"] = json!("0x00");
    assert!(read(unknown).is_err(), "the kind follows");
    let mut wrong = good.clone();
    wrong["number"] = json!("01");
    let form = read(wrong).expect("a form");
    let error = Request::try_from(&form).expect_err("no number");
    assert!(error.to_string().starts_with("number: expected a decimal number"), "{error}");
    let mut nothing = good;
    nothing["content"]["issue"]["quantity"] = json!("0");
    let error = Request::try_from(&read(nothing).expect("a form"));
    assert_eq!(error, Err(RequestFormError::Pack(PackError::ZeroQuantity)));

    let void = |reason: &str, position: &str| {
        let (request, position) = (RequestJson::from(&request), position.to_owned());
        Void::try_from(&VoidJson { request, reason: reason.to_owned(), position })
    };
    let words: Vec<_> = VoidReason::ALL.map(|reason| void(reason.as_str(), "0").is_ok()).into();
    assert_eq!(words, [false, false, true, true], "an issue has no input");
    let count = RequestFormError::Request(RequestError::VoidPosition { count: 1, position: 1 });
    assert_eq!(void("outputExists", "1"), Err(count));
    for (reason, position, field) in [("OutputExists", "0", "reason"), ("outputExists", "256", "position")] {
        let error = void(reason, position).expect_err(field).to_string();
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn hex_is_read_in_either_case_and_written_in_lower_case() {
    let upper = format!("0x{}", "AB".repeat(20));
    let address = parse_address("owner", &upper).expect("an address");
    let resource = Resource { owner: address, ..alices_gold() };
    assert_eq!(ResourceJson::from(&resource).owner, upper.to_lowercase().replace("0X", "0x"));
}

#[test]
fn unknown_and_missing_fields_are_refused() {
    let good = serde_json::to_value(TransferJson::from(&swap())).expect("JSON");
    let mut surplus = good.clone();
    surplus["note"] = json!("hello");
    assert!(serde_json::from_value::<TransferJson>(surplus).is_err());
    let mut inner = good.clone();
    inner["outputs"][0]["salt"] = json!("0x00");
    assert!(serde_json::from_value::<TransferJson>(inner).is_err(), "an output has no salt");
    let mut number = good.clone();
    number["deadline"] = json!(5);
    assert!(serde_json::from_value::<TransferJson>(number).is_err(), "numbers travel as strings");
    let mut missing = good.clone();
    missing["inputs"][0].as_object_mut().expect("an object").remove("salt");
    assert!(serde_json::from_value::<TransferJson>(missing).is_err());
    let mut no_data = good;
    no_data["outputs"][0].as_object_mut().expect("an object").remove("data");
    let form: TransferJson = serde_json::from_value(no_data).expect("data may be left out");
    assert_eq!(Transfer::try_from(&form), Ok(swap()));
}

#[test]
fn numbers_have_one_form() {
    assert_eq!(parse_decimal("n", "0"), Ok(U256::ZERO));
    assert_eq!(parse_decimal("n", &U256::MAX.to_string()), Ok(U256::MAX));
    let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "1e3", "١", above] {
        let error = parse_decimal("outputs[0].quantity", wrong).expect_err(wrong);
        assert_eq!(error.field, "outputs[0].quantity");
        assert_eq!(error.actual, wrong);
    }
    assert_eq!(parse_decimal_u64("n", "18446744073709551615"), Ok(u64::MAX));
    assert!(parse_decimal_u64("n", "18446744073709551616").is_err());
}

#[test]
fn hex_has_exactly_its_length() {
    let digits = "ab".repeat(32);
    assert_eq!(parse_word("w", &format!("0x{digits}")), Ok(B256::repeat_byte(0xab)));
    for wrong in [
        digits.clone(),
        format!("0X{digits}"),
        format!("0x{}", &digits[1..]),
        format!("0x{digits}0"),
        format!("0x0x{}", &digits[2..]),
        format!("0x0x{digits}"),
        format!("0x{}g", &digits[1..]),
        String::new(),
    ] {
        assert!(parse_word("w", &wrong).is_err(), "{wrong}");
    }
    assert!(parse_address("a", &format!("0x{digits}")).is_err());
    assert_eq!(parse_signature("s", &format!("0x{}", "1b".repeat(65))).map(|bytes| bytes.len()), Ok(65));
    assert!(parse_signature("s", &format!("0x{}", "1b".repeat(64))).is_err());
}

#[test]
fn errors_name_the_field_and_cut_what_is_long() {
    let mut form = TransferJson::from(&swap());
    form.outputs[2].owner = "é".repeat(1000);
    let error = Transfer::try_from(&form).expect_err("no address");
    assert_eq!(error.field, "outputs[2].owner");
    assert_eq!(error.actual.chars().count(), 81);
    let mut form = TransferJson::from(&swap());
    form.signatures[1] = "0x".into();
    assert_eq!(Transfer::try_from(&form).expect_err("no signature").field, "signatures[1]");
    let mut form = IssueJson::from(&issue("gold", alices_gold()));
    form.resource.salt = "salt".into();
    let error = Issue::try_from(&form).expect_err("no word");
    assert_eq!(error.to_string(), "resource.salt: expected 0x and 64 hexadecimal digits, got \"salt\"");
}

#[test]
fn wallets_sign_what_is_checked() {
    let swap = swap();
    let document = typed_data(&swap, HUB_CHAIN, HUB);
    assert_eq!(document_digest(&document), digest(separator(), transfer_hash(&swap)));
    let issue = issue("gold", alices_gold());
    let document = issue_typed_data(&issue, HUB_CHAIN, HUB);
    assert_eq!(document_digest(&document), digest(separator(), issue_hash(&issue)));
}

/// What a wallet signs for an EIP-712 document, computed from the document alone.
fn document_digest(document: &Value) -> B256 {
    let types = &document["types"];
    let primary = document["primaryType"].as_str().expect("a type");
    digest(
        hash_struct(types, "EIP712Domain", &document["domain"]),
        hash_struct(types, primary, &document["message"]),
    )
}

fn hash_struct(types: &Value, name: &str, value: &Value) -> B256 {
    let mut others: Vec<&str> = referenced(types, name);
    others.sort_unstable();
    let described: String = std::iter::once(name).chain(others).map(|name| describe(types, name)).collect();
    let mut words = keccak256(described).to_vec();
    for field in types[name].as_array().expect("fields") {
        let kind = field["type"].as_str().expect("a type");
        words.extend_from_slice(
            encode(types, kind, &value[field["name"].as_str().expect("a name")]).as_slice(),
        );
    }
    keccak256(words)
}

fn describe(types: &Value, name: &str) -> String {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let fields = types[name].as_array().expect("fields");
    let fields: Vec<_> =
        fields.iter().map(|field| format!("{} {}", text(&field["type"]), text(&field["name"]))).collect();
    format!("{name}({})", fields.join(","))
}

/// Struct types that the fields of `name` mention (one level, as deep as ours go).
fn referenced<'a>(types: &'a Value, name: &str) -> Vec<&'a str> {
    let fields = types[name].as_array().expect("fields").iter();
    fields
        .map(|field| field["type"].as_str().expect("a type").trim_end_matches("[]"))
        .filter(|kind| types.get(kind).is_some())
        .collect()
}

fn encode(types: &Value, kind: &str, value: &Value) -> B256 {
    if let Some(element) = kind.strip_suffix("[]") {
        let elements = value.as_array().expect("a list").iter();
        let words: Vec<u8> =
            elements.flat_map(|element_value| encode(types, element, element_value).0).collect();
        return keccak256(words);
    }
    match kind {
        "string" => keccak256(value.as_str().expect("text")),
        "bytes32" => value.as_str().expect("hex").parse().expect("a word"),
        "address" => value.as_str().expect("hex").parse::<Address>().expect("an address").into_word(),
        "uint64" | "uint256" => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            B256::from(text.parse::<U256>().expect("a number"))
        }
        _ => hash_struct(types, kind, value),
    }
}

#[test]
fn typed_data_is_plain_json() {
    let document = typed_data(&plain_transfer(), HUB_CHAIN, HUB);
    assert_eq!(document["message"]["outputs"][0]["quantity"], "100");
    assert_eq!(document["domain"]["chainId"], HUB_CHAIN);
    assert!(hex::decode(document["message"]["inputs"][0].as_str().expect("hex")).is_ok());
}
