//! The flattened device tree, walked where it is (Devicetree Specification 0.4 §5).

use super::interrupts::SPIS;
use super::paging;
use crate::kernel::report::Fault;

const MAGIC: u32 = 0xd00d_feed;
/// The layout that this is written for, and the one that all later ones keep to.
const VERSION: u32 = 17;
const COMPATIBLE_VERSION: u32 = 16;
const HEADER_LEN: usize = 40;
/// The boot protocol allows no more.
const MAX_LEN: u32 = 2 << 20;

/// Tokens of the structure block.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// An FDT whose structure block is sound.
#[derive(Clone, Copy)]
pub struct Fdt {
    /// Bytes in all.
    pub len: u32,
    structure: &'static [u8],
    strings: &'static [u8],
}

enum Token {
    Begin,
    Property { name: &'static [u8], value: &'static [u8] },
    EndNode,
    End,
}

#[derive(Clone)]
struct Tokens {
    /// The rest of the structure block.
    rest: &'static [u8],
    strings: &'static [u8],
}

/// A node of the tree.
#[derive(Clone)]
pub struct Node {
    /// How many nodes it is in: 0 is the root.
    pub depth: usize,
    /// From its first property on.
    tokens: Tokens,
}

/// An interrupt as the binding of the GIC describes it: three cells.
#[derive(Clone, Copy)]
pub struct Interrupt {
    /// 0: shared (SPI), 1: a processor's own (PPI).
    kind: u32,
    number: u32,
    flags: u32,
}

impl Fdt {
    /// Finds it at a physical address.
    pub fn at(address: u64) -> Result<Fdt, Fault> {
        if !address.is_multiple_of(8) {
            return Err("the FDT is not aligned to 8 bytes");
        }
        let header = paging::bytes(address, HEADER_LEN as u64).ok_or("the FDT is not in RAM")?;
        let field = |index: usize| word(&header[index * 4..]).unwrap_or(0);
        let (len, version, compatible) = (field(1), field(5), field(6));
        if field(0) != MAGIC {
            return Err("wrong magic");
        }
        if version < VERSION || compatible > COMPATIBLE_VERSION {
            return Err("an unknown version of the FDT");
        }
        if len > MAX_LEN {
            return Err("the FDT is longer than 2 MiB");
        }
        let all = paging::bytes(address, len.into()).ok_or("the FDT is not in RAM")?;
        let block = |offset: u32, len: u32| {
            all.get(offset as usize..)?.get(..len as usize).filter(|_| offset.is_multiple_of(4))
        };
        let structure = block(field(2), field(9)).ok_or("the FDT has no structure block")?;
        let strings = all
            .get(field(3) as usize..)
            .and_then(|strings| strings.get(..field(8) as usize))
            .ok_or("the FDT has no strings block")?;
        let fdt = Fdt { len, structure, strings };
        if fdt.is_sound() { Ok(fdt) } else { Err("the FDT's structure block is broken") }
    }

    /// One tree up to the end of the block, in which each node has its properties before its children.
    fn is_sound(self) -> bool {
        let (mut depth, mut properties, mut roots) = (0, false, 0);
        let mut tokens = self.tokens();
        while let Some(token) = tokens.next() {
            match token {
                Token::Begin => {
                    roots += usize::from(depth == 0);
                    (depth, properties) = (depth + 1, true);
                }
                Token::Property { .. } if properties => {}
                Token::EndNode if depth > 0 => (depth, properties) = (depth - 1, false),
                Token::End => return depth == 0 && roots == 1 && tokens.rest.is_empty(),
                _ => return false,
            }
        }
        false
    }

    fn tokens(self) -> Tokens {
        Tokens { rest: self.structure, strings: self.strings }
    }

    /// All nodes, the root first.
    pub fn nodes(self) -> impl Iterator<Item = Node> {
        let mut tokens = self.tokens();
        let mut depth = 0;
        core::iter::from_fn(move || {
            loop {
                match tokens.next()? {
                    Token::Begin => {
                        depth += 1;
                        return Some(Node { depth: depth - 1, tokens: tokens.clone() });
                    }
                    Token::EndNode => depth -= 1,
                    Token::Property { .. } => {}
                    Token::End => return None,
                }
            }
        })
    }

    /// The devices right below the root that such a driver can drive.
    pub fn compatible(self, driver: &str) -> impl Iterator<Item = Node> {
        self.nodes().filter(move |node| node.depth == 1 && node.has_string("compatible", driver))
    }
}

impl Iterator for Tokens {
    type Item = Token;

    /// `None` also where there is no sound token.
    fn next(&mut self) -> Option<Token> {
        loop {
            match self.take_word()? {
                BEGIN_NODE => {
                    let name = self.rest.iter().position(|byte| *byte == 0)?;
                    self.take(name + 1)?;
                    return Some(Token::Begin);
                }
                END_NODE => return Some(Token::EndNode),
                PROPERTY => {
                    let len = self.take_word()? as usize;
                    let name = self.strings.get(self.take_word()? as usize..)?;
                    let name = name.split(|byte| *byte == 0).next()?;
                    return Some(Token::Property { name, value: self.take(len)? });
                }
                NOP => {}
                END => return Some(Token::End),
                _ => return None,
            }
        }
    }
}

impl Tokens {
    /// What follows, padded to whole words.
    fn take(&mut self, len: usize) -> Option<&'static [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len.checked_next_multiple_of(4)?)?;
        self.rest = rest;
        Some(&taken[..len])
    }

    fn take_word(&mut self) -> Option<u32> {
        self.take(4).and_then(word)
    }
}

impl Node {
    /// The value of a property.
    pub fn property(&self, wanted: &str) -> Option<&'static [u8]> {
        self.tokens
            .clone()
            .map_while(|token| match token {
                Token::Property { name, value } => Some((name, value)),
                _ => None,
            })
            .find_map(|(name, value)| (name == wanted.as_bytes()).then_some(value))
    }

    /// Whether a property is a list of strings with this one in it.
    pub fn has_string(&self, property: &str, wanted: &str) -> bool {
        let strings = self.property(property).and_then(|value| value.strip_suffix(&[0]));
        strings
            .is_some_and(|strings| strings.split(|byte| *byte == 0).any(|s| s == wanted.as_bytes()))
    }

    /// A property that is a number of one or two words.
    pub fn number(&self, property: &str) -> Option<u64> {
        number(self.property(property)?)
    }

    /// The ranges of addresses in `reg`, by start and length: two words each, as the root's children have them.
    pub fn registers(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let ranges = self.property("reg").unwrap_or_default().chunks_exact(16);
        ranges.filter_map(|range| Some((number(&range[..8])?, number(&range[8..])?)))
    }

    /// Its interrupts.
    pub fn interrupts(&self) -> impl Iterator<Item = Interrupt> + use<> {
        let interrupts = self.property("interrupts").unwrap_or_default().chunks_exact(12);
        interrupts.filter_map(|cells| {
            let (kind, number, flags) = (word(cells)?, word(&cells[4..])?, word(&cells[8..])?);
            Some(Interrupt { kind, number, flags })
        })
    }
}

impl Interrupt {
    /// Its number, if it is an SPI that we count.
    pub fn spi(self) -> Option<usize> {
        (self.kind == 0 && (self.number as usize) < SPIS).then_some(self.number as usize)
    }

    /// Its number, if it is a PPI.
    pub fn ppi(self) -> Option<u32> {
        (self.kind == 1).then_some(self.number)
    }

    /// Whether it is triggered by a rising edge, rather than by a level.
    pub fn is_edge(self) -> bool {
        self.flags & 0xf == 1
    }
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn number(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        4 => word(bytes).map(u64::from),
        _ => bytes.try_into().ok().map(u64::from_be_bytes),
    }
}
