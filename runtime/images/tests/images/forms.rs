//! What is unpacked of whole images.

use super::*;

#[test]
fn five_forms_give_the_same_tree() {
    let Some(forms) = Forms::new("five_forms_give_the_same_tree") else { return };
    let cases = [
        ("root", None, false),
        ("root.tar", None, false),
        ("root.tar.gz", None, false),
        ("layout", Some("latest"), true),
        ("oci.tar", None, true),
        ("oci.tar", Some("1.35"), true),
        ("docker.tar", None, true),
        ("docker.tar", Some("busybox:1.35"), true),
    ];
    for (form, name, has_config) in cases {
        let (image, disk) = unpack(&forms.path("cache"), &forms.path(form), name).unwrap();
        assert_eq!(image.config.entrypoint == ["/bin/sh"], has_config, "{form}");
        if has_config {
            assert_eq!(image.config.cmd, ["-c", "echo hello"], "{form}");
            assert!(image.config.env.contains(&"A=b".to_owned()), "{form}: {:?}", image.config.env);
            assert_eq!(
                (image.config.working_dir.as_str(), image.config.user.as_str()),
                ("/tmp", "root")
            );
        }
        let file = forms.path("disk");
        stitch(&disk, &file);
        let busybox = forms.path("extracted");
        if have("five_forms_give_the_same_tree", &["fsck.erofs"]) {
            tool("fsck.erofs", &["--force", &format!("--extract={}", text(&busybox)), text(&file)]);
            assert_eq!(
                fs::read(busybox.join("bin/cat")).unwrap(),
                fs::read("/bin/busybox").unwrap(),
                "{form}"
            );
            fs::remove_dir_all(busybox).unwrap();
        }
    }
    // The layer is the same in all of them but the directory (and the compressed tar, known by its own digest).
    let blobs = fs::read_dir(forms.path("cache/blobs")).unwrap().count();
    assert_eq!(blobs, 3);
}

#[test]
fn an_unpacked_layer_is_not_unpacked_again() {
    let Some(forms) = Forms::new("an_unpacked_layer_is_not_unpacked_again") else { return };
    let cache = forms.path("cache");
    let (_, first) = unpack(&cache, &forms.path("docker.tar"), None).unwrap();
    let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = first.parts.iter().map(|part| changed(&part.path)).collect();
    // A partial file of a dead process goes away at the next start; that of another kernel's only when it is old.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let own = cache.join(format!("blobs/left.{}.partial", boot.trim_end()));
    let [young, old] = ["young", "old"].map(|age| cache.join(format!("blobs/{age}.other.partial")));
    for path in [&own, &young, &old] {
        fs::write(path, "half").unwrap();
    }
    let days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    File::options().write(true).open(&old).unwrap().set_modified(days_ago).unwrap();
    let (_, second) = unpack(&cache, &forms.path("oci.tar"), None).unwrap();
    assert_eq!(first, second);
    assert_eq!(before, second.parts.iter().map(|part| changed(&part.path)).collect::<Vec<_>>());
    assert_eq!([own, young, old].map(|path| path.exists()), [false, true, false]);
}

#[test]
fn parallel_unpacks_agree() {
    let Some(forms) = Forms::new("parallel_unpacks_agree") else { return };
    let disks = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    unpack(&forms.path("cache"), &forms.path("root.tar"), None).unwrap().1
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(disks.windows(2).all(|pair| pair[0] == pair[1]));
    assert_nothing_half_there(&forms.path("cache"));
}

#[test]
fn names_are_chosen_and_listed() {
    let Some(forms) = Forms::new("names_are_chosen_and_listed") else { return };
    let layout = forms.path("layout");
    let (second, _) = unpack(&forms.path("cache"), &layout, Some("second")).unwrap();
    assert!(second.config.env.contains(&"A=second".to_owned()));
    let error = forms.fails(&layout, None);
    assert!(error.contains("holds several images") && error.contains("latest, second"), "{error}");
    let error = forms.fails(&layout, Some("third"));
    assert!(error.contains("nothing is called 'third'; it holds latest, second"), "{error}");
    let error = forms.fails(&forms.path("docker.tar"), Some("third"));
    assert!(error.contains("it holds docker.io/library/busybox:1.35"), "{error}");
    let error = forms.fails(&forms.path("root"), Some("x"));
    assert!(error.contains("no names to choose from"), "{error}");
}

#[test]
fn another_architecture_is_refused() {
    let Some(forms) = Forms::new("another_architecture_is_refused") else { return };
    let image = format!("{}:latest", text(&forms.path("layout")));
    tool("umoci", &["config", "--image", &image, "--tag", "arm", "--architecture", "arm64"]);
    let error = forms.fails(&forms.path("layout"), Some("arm"));
    assert!(error.contains("is for linux/arm64, this VM runs linux/amd64: give"), "{error}");
}
