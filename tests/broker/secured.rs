//! TLS and a login, towards the source and the sink; nothing that is secret leaves the process.

use std::fs;

use super::input::{self, PARTITIONS, RECORDS, Setup};
use super::state::Logs;
use crate::support::kafka::{Broker, PASSWORD, USER};
use crate::support::palisade::Palisade;
use crate::support::wait_for;

/// The configuration of a run, turned to the secured listener.
fn secure(setup: &Setup, broker: &Broker, mechanism: &str, authority: &str) {
    let path = setup.folder.join("config.yaml");
    fs::write(setup.folder.join("password"), PASSWORD).expect("a password file");
    let text = fs::read_to_string(&path).expect("a configuration");
    let plain = format!("brokers: [\"{}\"]", broker.address());
    let secured = format!(
        "brokers: [\"127.0.0.1:{}\"], tls: {authority}, sasl: {{mechanism: {mechanism}, username: {USER}, password: \"file:password\"}}",
        broker.secured_port
    );
    let source = text.replace(
        &format!("    {plain}\n"),
        &format!(
            "    {}\n",
            secured
                .replace(", tls:", "\n    tls:")
                .replace(", sasl:", "\n    sasl:")
        ),
    );
    let text = source.replace(&plain, &secured);
    fs::write(path, text).expect("a configuration");
}

#[test]
fn records_and_alerts_travel_by_tls_with_either_login() {
    for mechanism in ["plain", "scram-sha-256"] {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(folder.path());
        broker.create_topic(RECORDS, PARTITIONS);
        let setup = Setup::new(folder.path(), "secured", &broker, &[&input::detections()]);
        let authority = format!("{{ca: {:?}}}", broker.authority().display().to_string());
        secure(&setup, &broker, mechanism, &authority);
        broker.produce(RECORDS, PARTITIONS, &[input::alarm(1), input::alarm(2)]);
        let run = Palisade::run(&setup.folder);
        wait_for("both alerts at the sink", || {
            let delivered = setup.metric("palisade_sink_delivered_total{sink=\"bus\"}")?;
            (delivered >= 2.0).then_some(())
        });
        let (_, metrics) = setup.get("/metrics").expect("an answer");
        let said = run.log() + &metrics + &format!("{:?}", Logs::open(&setup).alerts());
        assert!(
            !said.contains(PASSWORD),
            "the password was said under {mechanism}"
        );
        assert_eq!(run.terminate().code(), Some(0), "{mechanism}");
    }
}

#[test]
fn certificate_of_an_unknown_authority_is_refused_and_named_by_readyz() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let setup = Setup::new(folder.path(), "stranger", &broker, &[&input::detections()]);
    secure(&setup, &broker, "plain", "true");
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(1)]);
    let run = Palisade::run(&setup.folder);
    let (_, body) = wait_for("`/readyz` to say what the source waits for", || {
        setup.get("/readyz").filter(|(status, body)| {
            *status == 503 && body.contains("hub") && body.to_lowercase().contains("certificate")
        })
    });
    assert!(!body.contains(PASSWORD));
    assert!(Logs::open(&setup).alerts().is_empty());
    run.kill();
}
