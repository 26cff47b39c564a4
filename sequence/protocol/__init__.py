"""What requests mean: header and query text in, decisions out; no I/O, no Django."""
