use super::*;

fn file(offset: u64) -> Node {
    Node { meta: Meta::default(), kind: Kind::File(Extent { layer: 0, offset, size: 1 }) }
}

fn symlink(target: &str) -> Node {
    Node { meta: Meta::default(), kind: Kind::Symlink(target.as_bytes().to_vec()) }
}

fn put(tree: &mut Tree, path: &str, node: Node) -> Result<NodeId, TreeError> {
    tree.insert(&components(path.as_bytes()).unwrap(), node)
}

fn offset_at(tree: &Tree, path: &str) -> Option<(u32, u64)> {
    let id = tree.find(&relative(path.as_bytes())).unwrap()?;
    match tree.node(id).kind {
        Kind::File(extent) => Some((extent.layer, extent.offset)),
        _ => None,
    }
}

#[test]
fn names_are_cleaned_as_docker_cleans_them() {
    assert_eq!(components(b"./a//b/."), Ok(vec![&b"a"[..], b"b"]));
    assert_eq!(components(b"/"), Ok(vec![]));
    let inside: [&[u8]; 6] =
        [b"/a/b", b"//a/./b", b"a/x/../b", b"x/../a/b", b"/../a/b", b"/x/../../a/b"];
    for name in inside {
        assert_eq!(components(name), Ok(vec![&b"a"[..], b"b"]), "{}", name.escape_ascii());
    }
    let root: [&[u8]; 4] = [b"a/..", b"./a/../", b"/..", b""];
    root.iter().for_each(|name| assert_eq!(components(name), Ok(vec![])));
    let outside: [&[u8]; 4] = [b"..", b"../a", b"./../a", b"a/../../a"];
    outside.iter().for_each(|name| assert_eq!(components(name), Err(NameError::Outside)));
    assert_eq!(components(&[b'a'; 256]), Err(NameError::LongComponent(256)));
    assert_eq!(components(&b"a/".repeat(2048)), Err(NameError::LongPath(4096)));
    assert_eq!(components(b"a\0"), Err(NameError::Nul));
}

#[test]
fn links_on_the_way_stay_inside() {
    let mut tree = Tree::default();
    put(&mut tree, "bin", symlink("/../usr/bin")).unwrap();
    put(&mut tree, "bin/sh", file(1)).unwrap();
    assert_eq!(offset_at(&tree, "usr/bin/sh"), Some((0, 1)));
    put(&mut tree, "loop", symlink("loop")).unwrap();
    assert_eq!(put(&mut tree, "loop/x", file(2)), Err(TreeError::TooManySymlinks));
    assert_eq!(
        put(&mut tree, "usr/bin/sh/x", file(3)),
        Err(TreeError::NotADirectory(b"sh".to_vec()))
    );
}

#[test]
fn a_links_target_makes_no_folder_whose_name_is_too_long() {
    let mut tree = Tree::default();
    let longest = "a".repeat(255);
    put(&mut tree, "good", symlink(&longest)).unwrap();
    put(&mut tree, "good/x", file(1)).unwrap();
    assert_eq!(offset_at(&tree, &format!("{longest}/x")), Some((0, 1)));
    // 4,085 and its entry take more than a block of a directory.
    for len in [256, 4085] {
        put(&mut tree, "bad", symlink(&"b".repeat(len))).unwrap();
        assert_eq!(put(&mut tree, "bad/x", file(2)), Err(TreeError::LongName(len)));
    }
}

#[test]
fn an_overwritten_file_lives_on_under_its_other_name() {
    let mut tree = Tree::default();
    put(&mut tree, "a", file(1)).unwrap();
    tree.hard_link(&[b"b"], &[b"a"]).unwrap();
    put(&mut tree, "a", file(2)).unwrap();
    assert_eq!((offset_at(&tree, "a"), offset_at(&tree, "b")), (Some((0, 2)), Some((0, 1))));
}

#[test]
fn whiteouts_hide_only_what_is_below() {
    let mut base = Tree::default();
    for (number, path) in
        ["gone", "kept", "dir/old", "opaque/old", "back/old"].into_iter().enumerate()
    {
        put(&mut base, path, file(number as u64)).unwrap();
    }
    let mut layer = Tree::default();
    layer.white_out(&[b"gone"]).unwrap();
    layer.white_out(&[b"nothing"]).unwrap();
    put(&mut layer, "opaque/new", file(10)).unwrap();
    layer.hide_below(&[b"opaque"]).unwrap();
    layer.white_out(&[b"back"]).unwrap();
    put(&mut layer, "back/new", file(11)).unwrap();
    put(&mut layer, "dir/new", file(12)).unwrap();
    base.lay_over(&layer, 1).unwrap();
    let there = |path| offset_at(&base, path);
    assert_eq!((there("gone"), there("kept")), (None, Some((0, 1))));
    assert_eq!((there("dir/old"), there("dir/new")), (Some((0, 2)), Some((1, 12))));
    assert_eq!((there("opaque/old"), there("opaque/new")), (None, Some((1, 10))));
    assert_eq!((there("back/old"), there("back/new")), (None, Some((1, 11))));
}

#[test]
fn a_hard_link_reaches_into_the_layer_below() {
    let mut base = Tree::default();
    put(&mut base, "old", file(1)).unwrap();
    let mut first = Tree::default();
    first.lay_over(&base, 0).unwrap();
    let mut layer = Tree::default();
    // A rename, as a layer says it: the new name is a link, the old one is gone.
    layer.hard_link(&[b"new"], &[b"old"]).unwrap();
    layer.white_out(&[b"old"]).unwrap();
    first.lay_over(&layer, 1).unwrap();
    assert_eq!((offset_at(&first, "old"), offset_at(&first, "new")), (None, Some((0, 1))));
    let mut layer = Tree::default();
    layer.hard_link(&[b"x"], &[b"nowhere"]).unwrap();
    let source = Box::new(TreeError::NoLinkTarget(b"nowhere".to_vec()));
    let error = TreeError::Entry { entry: b"x".to_vec(), source };
    assert_eq!(first.lay_over(&layer, 2), Err(error));
}

#[test]
fn a_link_that_a_later_entry_replaced_asks_for_nothing_below() {
    let mut layer = Tree::default();
    layer.hard_link(&[b"x"], &[b"nowhere"]).unwrap();
    put(&mut layer, "x", file(1)).unwrap();
    let mut image = Tree::default();
    image.lay_over(&layer, 1).unwrap();
    assert_eq!(offset_at(&image, "x"), Some((1, 1)));
}

#[test]
fn a_folder_in_place_of_a_file_hides_what_is_below() {
    let mut base = Tree::default();
    put(&mut base, "a/old", file(1)).unwrap();
    put(&mut base, "b/old", file(2)).unwrap();
    let mut layer = Tree::default();
    // The file took the lower folder's place before the folder took the file's.
    put(&mut layer, "a", file(3)).unwrap();
    put(&mut layer, "a", Node::directory(Meta::default())).unwrap();
    put(&mut layer, "b", symlink("a")).unwrap();
    put(&mut layer, "b", Node::directory(Meta::default())).unwrap();
    put(&mut layer, "b/new", file(4)).unwrap();
    base.lay_over(&layer, 1).unwrap();
    let there = |path| offset_at(&base, path);
    assert_eq!((there("a/old"), there("b/old"), there("b/new")), (None, None, Some((1, 4))));
}

#[test]
fn what_is_said_of_a_hard_link_goes_for_all_names() {
    let mut tree = Tree::default();
    let meta = |uid, name: &[u8]| Meta {
        mode: 0o640,
        uid,
        xattrs: [(name.to_vec(), vec![1])].into(),
        ..Meta::default()
    };
    put(&mut tree, "a", Node { meta: meta(1, b"user.a"), ..file(1) }).unwrap();
    put(&mut tree, "way", Node { meta: meta(1, b"user.a"), ..symlink("a") }).unwrap();
    let said = Meta { mode: 0o755, mtime: Time { seconds: 9, nanos: 0 }, ..meta(2, b"user.b") };
    let node = tree.hard_link(&[b"b"], &[b"a"]).unwrap();
    tree.restate(node, said.clone());
    let names = [&b"user.a"[..], b"user.b"].map(|name| (name.to_vec(), vec![1]));
    let expected = Meta { xattrs: names.into(), ..said.clone() };
    assert_eq!(tree.node(tree.find(&[b"a"]).unwrap().unwrap()).meta, expected);
    // The link itself gets one more name, not what it leads to.
    let node = tree.hard_link(&[b"c"], &[b"way"]).unwrap();
    tree.restate(node, said);
    let way = tree.node(tree.find(&[b"c"]).unwrap().unwrap());
    assert_eq!(way.kind, symlink("a").kind);
    assert_eq!((way.meta.mode, way.meta.uid, way.meta.mtime), (0o640, 2, Time::default()));
}

#[test]
fn an_implied_directory_keeps_what_the_lower_one_says() {
    let mut base = Tree::default();
    let meta = Meta { mode: 0o1777, uid: 5, ..Meta::default() };
    put(&mut base, "tmp", Node::directory(meta.clone())).unwrap();
    let mut layer = Tree::default();
    put(&mut layer, "tmp/x", file(1)).unwrap();
    base.lay_over(&layer, 1).unwrap();
    let tmp = base.find(&[b"tmp"]).unwrap().unwrap();
    assert_eq!(base.node(tmp).meta, meta);
    let mut layer = Tree::default();
    put(&mut layer, "tmp", symlink("var/tmp")).unwrap();
    base.lay_over(&layer, 2).unwrap();
    assert_eq!(offset_at(&base, "tmp/x"), None, "a link replaces the directory");
}

#[test]
fn every_node_counts_also_those_that_names_imply() {
    let mut tree = Tree::bounded(10);
    for name in 0..5 {
        put(&mut tree, &format!("{name}/a"), file(0)).unwrap();
    }
    assert_eq!(put(&mut tree, "a/b", file(0)), Err(TreeError::Full(10)));
    assert_eq!(tree.len(), 11, "with the root");
}

#[test]
fn no_path_is_too_deep_to_walk() {
    let deep = "a/".repeat(255);
    let mut tree = Tree::default();
    put(&mut tree, &deep, file(1)).unwrap();
    assert_eq!(components(format!("{deep}a").as_bytes()), Err(NameError::TooDeep(256)));
    // Links put names together.
    let half = "b/".repeat(150);
    put(&mut tree, "link", symlink(&half)).unwrap();
    put(&mut tree, &half, Node::directory(Meta::default())).unwrap();
    assert_eq!(put(&mut tree, &format!("link/{half}"), file(1)), Err(TreeError::TooDeep));
}
