//! Which image of a docker archive is meant.

use super::layers::tar_of;
use super::*;

/// An image of the archive: which it is, its architecture and its tags.
type Held<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Which image of these is meant.
fn which(images: &[Held], name: Option<&str>) -> Result<String, String> {
    let (mut files, mut items) = (Vec::new(), Vec::new());
    for (which, architecture, tags) in images {
        let config = json!({
            "architecture": architecture, "os": "linux", "rootfs": {"diff_ids": []}, "config": {"Env": [format!("WHICH={which}")]},
        });
        let config = config.to_string().into_bytes();
        let name = format!("{}.json", Digest::of(&config).hex());
        items.push(json!({"Config": name, "RepoTags": tags, "Layers": null}));
        files.push((name, config));
    }
    files.push(("manifest.json".to_owned(), json!(items).to_string().into_bytes()));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, data)| (name.as_str(), &data[..])).collect();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("image.tar");
    fs::write(&path, tar_of(&files)).unwrap();
    let cache = Cache::open(work.path().join("cache")).unwrap();
    let reference = Reference { path, name: name.map(str::to_owned) };
    let image = open(&cache, &reference, Platform::Amd64, Limits::default());
    let image = image.map_err(|error| host::text::in_one_line(&error))?;
    Ok(image.config.env[0].trim_start_matches("WHICH=").to_owned())
}

fn is(name: &str) -> Result<String, String> {
    Ok(name.to_owned())
}

#[test]
fn of_two_under_one_tag_the_second_that_runs_here_has_it() {
    let images = [("old", "amd64", &["x:1"][..]), ("new", "amd64", &["x:1", "x:2"])];
    for name in [None, Some("x:1"), Some("1")] {
        assert_eq!(which(&images, name), is("new"), "{name:?}");
    }
    let images =
        [("arm", "arm64", &["x:1"][..]), ("here", "amd64", &["x:1"]), ("other", "arm64", &["x:1"])];
    for name in [None, Some("x:1")] {
        assert_eq!(which(&images, name), is("here"), "{name:?}");
    }
    // One image with two names, as two.
    let images = [("one", "amd64", &["x:1"][..]), ("one", "amd64", &["y:1"])];
    assert_eq!((which(&images, None), which(&images, Some("1"))), (is("one"), is("one")));
    let error = which(&[("arm", "arm64", &["x:1"]), ("far", "arm64", &["x:1"])], None).unwrap_err();
    assert!(error.contains("is for linux/arm64, this VM runs linux/amd64"), "{error}");
}

#[test]
fn all_of_a_name_is_not_short_for_another() {
    let images = [("long", "amd64", &["host/a:1"][..]), ("short", "amd64", &["a:1"])];
    assert_eq!(which(&images, Some("a:1")), is("short"));
    assert_eq!(which(&images, Some("host/a:1")), is("long"));
    let error = which(&images, Some("1")).unwrap_err();
    assert!(error.ends_with("#NAME; it holds a:1, host/a:1"), "{error}");
}

#[test]
fn names_to_choose_from_are_those_that_can_be_chosen() {
    let images =
        [("a", "amd64", &["a:1"][..]), ("arm", "arm64", &["arm:1"]), ("none", "amd64", &[])];
    let error = which(&images, None).unwrap_err();
    let held = error.split_once("it holds ").unwrap().1;
    assert!(!held.contains("arm") && held.contains("a:1"), "{error}");
    let id = held.split(", ").find(|name| *name != "a:1").unwrap();
    assert_eq!((which(&images, Some(id)), which(&images, Some("a:1"))), (is("none"), is("a")));
    let error = which(&images, Some("arm:1")).unwrap_err();
    assert!(error.contains("is for linux/arm64"), "{error}");
    let error = which(&images, Some("b")).unwrap_err();
    assert!(
        error.contains("nothing is called 'b'; it holds ") && error.contains("arm:1"),
        "{error}"
    );
}
