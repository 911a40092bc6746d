//! What the strict reader takes and refuses, with code and place.

use proptest::prelude::*;

use super::*;
use crate::code::Code;

fn refusal(bytes: &[u8]) -> (Code, String) {
    let refused = parse(bytes, &Limits::CLAIM).unwrap_err();
    (refused.code, refused.pointer.unwrap())
}

#[test]
fn order_and_kinds_are_kept() {
    let value = parse(br#" {"b": [null, true, -1, 1.5, "\u00e9\n"], "a": {}} "#, &Limits::CLAIM).unwrap();
    let list = vec![
        Value::Null,
        Value::Bool(true),
        Value::Number(Number::Int(-1)),
        Value::Number(Number::Float(1.5)),
        Value::String("é\n".into()),
    ];
    assert_eq!(value, Value::Object(vec![("b".into(), Value::Array(list)), ("a".into(), Value::Object(vec![]))]));
}

#[test]
fn a_float_is_the_number_nearest_to_what_is_written() {
    for text in ["111111111.112581258", "0.1", "9.8", "2.2250738585072014e-308", "0.30000000000000004"] {
        let nearest: f64 = text.parse().unwrap();
        assert_eq!(parse(text.as_bytes(), &Limits::CLAIM), Ok(Value::Number(Number::Float(nearest))), "{text}");
    }
}

#[test]
fn syntax_is_strict() {
    let cases: &[(&[u8], &str)] = &[
        (b"", ""),
        (b"{} {}", ""),
        (b"{}\0", ""),
        (b"{\"a\":1,}", ""),
        (b"[1,]", "/1"),
        (b"{\"a\":01}", "/a"),
        (b"{\"a\":+1}", "/a"),
        (b"{\"a\":.5}", "/a"),
        (b"{\"a\":NaN}", "/a"),
        (b"{'a':1}", ""),
        (b"{\"a\":\"\t\"}", "/a"),
        (b"{\"a\":\"\\ud800\"}", "/a"),
        (b"{\"a\":[0,\"\xff\"]}", "/a/1"),
        (b"{\"\xc0\x80\":1}", ""),
        (b"\xef\xbb\xbf{}", ""),
        (b"{} // comment", ""),
    ];
    for (bytes, pointer) in cases {
        assert_eq!(refusal(bytes), (Code::ClaimJson, (*pointer).into()), "{}", bytes.escape_ascii());
    }
    let refused = parse(b"[\"\xff\"]", &Limits::CLAIM).unwrap_err();
    assert_eq!(refused.message, "not UTF-8 at byte 2");
}

#[test]
fn members_that_stand_twice() {
    assert_eq!(refusal(br#"{"a":1,"a":1}"#), (Code::ClaimDuplicateKey, "/a".into()));
    assert_eq!(refusal(br#"{"x":[{},{"a/b~c":1,"\u0061/b~c":2}]}"#), (Code::ClaimDuplicateKey, "/x/1/a~1b~0c".into()));
    let many: Vec<String> = (0..100).map(|n| format!("\"m{n}\":{n}")).collect();
    assert!(parse(format!("{{{}}}", many.join(",")).as_bytes(), &Limits::CLAIM).is_ok());
    for twice in ["m0", "m31", "m32", "m99"] {
        let text = format!("{{{},\"{twice}\":0}}", many.join(","));
        assert_eq!(refusal(text.as_bytes()), (Code::ClaimDuplicateKey, format!("/{twice}")));
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(nested(16).as_bytes(), &Limits::CLAIM).is_ok());
    assert_eq!(refusal(nested(17).as_bytes()), (Code::ClaimDepth, "/0".repeat(16)));
    assert_eq!(refusal("[".repeat(100_000).as_bytes()).0, Code::ClaimDepth);
    let objects = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
    assert_eq!(refusal(objects.as_bytes()), (Code::ClaimDepth, "/a".repeat(16)));
    // A caller that allows more than the reader's own bound gets a refusal, never an overflow.
    let deep = Limits { depth: usize::MAX, ..Limits::CLAIM };
    assert_eq!(parse(nested(100_000).as_bytes(), &deep).unwrap_err().code, Code::ClaimJson);
    assert!(parse(nested(Limits::MAX_DEPTH).as_bytes(), &deep).is_ok());
}

#[test]
fn numbers_are_bounded() {
    for good in ["9007199254740992", "-9007199254740992", "9007199254740992.0", "1e15", "-0", "0.1"] {
        assert!(parse(good.as_bytes(), &Limits::CLAIM).is_ok(), "{good}");
    }
    let bad = [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e16",
        "-1e300",
        "1e999",
        "-1e999",
    ];
    for bad in bad {
        assert_eq!(refusal(format!("[{bad}]").as_bytes()), (Code::ClaimNumber, "/0".into()), "{bad}");
    }
}

#[test]
fn strings_are_bounded() {
    let exact = format!("{{\"a\":\"{}\"}}", "é".repeat(2048));
    assert!(parse(exact.as_bytes(), &Limits::CLAIM).is_ok());
    let long = format!("{{\"a\":\"{}x\"}}", "é".repeat(2048));
    assert_eq!(refusal(long.as_bytes()), (Code::ClaimTooLong, "/a".into()));
    let name = format!("{{\"a\":{{\"{}\":1}}}}", "x".repeat(4097));
    assert_eq!(refusal(name.as_bytes()), (Code::ClaimTooLong, "/a".into()));
}

#[test]
fn fields_name_the_place() {
    let document = |text: &str| Item::document(parse(text.as_bytes(), &Limits::CLAIM).unwrap(), &Codes::CLAIM);
    let mut fields = document(r#"{"a":"x","b":[1,"y"],"c/d":2,"e":null}"#).object().unwrap();
    assert_eq!(fields.text("a").unwrap().as_str(), "x");
    let refused = fields.list("b", 2, |item| item.integer(0, 9)).unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_deref()), (Code::ClaimWrongType, Some("/b/1")));
    let refused = fields.text("a").unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_deref()), (Code::ClaimMissing, Some("/a")));
    assert_eq!(fields.opt_text("e").unwrap_err().code, Code::ClaimWrongType);
    let refused = fields.finish().unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_deref()), (Code::ClaimUnknownMember, Some("/c~1d")));
    let refused = document("[1,2,3]").array(2).unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_deref()), (Code::ClaimTooMany, Some("")));
    for (text, code) in [("1.0", Code::ClaimValue), ("-1", Code::ClaimValue), ("\"1\"", Code::ClaimWrongType)] {
        assert_eq!(document(text).integer(0, 9).unwrap_err().code, code);
    }
}

#[test]
fn envelopes_have_their_own_codes() {
    let refused = parse(br#"{"payload":"a","payload":"b"}"#, &Limits::ENVELOPE).unwrap_err();
    assert_eq!(refused.code, Code::EnvelopeDuplicateMember);
    assert_eq!(parse(b"{", &Limits::ENVELOPE).unwrap_err().code, Code::EnvelopeMalformed);
}

/// Any JSON value that the limits allow.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-MAX_NUMBER..=MAX_NUMBER).prop_map(|n| Value::Number(Number::Int(n))),
        "\\PC{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            proptest::collection::btree_map("\\PC{0,6}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in values()) {
        let text = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(parse(&text, &Limits::CLAIM).unwrap(), value);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &Limits::CLAIM);
    }

    #[test]
    fn cut_text_is_refused(value in values(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_vec(&Value::Array(vec![value])).unwrap();
        let cut = cut.index(text.len());
        prop_assert!(parse(&text[..cut], &Limits::CLAIM).is_err());
    }
}
