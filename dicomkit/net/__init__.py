"""What both wires share: errors, time-outs, events and TLS; nothing here opens a socket."""
