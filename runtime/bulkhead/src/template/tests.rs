//! Right values are those of docker 28 with `docker inspect` and `docker ps`, and of Go's text/template.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn filled(template: &str, item: &Value) -> Result<String, String> {
    let line = Template::parse(template)?.line(item).map_err(|error| error.line())?;
    Ok(line.strip_suffix('\n').unwrap().to_owned())
}

fn item() -> Value {
    json!({
        "Id": "0123456789abcdef", "Name": "web", "Count": 3, "Zero": 0, "Empty": "", "Null": null, "Yes": true,
        "Env": ["A=b", "C=d e"], "None": [], "Labels": {"team": "front", "a": "z"},
        "State": {"Status": "running", "Pid": 7},
        "Mounts": [{"To": "/a", "RW": true}, {"To": "/b", "RW": false}],
    })
}

#[test]
fn templates_are_gos_and_dockers() {
    for (template, expected) in [
        ("{{.Id}}\\t{{ .Name }}}", "0123456789abcdef\tweb}"),
        (
            "{{.State.Status}} {{(index .Mounts 1).To}} {{$.Name}} {{.Count}} {{.Yes}}",
            "running /b web 3 true",
        ),
        (
            "{{.Env}} {{.Labels}} {{.None}} {{.Null}}",
            "[A=b C=d e] map[a:z team:front] [] <no value>",
        ),
        (
            "{{json .Env}} {{json .State}} {{json .Name}}",
            "[\"A=b\",\"C=d e\"] {\"Pid\":7,\"Status\":\"running\"} \"web\"",
        ),
        ("{{.Env | json}} {{.Name | upper | printf \"%-5s|\"}}", "[\"A=b\",\"C=d e\"] WEB  |"),
        ("{{range .Env}}<{{.}}>{{end}}", "<A=b><C=d e>"),
        ("{{range $i, $e := .Env}}{{$i}}:{{$e}} {{end}}", "0:A=b 1:C=d e "),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=z;team=front;"),
        ("{{range $e := .Env}}{{$e}},{{end}}", "A=b,C=d e,"),
        ("{{range .None}}x{{else}}nothing{{end}}", "nothing"),
        (
            "{{range .Mounts}}{{if .RW}}{{.To}}{{else}}({{.To}} of {{$.Name}}){{end}}{{end}}",
            "/a(/b of web)",
        ),
        ("{{range .Env}}{{if eq . \"C=d e\"}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "A=b"),
        ("{{if .Empty}}a{{else if .Zero}}b{{else}}c{{end}}", "c"),
        ("{{with .State}}{{.Pid}}{{end}}{{with .Empty}}x{{else}}none{{end}}", "7none"),
        ("{{$x := .Name}}{{$x = printf \"%s!\" $x}}{{$x}}", "web!"),
        (
            "{{join .Env \", \"}} {{join (split \"a,b\" \",\") \"+\"}} {{join .Labels \"-\"}}",
            "A=b, C=d e a+b front-z",
        ),
        ("{{len .Env}} {{len .Name}} {{len .Labels}} {{len .None}}", "2 3 2 0"),
        ("{{index .Env 0}} {{index .Labels \"team\"}} {{index .Labels \"gone\"}}|", "A=b front |"),
        ("{{index .Mounts 0 \"To\"}} {{slice .Id 0 4}} {{slice .Env 1}}", "/a 0123 [C=d e]"),
        ("{{upper .Name}} {{lower \"ABC\"}} {{title \"over the hill\"}}", "WEB abc Over The Hill"),
        (
            "{{truncate .Id 12}} {{truncate .Name 12}} [{{pad .Name 1 2}}] [{{pad .Empty 1 2}}]",
            "0123456789ab web [ web  ] []",
        ),
        ("{{println .Name 1}}{{print 1 2 \"a\" \"b\" 3 4}}", "web 1\n1 2ab3 4"),
        (
            "{{printf \"%s %d %05d %q %v %t %.2f %x %%\" .Name .Count 42 \"a\\\"\" .Env true 1.5 255}}",
            "web 3 00042 \"a\\\"\" [A=b C=d e] true 1.50 ff %",
        ),
        ("{{printf \"%8s|%-8s|%.2s\" .Name .Name .Name}}", "     web|web     |we"),
        (
            "{{and .Yes .Name}} {{and .Zero .Name}} {{or .Empty .Name}} {{not .Yes}}",
            "web 0 web false",
        ),
        (
            "{{eq .Name \"db\" \"web\"}} {{ne .Count 3}} {{lt .Count 4}} {{ge .Count 4}} {{gt 1.5 1}} {{le 1 1}}",
            "true false true false true true",
        ),
        ("{{if and (eq .State.Status \"running\") (not .Zero)}}up{{end}}", "up"),
        ("a {{- /* nothing */ -}} b {{- .Name -}} c", "abwebc"),
        ("{{`raw \\n`}}{{\"a\\tb\\\\\"}}", "raw \\na\tb\\"),
        ("{{range 3}}{{.}}{{end}}{{-1}}", "012-1"),
        ("{{if eq .Null nil}}nil{{end}}", "nil"),
        (
            "{{.Labels.team}} {{.Labels.gone}} {{if .Labels.gone}}x{{else}}none{{end}}",
            "front <no value> none",
        ),
        ("{{index .Env 0x1}} {{printf \"%c\" 'A'}} {{'\\n'}}", "C=d e A 10"),
        ("{{printf \"%X %o %b %x %+d\" 255 8 5 \"hi\" 3}}", "FF 10 101 6869 +3"),
        ("{{\"\\x41\\u00e9\"}}", "A\u{e9}"),
        ("{{range $i, $e := .Env}}{{if $i}}, {{end}}{{$e}}{{end}}", "A=b, C=d e"),
        ("{{range .Mounts}}{{range $.Env}}{{.}};{{end}}{{end}}", "A=b;C=d e;A=b;C=d e;"),
        ("{{with index .Mounts 0}}{{.To}} {{.RW}}{{end}}", "/a true"),
        ("{{(split \"a:b\" \":\" | len)}} {{index (split \"a:b\" \":\") 1}}", "2 b"),
        ("{{printf \"%.12s\" .Id}} {{.Name | printf \"%q\"}}", "0123456789ab \"web\""),
        ("{{json .Null}} {{json .None}} {{json .Count}}", "null [] 3"),
    ] {
        assert_eq!(filled(template, &item()), Ok(expected.to_owned()), "{template}");
    }
    assert_eq!(filled("json", &item()).unwrap(), item().to_string());
    assert_eq!(filled("{{json .}}", &item()).unwrap(), item().to_string());
    let row = json!({"Labels": "a=b,com.x=y"});
    assert_eq!(filled("{{.Label \"com.x\"}}{{.Label \"gone\"}}", &row), Ok("y".to_owned()));
}

#[test]
fn what_is_wrong_is_said() {
    for (template, message) in [
        ("{{", "'{{' without '}}'"),
        ("{{.ID", "'{{' without '}}'"),
        ("{{}}", "says nothing"),
        ("{{.A..B}}", "'.' without a name"),
        ("{{ID}}", "there is no function 'ID'; functions are and, or"),
        ("{{.ID | }}", "a value is missing"),
        ("{{.ID | \"x\"}}", "behind '|' stands a function"),
        ("{{(.ID}}", "'(' without ')'"),
        ("{{.ID)}}", "')' without '('"),
        ("{{\"x}}", "'\"' without another"),
        ("{{if .A}}", "without '{{end}}'"),
        ("{{end}}", "without a beginning"),
        ("{{else}}", "without a beginning"),
        ("{{if .A}}{{else}}{{else}}{{end}}", "two '{{else}}'"),
        ("{{break}}", "outside of '{{range}}'"),
        ("{{template \"x\"}}", "not supported"),
        ("{{.A !}}", "'!' means nothing"),
        ("{{1x}}", "is no number"),
    ] {
        let error = Template::parse(template).unwrap_err();
        assert!(error.contains(message), "{template}: {error}");
    }
    for (template, message) in [
        ("{{.ID}}", "no field '.ID'; fields are Count, Empty, Env, Id"),
        ("{{.State.x}}", "fields are Pid, Status"),
        ("{{.Name.x}}", "fields are none"),
        ("{{$x}}", "no variable '$x'"),
        ("{{index .Env 2}}", "there is no 2 of 2"),
        ("{{len .Count}}", "len takes a text"),
        ("{{upper .Env}}", "upper takes a text"),
        ("{{upper}}", "upper takes other values"),
        ("{{lt .Name 1}}", "can't be compared"),
        ("{{range .Name}}{{end}}", "is no list"),
        ("{{.Name .Count}}", "only a function takes values"),
        ("{{printf \"%s\"}}", "no value for '%s'"),
        ("{{printf \"%d\" .Name}}", "'%d' can't show 'web'"),
        ("{{printf \"%99999d\" 1}}", "can't show"),
        ("table {{.Id}}", "is for lists"),
    ] {
        let error = filled(template, &item()).unwrap_err();
        assert!(error.contains(message) && error.contains("--format"), "{template}: {error}");
    }
    let deep = |count: usize| format!("{}1{}", "(".repeat(count), ")".repeat(count));
    assert!(filled(&format!("{{{{{}}}}}", deep(50)), &item()).is_ok());
    assert!(
        Template::parse(&format!("{{{{{}}}}}", deep(100_000)))
            .unwrap_err()
            .contains("in each other")
    );
    assert!(Template::parse(&"{{if 1}}".repeat(100_000)).unwrap_err().contains("in each other"));
    assert!(Template::parse(&("{{if 1}}".to_owned() + &"{{else if 1}}".repeat(100_000))).is_err());
}

#[test]
fn a_table_has_a_heading() {
    let rows = [
        json!({"ID": "1", "Names": "web", "CreatedAt": "now"}),
        json!({"ID": "22", "Names": "b", "CreatedAt": "x"}),
    ];
    let lines = |template: &str, rows: &[Value]| {
        Template::parse(template).unwrap().lines(rows, &[("CONTAINER ID", "ID")]).unwrap()
    };
    let table =
        "CONTAINER ID   NAMES   CREATED AT\n1              WEB     now\n22             B       x\n";
    assert_eq!(lines("table {{.ID}}\\t{{upper .Names}}\\t{{.CreatedAt}}", &rows), table);
    assert_eq!(lines("table {{.ID}}", &[]), "CONTAINER ID\n");
    // Also where there is no row that has the field, and where a heading is no list.
    assert_eq!(lines("table {{.ID}}\\t{{.RunningFor}}", &[]), "CONTAINER ID   RUNNING FOR\n");
    assert_eq!(
        lines("table {{.ID}}\\t{{index (split .Names \"e\") 0}}", &rows),
        "CONTAINER ID\n1              w\n22             b\n"
    );
    assert_eq!(lines("{{.ID}}", &rows), "1\n22\n");
    assert!(Template::parse("table").unwrap().is_usual());
    assert!(!Template::parse("tables").unwrap().is_usual());
}

#[test]
fn somebody_elses_text_does_not_act_on_the_terminal() {
    let item =
        json!({"Labels": "a=\u{1b}[2J", "All": {"a": "\u{9b}2J"}, "List": ["\u{1b}x", "\n"]});
    let all = [
        "{{.Labels}}",
        "{{.All}}",
        "{{json .}}",
        "json",
        "{{join .List \" \"}}",
        "{{println .List}}",
        "{{upper .Labels}}",
        "{{range .List}}{{.}}{{end}}",
        "{{printf \"%s%v\" .Labels .List}}",
        "{{pad .Labels 1 1}}",
        "{{index .List 0}}",
        "{{split .Labels \"=\"}}",
        "{{.Label \"a\"}}",
        "{{print .Labels}}",
        "{{slice .Labels 1}}",
        "{{truncate .Labels 5}}",
    ];
    for template in all {
        let text = filled(template, &item).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{template}: {text:?}");
        assert!(!text.trim_end().contains('\n'), "{template}: {text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(text in "(\\{\\{|\\}\\}|[ .a$|()=\"%-]|if |range |end|else|len |printf ){0,16}") {
        if let Ok(template) = Template::parse(&text) {
            let _ = template.line(&json!({"a": {"a": [1, "b"]}}));
        }
    }
}
