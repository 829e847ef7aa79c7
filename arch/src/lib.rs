//! The two machines as data: memory maps, page tables, register values, ACPI tables.
