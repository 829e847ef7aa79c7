//! What a person needs to know about a vCPU that KVM gave up on.

/// The meaning of an internal error's number (`KVM_INTERNAL_ERROR_*` in linux/kvm.h).
pub fn internal_error(suberror: u32) -> String {
    let meaning = match suberror {
        kvm_bindings::KVM_INTERNAL_ERROR_EMULATION => "it cannot emulate the instruction",
        kvm_bindings::KVM_INTERNAL_ERROR_SIMUL_EX => "two exceptions at once",
        kvm_bindings::KVM_INTERNAL_ERROR_DELIVERY_EV => "an exit while an event was delivered",
        kvm_bindings::KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON => "an exit it does not know",
        _ => "no further reason",
    };
    format!("KVM internal error, suberror {suberror} ({meaning})")
}
