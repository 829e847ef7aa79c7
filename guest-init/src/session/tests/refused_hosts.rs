//! A host that is none, or of another build.

use super::*;

/// What the session says to a host that answers Ready with these bytes and leaves.
fn broken_off(answer: &[u8]) -> String {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.expect(Stream::Control);
    control.write_all(answer).unwrap();
    control.shutdown(NetShutdown::Write).unwrap();
    host.session.join().unwrap().unwrap_err().to_string()
}

#[test]
fn a_host_of_another_version_or_none_is_refused() {
    let hello = frame(&format!(r#"{{"version":{VERSION},"stream":"control","key":""}}"#));
    let then = |json: &str| broken_off(&[&hello[..], &frame(json)].concat());
    let refused = broken_off(&frame(r#"{"version":77,"colour":true}"#));
    let own = format!("version {VERSION}:");
    assert!(refused.contains("version 77") && refused.contains(&own), "{refused}");
    assert!(broken_off(b"GET / HTTP/1.1\r\n\r\n").contains("the limit is"));
    assert!(broken_off(&[1, 2]).contains("inside a frame"));
    assert!(broken_off(&[]).contains("closed the connection"));
    assert!(then(r#"{"setup":{"setting":{"colour":true}}}"#).contains("colour"));
    let signal = then(r#"{"signal":{"process":0,"number":9}}"#);
    assert!(signal.contains("sent signal when it was not its turn"), "{signal}");
    assert!(then("null").contains("not a message"));
}

#[test]
fn nobody_there() {
    let nobody = UnixHost("/no/such/socket".into());
    let error = run(&nobody, &ProcessGroups::default()).unwrap_err().to_string();
    assert!(error.starts_with("host, Control stream: No such file"), "{error}");
}
