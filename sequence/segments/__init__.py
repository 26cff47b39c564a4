"""A segment's life: budget, build (single flight), read (read repair), stream."""
