use serde_json::json;

use super::*;
use crate::image::ImageConfig;

fn read(config: Value) -> Result<ImageConfig, String> {
    let document = json!({"config": config, "rootfs": {}});
    let read = ImageConfiguration::read(document.to_string().as_bytes());
    read.map(|configuration| ImageConfig::from(&configuration)).map_err(|error| error.to_string())
}

#[test]
fn an_entrypoint_that_is_empty_is_none() {
    for entrypoint in [json!([""]), json!([]), json!(null), json!(""), json!([null])] {
        let config =
            read(json!({"Entrypoint": entrypoint, "Cmd": ["/bin/echo", "from", "cmd"]})).unwrap();
        assert_eq!((&config.entrypoint[..], config.cmd.len()), (&[][..], 3), "{entrypoint}");
    }
    let kept = read(json!({"Entrypoint": ["", "x"]})).unwrap();
    assert_eq!(kept.entrypoint, ["", "x"]);
}

#[test]
fn one_text_stands_for_a_list_of_it() {
    let config = read(json!({"Entrypoint": "/bin/a b", "Cmd": "c d"})).unwrap();
    assert_eq!(
        (config.entrypoint, config.cmd),
        (vec!["/bin/a b".to_owned()], vec!["c d".to_owned()])
    );
}

#[test]
fn variables_without_a_name_or_a_value_are_left_out() {
    let env = ["PATH=/bin", "DEBUG", "A=b", "", "=x", "B=", "C==c"];
    let config = read(json!({"Env": env})).unwrap();
    assert_eq!(config.env, ["PATH=/bin", "A=b", "B=", "C==c"]);
    assert_eq!(read(json!({"Env": [null, "A=b"]})).unwrap().env, ["A=b"]);
}

#[test]
fn nothing_has_to_be_there() {
    for config in [
        json!({}),
        json!(null),
        json!({"User": null, "Env": null, "Entrypoint": null, "Cmd": null, "WorkingDir": null, "StopSignal": null,
               "Labels": null, "Volumes": null, "ExposedPorts": null}),
        json!({"User": "", "Env": [], "Cmd": [], "WorkingDir": "", "StopSignal": "", "Labels": {}, "Volumes": {}}),
    ] {
        assert_eq!(read(config.clone()), Ok(ImageConfig::default()), "{config}");
    }
}

#[test]
fn what_means_nothing_may_be_anything() {
    for odd in [json!(7), json!("text"), json!([1, {}]), json!({"a": 7}), json!(true)] {
        let document = json!({
            "created": odd, "author": odd, "history": odd, "variant": odd, "os.version": odd, "os.features": odd,
            "container": odd, "docker_version": odd, "id": odd,
            "rootfs": {"type": odd, "diff_ids": null},
            "config": {"Labels": odd, "Volumes": odd, "ExposedPorts": odd, "Healthcheck": odd, "OnBuild": odd, "Memory": odd,
                       "Cmd": ["x"]},
        });
        let configuration = ImageConfiguration::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(ImageConfig::from(&configuration).cmd, ["x"], "{odd}");
    }
    let config = read(json!({"Labels": {"a": "b", "c": 7}})).unwrap();
    assert_eq!(config.labels.into_iter().collect::<Vec<_>>(), [("a".to_owned(), "b".to_owned())]);
    let document =
        br#"{"rootfs":{},"config":{"Volumes":{"/data":null},"ExposedPorts":{"80/tcp":{}}}}"#;
    let config = ImageConfiguration::read(document).unwrap().config().clone().unwrap();
    assert_eq!(
        (config.volumes().clone(), config.exposed_ports().clone()),
        (Some(vec!["/data".to_owned()]), Some(vec!["80/tcp".to_owned()]))
    );
}

#[test]
fn what_counts_is_refused_by_field() {
    let cases = [
        (json!({"Env": "A=b"}), "config.Env: it is text, not a list"),
        (json!({"Env": ["A=b", 7]}), "config.Env[1]: it is a number, not text"),
        (json!({"Cmd": {"a": "b"}}), "config.Cmd: it is an object, not a list"),
        (json!({"Entrypoint": [["a"]]}), "config.Entrypoint[0]: it is a list, not text"),
        (json!({"User": 1000}), "config.User: it is a number, not text"),
        (json!({"WorkingDir": true}), "config.WorkingDir: it is true or false, not text"),
        (json!({"StopSignal": 9}), "config.StopSignal: it is a number, not text"),
        (json!([]), "config: it is a list, not an object"),
    ];
    for (config, message) in cases {
        assert_eq!(read(config), Err(message.to_owned()));
    }
    let refused = |text: &str| ImageConfiguration::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("{}"), "missing field `rootfs`");
    assert_eq!(refused(r#"{"rootfs":null}"#), "missing field `rootfs`");
    assert_eq!(
        refused(r#"{"rootfs":{"diff_ids":[7]}}"#),
        "rootfs.diff_ids[0]: it is a number, not text"
    );
    assert_eq!(refused(r#"{"rootfs":{},"os":7}"#), "os: it is a number, not text");
    assert_eq!(refused("7"), "the document: it is a number, not an object");
}

#[test]
fn names_are_taken_in_any_case_and_the_last_one_counts() {
    let document = br#"{"RootFS":{"DIFF_IDS":["a"]},"Config":{"CMD":["first"],"cmd":["second"],"Cmd":null,"ENV":["A=b"]},"OS":"linux"}"#;
    let configuration = ImageConfiguration::read(document).unwrap();
    assert_eq!(configuration.rootfs().diff_ids(), &["a"]);
    let config = ImageConfig::from(&configuration);
    assert_eq!((config.cmd, config.env), (vec!["second".to_owned()], vec!["A=b".to_owned()]));
}

#[test]
fn what_does_not_say_what_it_is_for_is_for_this_machine() {
    for document in [r#"{"rootfs":{}}"#, r#"{"rootfs":{},"os":"","architecture":null}"#] {
        let configuration = ImageConfiguration::read(document.as_bytes()).unwrap();
        assert!(Platform::NATIVE.runs(configuration.os(), configuration.architecture()));
    }
}

#[test]
fn half_a_character_is_read_as_go_reads_it() {
    for (written, read) in [
        (r"a\ud800", "a\u{fffd}"),
        (r"\uDC00b", "\u{fffd}b"),
        (r"\ud83d\ude00", "\u{1f600}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (r"\\ud800", r"\ud800"),
        (r"\ud800\n\u00e9", "\u{fffd}\n\u{e9}"),
    ] {
        let document = format!(r#"{{"rootfs":{{}},"config":{{"Cmd":["{written}"]}}}}"#);
        let configuration = ImageConfiguration::read(document.as_bytes()).unwrap();
        assert_eq!(ImageConfig::from(&configuration).cmd, [read], "{written}");
    }
    for written in [r"\ud80", r"\u", r"\x", r"\u+123", "\\\u{e9}"] {
        let document = format!(r#"{{"rootfs":{{}},"config":{{"Cmd":["{written}"]}}}}"#);
        assert!(ImageConfiguration::read(document.as_bytes()).is_err(), "{written}");
    }
}

#[test]
fn bytes_that_are_no_text_are_read_as_go_reads_them() {
    let document = b"{\"rootfs\":{},\"config\":{\"Cmd\":[\"a\xff\"]}}";
    let configuration = ImageConfiguration::read(document).unwrap();
    assert_eq!(ImageConfig::from(&configuration).cmd, ["a\u{fffd}"]);
}
