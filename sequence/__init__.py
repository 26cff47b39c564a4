"""The first N Fibonacci numbers as text, from a segmented store."""

__version__ = "0.1.0"
