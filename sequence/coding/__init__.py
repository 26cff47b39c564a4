"""The content codings, packed for this text as it is sent (docs/text-format.md, section 6)."""
