//! Images, containers and the bulkhead command.
