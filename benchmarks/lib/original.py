"""The original's algorithm, written again as a peer: integers are added, the text of each is made
by `str`, kept in a list, and streamed by Flask."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from flask import Flask, Response, request


class Terms:
    """The texts of the first terms, as many as were ever asked for."""

    def __init__(self) -> None:
        self.texts = ["0", "1"]
        self.pair = 0, 1
        self.growing = Lock()

    def first(self, count: int) -> Iterator[str]:
        """The first terms, each followed by a space."""
        for n in range(count):
            if n == len(self.texts):
                self.grow(n)
            yield self.texts[n] + " "

    def grow(self, n: int) -> None:
        """Adds term n to the list, unless another thread just did."""
        with self.growing:
            if n == len(self.texts):
                a, b = self.pair
                self.pair = b, a + b
                self.texts.append(str(a + b))


sys.set_int_max_str_digits(0)
terms = Terms()
# A present to the peer: to make its list of 100,000 terms would take it minutes.
if path := os.environ.get("ORIGINAL_TEXT"):
    terms.texts = Path(path).read_text(encoding="ascii").split()


def text() -> Response:
    """The first `sn` terms."""
    return Response(terms.first(int(request.args["sn"])), mimetype="text/plain")


app = Flask(__name__)
app.add_url_rule("/", view_func=text)
