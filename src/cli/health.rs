//! `palisade health`: ask a running process whether it is alive or ready.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::{Terminal, load_config};
use crate::config::load;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade health                        asks /livez at PALISADE_HTTP_LISTEN or 127.0.0.1:9600
  palisade health --ready -c palisade.yaml
  palisade health --address 127.0.0.1:9601

Exit status: 0 yes, 1 no or no answer; the answer of the process goes to standard output.";

/// Options of `health`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Ask `/readyz` instead of `/livez`.
    #[arg(long)]
    pub ready: bool,
    /// Address to ask.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "config")]
    pub address: Option<String>,
    /// Configuration file whose `http.listen` is asked.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Address asked when nothing says another.
const ADDRESS: &str = "127.0.0.1:9600";

/// How long to wait for the connection, and for each part of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks once.
///
/// # Errors
/// When the address cannot be used, or nobody answers there.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let address = address(args, terminal)?;
    let path = if args.ready { "/readyz" } else { "/livez" };
    let (status, body) =
        ask(address, path).with_context(|| format!("`{address}` does not answer"))?;
    io::stdout().write_all(body.as_bytes())?;
    Ok(if status == 200 {
        Exit::Ok
    } else {
        Exit::Problems
    })
}

/// Where the process listens, by the option, the configuration, the environment, or the default.
fn address(args: &Args, terminal: Terminal) -> anyhow::Result<SocketAddr> {
    if let Some(config) = &args.config {
        // The environment's word is in it.
        let address = load_config(config, terminal)?.config.http_listen;
        return Ok(reachable(address));
    }
    let text = match &args.address {
        Some(address) => address.clone(),
        None => load::environment("PALISADE_HTTP_LISTEN").unwrap_or_else(|| ADDRESS.to_owned()),
    };
    let mut addresses = text
        .to_socket_addrs()
        .with_context(|| format!("`{text}` is no address like `{ADDRESS}`"))?;
    let address = addresses
        .next()
        .with_context(|| format!("`{text}` names no host"))?;
    Ok(reachable(address))
}

/// A process that listens at every address is asked at loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The status and the body of an answer to `GET path`.
fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).context("the answer is not HTTP")
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admin::{Admin, Health};
    use crate::clock::Clock;
    use crate::metrics::Metrics;

    #[test]
    fn status_and_reason_of_a_running_process_are_told() {
        let health = Arc::new(Health::new(Clock::start()));
        let admin = Admin {
            health: Arc::clone(&health),
            metrics: Arc::new(Metrics::default()),
        };
        let server = admin.start("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(
            ask(server.address(), "/readyz").unwrap(),
            (200, "ready\n".to_owned())
        );
        health.not_ready("state", "the disk is full");
        let (status, body) = ask(server.address(), "/readyz").unwrap();
        assert_eq!(
            (status, body.as_str()),
            (503, "not ready: state: the disk is full\n")
        );
    }

    #[test]
    fn the_address_of_the_configuration_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("palisade.yaml");
        let text = "rules: [.]\nsources: [{name: f, type: file, path: '-'}]\n\
                    sinks: [{name: s, type: stdout}]\nhttp: {listen: '0.0.0.0:9777'}\n";
        std::fs::write(&file, text).unwrap();
        let args = Args {
            ready: false,
            address: None,
            config: Some(file),
        };
        let asked = address(&args, Terminal::new(clap::ColorChoice::Never)).unwrap();
        assert_eq!(asked.to_string(), "127.0.0.1:9777");
    }

    #[test]
    fn an_address_for_all_interfaces_is_asked_at_loopback() {
        let asked = reachable("0.0.0.0:9600".parse().unwrap());
        assert_eq!(asked.to_string(), "127.0.0.1:9600");
        let asked = reachable("[::]:9600".parse().unwrap());
        assert_eq!(asked.to_string(), "[::1]:9600");
        let asked = reachable("10.0.0.7:9600".parse().unwrap());
        assert_eq!(asked.to_string(), "10.0.0.7:9600");
    }

    #[test]
    fn an_answer_that_is_no_http_is_refused() {
        assert_eq!(parse("SSH-2.0-x\r\n\r\n"), None);
    }
}
