//! Kernel formats, command line, boot parameters and the initramfs writer.
