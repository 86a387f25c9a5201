use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

fn server() -> (Server, Arc<Health>) {
    let health = Arc::new(Health::new(Clock::start()));
    let admin = Admin {
        health: Arc::clone(&health),
        metrics: Arc::new(Metrics::default()),
    };
    let server = admin.start("127.0.0.1:0".parse().unwrap()).unwrap();
    (server, health)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    stream
}

/// Sends raw bytes and reads until the server closes; what was sent after its answer may be lost.
fn ask(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    stream.write_all(request).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8(answer).unwrap()
}

fn get(server: &Server, path: &str) -> String {
    ask(
        server,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
    )
}

#[test]
fn an_unknown_path_is_404() {
    let (server, _health) = server();
    assert!(get(&server, "/").starts_with("HTTP/1.1 404 "));
    assert!(get(&server, "/metricsx").starts_with("HTTP/1.1 404 "));
}

#[test]
fn other_methods_and_bodies_are_refused() {
    let (server, _health) = server();
    let post = ask(
        &server,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    let body = ask(
        &server,
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n",
    );
    assert!(body.starts_with("HTTP/1.1 413 "), "{body}");
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    let (server, _health) = server();
    let long = "a".repeat(HEAD_BYTES_MAX);
    let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n");
    let answer = ask(&server, request.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
}

#[test]
fn readyz_names_the_part_that_waits() {
    let (server, health) = server();
    health.ready("state");
    health.not_ready("source `hub`", "waiting for the broker");
    let answer = get(&server, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("not ready: source `hub`: waiting for the broker\n"),
        "{answer}"
    );
    health.ready("source `hub`");
    assert!(get(&server, "/readyz").starts_with("HTTP/1.1 200 "));
    assert!(get(&server, "/livez").starts_with("HTTP/1.1 200 "));
}

#[test]
fn readyz_says_notes_besides_and_stays_ready() {
    let (server, health) = server();
    health.note("reload", Some("refused:\nerror\n".to_owned()));
    let answer = get(&server, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.ends_with("ready\nreload: refused:\nerror\n"),
        "{answer}"
    );
    health.note("reload", None);
    assert!(get(&server, "/readyz").ends_with("\r\n\r\nready\n"));
}

#[test]
fn metrics_are_served_and_head_has_no_body() {
    let (server, _health) = server();
    let answer = get(&server, "/metrics");
    assert!(
        answer.contains("# TYPE palisade_alerts_total counter"),
        "{answer}"
    );
    let head = ask(&server, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn a_client_that_never_ends_its_request_is_closed() {
    let (server, _health) = server();
    let mut slow = connect(&server);
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
    let mut answer = String::new();
    // Ends only because the server closes: nothing else is sent, and the client does not give up.
    slow.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("live\n"), "{answer}");
}

#[test]
fn silent_connections_keep_no_scraper_out() {
    let (server, _health) = server();
    let mut held: Vec<TcpStream> = (0..4 * CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    assert!(get(&server, "/livez").ends_with("live\n"));
    let mut nothing = Vec::new();
    let closed = held[0].read_to_end(&mut nothing);
    assert!(nothing.is_empty(), "closed without an answer: {closed:?}");
    // The newest but the scraper's own are still served.
    let newest = held.last_mut().unwrap();
    newest
        .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    newest.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("live\n"), "{answer}");
}
