//! One VM in one process: KVM, vCPU threads, guest memory, the event loop, configuration.
