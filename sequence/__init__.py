"""The first N Fibonacci numbers as text, from a segmented store."""
