//! Builds the requests to providers of metrics, and parses their answers.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::oam::batch_gates::{Header, PLACEHOLDERS, Provider, fill_in, json_pointer};
use crate::plan::metric::MetricValue;
use crate::probe::{GateValues, ParsedQuery, ProbeError, ProbeRequest, ProbeResponse};

/// The request for one measurement, with these values of its placeholders.
#[must_use]
pub fn metric_request(provider: &Provider, values: &GateValues) -> ProbeRequest {
    match provider {
        Provider::Prometheus { address, query, headers } => {
            prometheus_request("query", (address, query, headers), values)
        }
        Provider::Web { url, method, headers, body, .. } => ProbeRequest::Http {
            method: method.clone(),
            url: fill_in(url, values),
            headers: headers.clone(),
            body: body.as_ref().map(|body| fill_in(body, values)),
            reads_body: true,
        },
        Provider::Exec { command } => {
            ProbeRequest::Exec { command: command.iter().map(|part| fill_in(part, values)).collect() }
        }
    }
}

/// The request that has a query parsed; `None` if the provider has no such endpoint. For Prometheus, it is the endpoint
/// that formats queries, since that one is stable.
#[must_use]
pub fn query_request(provider: &Provider) -> Option<ProbeRequest> {
    let Provider::Prometheus { address, query, headers } = provider else { return None };
    // The batch is a number, and may be used as one in the query.
    let value = |name: &str| if name == "batch" { "1" } else { "x" };
    let values = PLACEHOLDERS.iter().map(|name| (*name, value(name).to_owned())).collect();
    Some(prometheus_request("format_query", (address, query, headers), &values))
}

fn prometheus_request(
    endpoint: &str,
    (address, query, headers): (&str, &str, &[Header]),
    values: &GateValues,
) -> ProbeRequest {
    let (address, query) = (fill_in(address, values), fill_in(query, values));
    let query = utf8_percent_encode(query.trim(), NON_ALPHANUMERIC);
    let url = format!("{}/api/v1/{endpoint}?query={query}", address.trim_end_matches('/'));
    let (method, headers) = ("GET".to_owned(), headers.to_vec());
    ProbeRequest::Http { method, url, headers, body: None, reads_body: true }
}

/// Parses the answer about a query.
#[must_use]
pub fn query_answer(answer: Result<ProbeResponse, ProbeError>) -> ParsedQuery {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return ParsedQuery::Unknown(error.to_string()),
    };
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match (body["status"].as_str(), body["errorType"].as_str()) {
        (Some("success"), _) => ParsedQuery::Sound,
        (Some("error"), Some("bad_data")) => {
            ParsedQuery::Malformed(body["error"].as_str().unwrap_or("no reason given").to_owned())
        }
        (_, _) => ParsedQuery::Unknown(format!("the server answered with status {}", answer.status)),
    }
}

/// Parses the value in an answer.
///
/// # Errors
/// Why there is no value.
pub fn metric_answer(provider: &Provider, answer: &ProbeResponse) -> Result<MetricValue, String> {
    match provider {
        Provider::Prometheus { .. } => of_prometheus(answer),
        Provider::Web { json_path, .. } => {
            if !(200..300).contains(&answer.status) {
                return Err(format!("the server answered with status {}", answer.status));
            }
            let value = json(&answer.body)?;
            let Some(path) = json_path else { return Ok(MetricValue::Json(value)) };
            let found = json_pointer(path).and_then(|pointer| value.pointer(&pointer).cloned());
            found.map(MetricValue::Json).ok_or_else(|| format!("the answer has nothing at `{path}`"))
        }
        Provider::Exec { command } => {
            if answer.status != 0 {
                let program = command.first().map(String::as_str).unwrap_or_default();
                let stderr = match answer.stderr.trim() {
                    "" => String::new(),
                    stderr => format!(": {stderr}"),
                };
                return Err(format!("`{program}` exited with code {}{stderr}", answer.status));
            }
            json(answer.body.trim()).map(MetricValue::Json)
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the response is not JSON: {error}"))
}

/// The format is Prometheus's HTTP API: <https://prometheus.io/docs/prometheus/latest/querying/api/>.
fn of_prometheus(answer: &ProbeResponse) -> Result<MetricValue, String> {
    let body = json(&answer.body)
        .map_err(|reason| format!("Prometheus answered with status {}: {reason}", answer.status))?;
    if body["status"] != "success" {
        let reason = body["error"].as_str().unwrap_or("no reason given");
        return Err(format!("Prometheus refuses the query: {reason}"));
    }
    let sample = |value: &Value| value[1].as_str().and_then(|number| number.parse::<f64>().ok());
    let result = &body["data"]["result"];
    let measured = match body["data"]["resultType"].as_str() {
        Some("vector") => result.as_array().and_then(|samples| {
            samples
                .iter()
                .map(|one| sample(&one["value"]))
                .collect::<Option<Vec<f64>>>()
                .map(MetricValue::Numbers)
        }),
        Some("scalar") => sample(result).map(MetricValue::Number),
        Some(other) => return Err(format!("the query's result is a {other}, expected a vector or a scalar")),
        None => None,
    };
    measured.ok_or_else(|| "the answer of Prometheus cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: i32, body: &str) -> ProbeResponse {
        ProbeResponse { status, body: body.to_owned(), stderr: "no such host".to_owned() }
    }

    fn prometheus() -> Provider {
        Provider::Prometheus {
            address: "http://prometheus:9090/".to_owned(),
            query: "sum(rate(x{revision=\"{{revision}}\"}[1m]))".to_owned(),
            headers: Vec::new(),
        }
    }

    #[test]
    fn queries_to_prometheus_contain_the_revision() {
        let values = GateValues::from([("revision", "web-v2".to_owned())]);
        let ProbeRequest::Http { url, .. } = metric_request(&prometheus(), &values) else { panic!() };
        let wanted = "http://prometheus:9090/api/v1/query?query=\
             sum%28rate%28x%7Brevision%3D%22web%2Dv2%22%7D%5B1m%5D%29%29";
        assert_eq!(url, wanted);
    }

    #[test]
    fn answers_of_prometheus_are_parsed_as_numbers() {
        let of = |body: &str| metric_answer(&prometheus(), &answer(200, body));
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]}]}}"#;
        assert_eq!(of(vector), Ok(MetricValue::Numbers(vec![0.5])));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert_eq!(of(scalar), Ok(MetricValue::Number(2.0)));
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(of(refused), Err("Prometheus refuses the query: parse error".to_owned()));
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert!(of(matrix).unwrap_err().contains("matrix"));
        assert!(of("<html>").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn queries_are_parsed_with_their_placeholders_filled_in() {
        let Some(ProbeRequest::Http { url, .. }) = query_request(&prometheus()) else { panic!() };
        let query = "sum%28rate%28x%7Brevision%3D%22x%22%7D%5B1m%5D%29%29";
        assert_eq!(url, format!("http://prometheus:9090/api/v1/format_query?query={query}"));
        let of = |status, body: &str| query_answer(Ok(answer(status, body)));
        assert_eq!(of(200, r#"{"status":"success","data":"x"}"#), ParsedQuery::Sound);
        let malformed = r#"{"status":"error","errorType":"bad_data","error":"1:4: parse error"}"#;
        assert_eq!(of(400, malformed), ParsedQuery::Malformed("1:4: parse error".to_owned()));
        for (status, body) in
            [(404, "404 page not found"), (503, r#"{"status":"error","errorType":"unavailable"}"#)]
        {
            let unknown = format!("the server answered with status {status}");
            assert_eq!(of(status, body), ParsedQuery::Unknown(unknown));
        }
    }

    #[test]
    fn a_json_path_selects_the_value_in_an_answer() {
        let json_path = Some("{$.data[0].rate}".to_owned());
        let (url, method) = ("http://a".to_owned(), "GET".to_owned());
        let provider = Provider::Web { url, method, headers: Vec::new(), body: None, json_path };
        let of = |status, body| metric_answer(&provider, &answer(status, body));
        assert_eq!(of(200, r#"{"data":[{"rate":3}]}"#), Ok(MetricValue::Json(3.into())));
        assert!(of(200, "{}").unwrap_err().contains("{$.data[0].rate}"));
        assert!(of(404, "{}").unwrap_err().contains("404"));
    }

    #[test]
    fn the_error_of_a_failed_command_contains_its_stderr() {
        let provider = Provider::Exec { command: vec!["probe".to_owned()] };
        assert_eq!(metric_answer(&provider, &answer(0, " 4\n")), Ok(MetricValue::Json(4.into())));
        let failed = metric_answer(&provider, &answer(2, ""));
        assert_eq!(failed, Err("`probe` exited with code 2: no such host".to_owned()));
    }
}
