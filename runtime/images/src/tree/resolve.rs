//! Walking a tree by path, the way the kernel would inside a chroot: symbolic links on the way are
//! followed, and neither `/` nor `..` leads out of the root.

use std::collections::VecDeque;

use super::{Kind, Node, NodeId, Tree, TreeError, relative};
use crate::limits;

/// A walk: where it is, and what is still ahead.
struct Walk {
    /// From the root down to the current directory.
    trail: Vec<NodeId>,
    ahead: VecDeque<Vec<u8>>,
    links: usize,
}

impl Walk {
    fn new(parts: &[&[u8]]) -> Self {
        Self {
            trail: vec![Tree::ROOT],
            ahead: parts.iter().map(|part| part.to_vec()).collect(),
            links: 0,
        }
    }

    fn here(&self) -> NodeId {
        self.trail.last().copied().unwrap_or(Tree::ROOT)
    }

    fn up(&mut self) {
        if self.trail.len() > 1 {
            self.trail.pop();
        }
    }

    fn follow(&mut self, target: &[u8]) -> Result<(), TreeError> {
        self.links += 1;
        if self.links > limits::SYMLINKS {
            return Err(TreeError::TooManySymlinks);
        }
        if target.starts_with(b"/") {
            self.trail.truncate(1);
        }
        for part in relative(target).into_iter().rev() {
            self.ahead.push_front(part.to_vec());
        }
        Ok(())
    }
}

impl Tree {
    /// The directory at this path; what is missing on the way is made.
    pub(super) fn make_directories(&mut self, parts: &[&[u8]]) -> Result<NodeId, TreeError> {
        let mut walk = Walk::new(parts);
        while let Some(part) = walk.ahead.pop_front() {
            if part == b".." {
                walk.up();
                continue;
            }
            let here = walk.here();
            let existing = self.child(here, &part);
            match existing.map(|id| (id, &self.node(id).kind)) {
                Some((id, Kind::Directory { .. })) => walk.trail.push(id),
                Some((_, Kind::Symlink(target))) => walk.follow(target)?,
                // Archives' names are checked; this one may come from a link's target.
                None | Some((_, Kind::Whiteout)) if part.len() > limits::NAME => {
                    return Err(TreeError::LongName(part.len()));
                }
                None | Some((_, Kind::Whiteout)) => {
                    let made = self.add(Node::implied_directory())?;
                    if existing.is_some() {
                        self.make_opaque(made);
                    }
                    self.link(here, &part, made);
                    walk.trail.push(made);
                }
                Some(_) => return Err(TreeError::NotADirectory(part)),
            }
            // The root is no level.
            if walk.trail.len() > limits::DEPTH + 1 {
                return Err(TreeError::TooDeep);
            }
        }
        Ok(walk.here())
    }

    /// What stands at this path; a symbolic link at its end is not followed.
    pub fn find(&self, parts: &[&[u8]]) -> Result<Option<NodeId>, TreeError> {
        let Some((name, parents)) = parts.split_last() else { return Ok(Some(Self::ROOT)) };
        let mut walk = Walk::new(parents);
        while let Some(part) = walk.ahead.pop_front() {
            if part == b".." {
                walk.up();
                continue;
            }
            let Some(id) = self.child(walk.here(), &part) else { return Ok(None) };
            match &self.node(id).kind {
                Kind::Directory { .. } => walk.trail.push(id),
                Kind::Symlink(target) => walk.follow(target)?,
                _ => return Ok(None),
            }
        }
        Ok(self.child(walk.here(), name))
    }
}
