//! Health, readiness and metrics over HTTP, read-only.
//!
//! The server runs on a thread with a runtime of its own: however slow or hostile a scraper is, the
//! pipeline does not notice. It answers `GET` and `HEAD` of three paths, one request a connection,
//! and never reads a body. Clients that open connections and send nothing only close each other's: a
//! new one takes the place of the oldest.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::metrics::Metrics;

/// Most connections at a time; a further one closes the oldest, which had its time: an honest scraper
/// is answered within milliseconds.
pub const CONNECTIONS_MAX: usize = 64;

/// Largest request head in bytes; a larger one is answered with 431.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How long a client may take to send its request head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last, reading the answer included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How old the last sign of life of the pipeline may be before `/livez` says no.
pub const LIVE_WITHIN: Duration = Duration::from_secs(30);

/// How long to wait after the system refused a connection (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Which parts are ready, and when the pipeline last gave a sign of life.
#[derive(Debug)]
pub struct Health {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Parts with the reason why they are not ready.
    parts: BTreeMap<String, Option<String>>,
    /// What `/readyz` says besides.
    notes: BTreeMap<String, String>,
    beat: Duration,
}

impl Health {
    /// A process with no parts, alive.
    pub fn new(clock: Clock) -> Self {
        let state = State {
            parts: BTreeMap::new(),
            notes: BTreeMap::new(),
            beat: clock.elapsed(),
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    /// `part` works.
    pub fn ready(&self, part: &str) {
        self.lock().parts.insert(part.to_owned(), None);
    }

    /// `part` is not ready for this reason; no secret, no event content.
    pub fn not_ready(&self, part: &str, reason: impl Into<String>) {
        self.lock()
            .parts
            .insert(part.to_owned(), Some(reason.into()));
    }

    /// Says something of `part` that does not make it less ready; `None`: nothing any more. No secret,
    /// no event content.
    pub fn note(&self, part: &str, text: Option<String>) {
        let mut state = self.lock();
        match text {
            Some(text) => state.notes.insert(part.to_owned(), text),
            None => state.notes.remove(part),
        };
    }

    /// What is to be said besides, a line or more each.
    pub fn notes(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let notes = state.notes.iter();
        notes
            .map(|(part, text)| (part.clone(), text.clone()))
            .collect()
    }

    /// The pipeline's loops turn.
    pub fn beat(&self) {
        self.lock().beat = self.clock.elapsed();
    }

    /// Whether the pipeline's loops have turned within [`LIVE_WITHIN`].
    pub fn is_live(&self) -> bool {
        self.clock.elapsed().saturating_sub(self.lock().beat) < LIVE_WITHIN
    }

    /// The parts that are not ready, with their reasons.
    pub fn waiting(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let reasons = state.parts.iter();
        reasons
            .filter_map(|(part, reason)| Some((part.clone(), reason.clone()?)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server answers from.
#[derive(Clone)]
pub struct Admin {
    /// For `/livez` and `/readyz`.
    pub health: Arc<Health>,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// The address it listens at; names the port where `:0` was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Admin {
    /// Listens at `address` and serves on a thread of its own.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread cannot start.
    pub fn start(self, address: SocketAddr) -> io::Result<Server> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        () = self.serve(listener) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Server {
            address,
            _stop: stop,
        })
    }

    async fn serve(self, listener: StdListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the HTTP listener cannot be used");
                return;
            }
        };
        let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS_MAX);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            open.retain(|connection| !connection.is_finished());
            if open.len() == CONNECTIONS_MAX
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let admin = self.clone();
            let connection = tokio::spawn(async move {
                let served = tokio::time::timeout(CONNECTION_TIMEOUT, admin.connection(stream));
                if let Ok(Err(error)) = served.await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
            open.push_back(connection.abort_handle());
        }
    }

    async fn connection(&self, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
            .await
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let headers = request.headers();
        let length = headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
        if length || headers.contains_key(TRANSFER_ENCODING) {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "no request bodies\n");
        }
        match request.uri().path() {
            "/metrics" => {
                let mut answer = plain(StatusCode::OK, self.metrics.render());
                let text = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                answer.headers_mut().insert(CONTENT_TYPE, text);
                answer
            }
            "/livez" => self.livez(),
            "/readyz" => self.readyz(),
            _ => plain(
                StatusCode::NOT_FOUND,
                "/metrics, /livez and /readyz are here\n",
            ),
        }
    }

    fn livez(&self) -> Response<Full<Bytes>> {
        if self.health.is_live() {
            return plain(StatusCode::OK, "live\n");
        }
        let seconds = LIVE_WITHIN.as_secs();
        let text = format!("the pipeline gave no sign of life for {seconds} s\n");
        plain(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        let waiting = self.health.waiting();
        let (status, mut text) = if waiting.is_empty() {
            (StatusCode::OK, "ready\n".to_owned())
        } else {
            let lines = waiting
                .iter()
                .map(|(part, reason)| format!("not ready: {part}: {reason}\n"));
            (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        };
        for (part, note) in self.health.notes() {
            text.extend([&part, ": ", note.trim_end(), "\n"]);
        }
        plain(status, text)
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
