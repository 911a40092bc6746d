//! Requests whose end or addressee two readers could see differently. The HTTP library refuses most of them (two lengths, a length
//! that is no number, a folded field) and closes after a request with both a length and chunks. These are the rest.

use http::header::{HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Version};
use proto::code::Code;

use crate::problem::Problem;

/// Why the request is refused and its connection closed, if it is.
pub(crate) fn doubt(request: &Parts) -> Option<Problem> {
    let detail = match () {
        // The library reads chunks and leaves any coding before them as it is; a proxy may have undone it, or seen another end.
        () if !is_chunked_once(&request.headers) => {
            "A body comes either with Content-Length or with one Transfer-Encoding, which is chunked."
        }
        // RFC 9112 §3.2: with none or several, what stands before us may have taken the request for another site's.
        () if request.version == Version::HTTP_11 && request.headers.get_all(HOST).iter().count() != 1 => {
            "A request has exactly one Host field."
        }
        () => return None,
    };
    Some(Problem::new(Code::RequestInvalid, detail))
}

/// No transfer coding, or chunked once and nothing else (RFC 9112 §6.1).
fn is_chunked_once(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(fields: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::new(());
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        request.into_parts().0
    }

    #[test]
    fn one_coding_and_one_host_or_none_of_it() {
        for good in [
            &[("host", "log")][..],
            &[("host", "log"), ("transfer-encoding", "chunked")],
            &[("host", "log"), ("transfer-encoding", "Chunked")],
        ] {
            assert_eq!(doubt(&parts(good)), None, "{good:?}");
        }
        for bad in [
            &[][..],
            &[("host", "log"), ("host", "log")],
            &[("host", "log"), ("transfer-encoding", "gzip, chunked")],
            &[("host", "log"), ("transfer-encoding", "chunked, chunked")],
            &[("host", "log"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        ] {
            assert_eq!(doubt(&parts(bad)).map(|problem| problem.code()), Some(Code::RequestInvalid), "{bad:?}");
        }
        let mut old = parts(&[]);
        old.version = Version::HTTP_10;
        assert_eq!(doubt(&old), None, "the old version knows no hosts");
    }
}
