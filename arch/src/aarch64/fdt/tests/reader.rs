//! Reads a tree (Devicetree Specification 0.4 §5).

use std::collections::BTreeMap;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;

#[derive(Debug, Default)]
pub struct Node {
    pub name: String,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub children: Vec<Node>,
}

impl Node {
    /// The root of a tree.
    pub fn read(blob: &[u8]) -> Node {
        let header: Vec<u32> = cells(&blob[..40]);
        assert_eq!((header[0], header[1] as usize), (0xD00D_FEED, blob.len()));
        // No memory is reserved.
        assert!(blob[header[4] as usize..][..16].iter().all(|&byte| byte == 0));
        let strings = &blob[header[3] as usize..];
        let mut rest = &blob[header[2] as usize..header[3] as usize];
        assert_eq!(word(&mut rest), BEGIN_NODE);
        let root = Node::body(&mut rest, strings);
        assert_eq!((word(&mut rest), rest.len()), (END, 0));
        root
    }

    fn body(rest: &mut &[u8], strings: &[u8]) -> Node {
        let mut node = Node { name: string(rest), ..Node::default() };
        take(rest, (node.name.len() + 1).next_multiple_of(4));
        loop {
            match word(rest) {
                PROPERTY => {
                    assert!(node.children.is_empty());
                    let (len, name) = (word(rest) as usize, word(rest) as usize);
                    let value = take(rest, len.next_multiple_of(4))[..len].to_vec();
                    assert_eq!(node.properties.insert(string(&strings[name..]), value), None);
                }
                BEGIN_NODE => node.children.push(Node::body(rest, strings)),
                END_NODE => return node,
                other => panic!("token {other}"),
            }
        }
    }

    /// The child of this name.
    pub fn child(&self, name: &str) -> &Node {
        self.children.iter().find(|child| child.name == name).expect(name)
    }

    /// All children whose names begin so.
    pub fn each(&self, prefix: &str) -> Vec<&Node> {
        self.children.iter().filter(|child| child.name.starts_with(prefix)).collect()
    }

    /// A property's cells.
    pub fn cells(&self, name: &str) -> Vec<u32> {
        cells(&self.properties[name])
    }
}

fn cells(bytes: &[u8]) -> Vec<u32> {
    let (cells, rest) = bytes.as_chunks();
    assert_eq!(rest, []);
    cells.iter().map(|cell| u32::from_be_bytes(*cell)).collect()
}

fn string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).expect("a NUL");
    String::from_utf8(bytes[..end].to_vec()).unwrap()
}

fn word(rest: &mut &[u8]) -> u32 {
    cells(take(rest, 4))[0]
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(len);
    *rest = after;
    taken
}
