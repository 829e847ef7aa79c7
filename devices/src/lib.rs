//! Device models as state machines: no threads, no KVM, no event loop.
