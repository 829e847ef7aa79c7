use proptest::prelude::*;

use super::*;

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
    # a comment\n\
    broken:x:minus one:0\n\
    www:x:33:33::/var/www:/bin/false\n\
    7:x:70:70::/seven:\n\
    bare:x:44:45\n\
    www:x:99:99::/second:\n";
const GROUP: &[u8] =
    b"root:x:0:\nwww:x:33:\naudio:x:29:www,bare\nvideo:x:44:root,www\nwwwx:x:50:awww,www2\n";

fn user(uid: u32, gid: u32, groups: &[u32], home: &str) -> Result<User, UserError> {
    Ok(User { uid, gid, groups: groups.to_vec(), home: home.into() })
}

#[test]
fn docker_s_forms() {
    let find = |text: &str| find(text.as_bytes(), PASSWD, GROUP);
    assert_eq!(find(""), user(0, 0, &[0, 44], "/root"));
    assert_eq!(find("root"), user(0, 0, &[0, 44], "/root"));
    assert_eq!(find("www"), user(33, 33, &[33, 29, 44], "/var/www"));
    assert_eq!(find("33"), user(33, 33, &[33, 29, 44], "/var/www"));
    assert_eq!(find("www:audio"), user(33, 29, &[29], "/var/www"));
    assert_eq!(find("www:1234"), user(33, 1234, &[1234], "/var/www"));
    assert_eq!(find(":audio"), user(0, 29, &[29], "/root"));
    assert_eq!(find("www:"), user(33, 33, &[33, 29, 44], "/var/www"));
    assert_eq!(find("1000"), user(1000, 0, &[0], "/"));
    assert_eq!(find("1000:1001"), user(1000, 1001, &[1001], "/"));
    assert_eq!(find("bare"), user(44, 45, &[45, 29], "/"));
}

#[test]
fn the_primary_group_is_named_once() {
    let group = b"own:x:33:www\naudio:x:29:www\n";
    assert_eq!(find(b"www", PASSWD, group), user(33, 33, &[33, 29], "/var/www"));
}

#[test]
fn a_number_is_never_a_name() {
    assert_eq!(find(b"7", PASSWD, GROUP), user(7, 0, &[0], "/"));
    assert_eq!(find(b"70", PASSWD, GROUP), user(70, 70, &[70], "/seven"));
}

#[test]
fn what_is_missing_is_named() {
    let find = |text: &str| find(text.as_bytes(), PASSWD, GROUP).unwrap_err().to_string();
    assert_eq!(find("nobody"), "user: the image's /etc/passwd has no user \"nobody\"");
    assert_eq!(find("broken"), "user: the image's /etc/passwd has no user \"broken\"");
    assert_eq!(find("www:staff"), "user: the image's /etc/group has no group \"staff\"");
    assert_eq!(find("-1"), "user: the image's /etc/passwd has no user \"-1\"");
    assert_eq!(find("4294967295"), "user: \"4294967295\" is not an ID (0 to 2147483647)");
    assert_eq!(
        find("0:99999999999999999999"),
        "user: \"99999999999999999999\" is not an ID (0 to 2147483647)"
    );
}

#[test]
fn an_image_without_the_files_has_root_and_numbers() {
    assert_eq!(find(b"", b"", b""), user(0, 0, &[0], "/"));
    assert_eq!(find(b"5:6", b"", b""), user(5, 6, &[6], "/"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Hostile files and specifications: an answer or an error, and never the kernel's "no change" ID.
    #[test]
    fn arbitrary_files(
        specification in prop::collection::vec(prop_oneof![Just(b':'), Just(b'a'), Just(b'1'), any::<u8>()], 0..8),
        passwd in prop::collection::vec(prop_oneof![Just(b':'), Just(b'\n'), Just(b'a'), Just(b'1'), any::<u8>()], 0..120),
        group in prop::collection::vec(prop_oneof![Just(b':'), Just(b'\n'), Just(b','), Just(b'a'), Just(b'1'), any::<u8>()], 0..120),
    ) {
        if let Ok(user) = find(&specification, &passwd, &group) {
            prop_assert!(user.uid <= i32::MAX as u32 && user.gid <= i32::MAX as u32);
            prop_assert_eq!(user.groups[0], user.gid);
            prop_assert!(!user.home.as_bytes().is_empty());
        }
    }
}
