"""The application, whose workers have compiled the adder before they answer."""

from fibosite.wsgi import application
from sequence.text import adder
from sequence.text.span import Span

__all__ = ["application"]

adder.positions(Span(0, 10))
