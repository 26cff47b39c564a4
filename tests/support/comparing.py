"""Clients that compare every answer with the oracle, whatever becomes of the server."""

import socket
import struct
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, IncompleteRead, RemoteDisconnected
from random import Random
from time import monotonic, sleep

from tests.support import oracle
from tests.support.http_oracle import TERMS, TYPES, Window, answer, offered
from tests.support.random_requests import Reply, Request, Tags, asked, faults_of, some_request
from tests.support.servers import Server

HANG_S = 30
"""An answer of which nothing comes for so long has hung."""
SHOWN = 10
"""How many wrong answers are told of one client."""


@dataclass
class Tally:
    """What came of the requests of one client."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    broken: list[tuple[float, str]] = field(default_factory=list)
    """When a connection ended before its answer did, or could not be made, and how."""

    @property
    def right(self) -> int:
        """How many answers were right in every byte."""
        return sum(n for outcome, n in self.outcomes.items() if outcome.startswith("right"))

    def note(self, request: object, faults: list[str], outcome: str) -> None:
        """One answer that was compared."""
        self.outcomes["wrong" if faults and outcome.startswith("right") else outcome] += 1
        if len(self.wrong) < SHOWN:
            self.wrong += [f"{request}\n  {fault}" for fault in faults]


def some_windows(rng: Random, count: int) -> list[Window]:
    """Windows to ask for again and again: most of them short, all over the store."""
    longest = [rng.choice((12, 40, 40, 200, 200, 600)) for _ in range(count)]
    spans = [(rng.randint(1, most), rng.randrange(TERMS - most)) for most in longest]
    spans += [(TERMS, 0), (3000, 1000), (0, 0), (20, 0)]
    return [Window(sn, start, rng.choice(list(TYPES))) for sn, start in spans]


def met(server: Server, windows: list[Window]) -> Tags:
    """The ETags of the windows, which must not change later, as a calm server tells them."""
    with closing(server.connect()) as connection:
        tags = Tags(lambda request: asked(connection, request))
        for window in windows:
            for coding in offered(window):
                tags.of(window, coding)
    tags.ask = asks_nothing
    return tags


def asks_nothing(request: Request) -> Reply:
    """What a client must not have to ask."""
    raise AssertionError(f"The ETag of {request} is not known.")


class Client:
    """One that asks again and again, and compares each answer with the oracle."""

    def __init__(self, port: int, seed: int, windows: list[Window], tags: Tags) -> None:
        self.port, self.rng, self.windows, self.tags = port, Random(seed), windows, tags
        self.tally = Tally()
        self.connection = HTTPConnection("127.0.0.1", port, timeout=HANG_S)

    def ask_until(self, end: float) -> None:
        """Asks until then."""
        kinds: dict[Callable[[], None], float] = {
            self.terms: 90,
            self.term: 5,
            self.check_value: 3,
            self.value: 2,
            self.page: 1,
            self.service: 1,
            self.vanish: 1,
            self.read_slowly: 0.3,
        }
        while monotonic() < end:
            (act,) = self.rng.choices(list(kinds), list(kinds.values()))
            began = monotonic()
            try:
                act()
            except TimeoutError:
                fault = f"nothing came for {monotonic() - began:.0f} s"
                self.tally.note(f"{act.__name__}: {self.asking}", [fault], "hung")
                self.connection.close()
            except (OSError, HTTPException) as error:
                self.tally.outcomes[f"broken: {type(error).__name__}"] += 1
                self.tally.broken.append((monotonic(), f"{error!r}: {self.asking}"))
                self.connection.close()
                sleep(0.05)

    asking: object = None

    def reply(self, request: Request) -> Reply:
        """Return the answer; ask once more if the kept-alive connection was closed in between."""
        self.asking = request
        kept = self.connection.sock is not None
        try:
            return asked(self.connection, request)
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.connection.close()
            if not kept:
                raise
            return asked(self.connection, request)

    def compare(self, request: Request, right: Callable[[Reply], list[str]]) -> None:
        """Notes what came of a request, whose answer must be right, or be put off."""
        reply = self.reply(request)
        if reply.status == 503:
            retry = reply.headers.get("Retry-After", "")
            faults = [] if retry.isdigit() else ["503 without Retry-After"]
            self.tally.note(request, faults, "put off (503)")
        elif reply.status > 499:
            told = f"{reply.status} from {reply.headers['Server']}: {reply.body[:200]!r}"
            self.tally.note(request, [told], "failed (500)")
        else:
            self.tally.note(request, right(reply), f"right ({reply.status})")

    def terms(self) -> None:
        """Any request for terms."""
        request = some_request(self.rng, self.windows, self.tags)
        right = answer(request.method, request.target, request.headers, self.tags.of)
        self.compare(request, lambda reply: faults_of(request, right, reply, self.tags))

    def _plain(self, target: str, accept: str, right: Callable[[bytes], bool]) -> None:
        def faults(reply: Reply) -> list[str]:
            fine = reply.status == 200 and right(reply.body)
            return [] if fine else [f"{reply.status}, {reply.body[:100]!r}"]

        self.compare(Request("GET", target, {"Accept": accept}), faults)

    def term(self) -> None:
        """The digits of one term."""
        n = self.rng.randrange(TERMS)
        right = oracle.terms(TERMS)[n].strip() + b"\n"
        self._plain(f"/terms/{n}", "*/*", lambda body: body == right)

    def check_value(self) -> None:
        """A residue, a hash, digits to find or digits in base 16."""
        n = self.rng.randrange(20, TERMS)
        digits = oracle.terms(TERMS)[n].strip()
        value = int(digits)
        target, right = self.rng.choice(
            (
                (f"/?sn=1&start={n}&mod=1000003", b"%d " % (value % 1_000_003)),
                (f"/?sn=1&start={n}&format=sha256", sha256(digits).hexdigest().encode()),
                (f"/terms/{n}?base=16", b"%x\n" % value),
                (f"/terms?contains={digits[:40].decode()}&format=json", b'"contains"'),
            )
        )
        self._plain(target, "*/*", lambda body: right in body)

    def value(self) -> None:
        """Which term has a value."""
        n = self.rng.randrange(3, 1000)
        digits = oracle.terms(TERMS)[n].decode().strip()
        self._plain(f"/terms?value={digits}", "*/*", lambda body: body == b"%d\n" % n)

    def page(self) -> None:
        """A page that tells digits."""
        n = self.rng.randrange(400)
        digits = oracle.terms(TERMS)[n].strip()
        self._plain(f"/terms/{n}", "text/html", lambda body: digits[:20] in body)

    def service(self) -> None:
        """What the operator asks for."""
        target = self.rng.choice(("/livez", "/readyz", "/metrics", "/plots", "/openapi.json"))
        self._plain(target, "*/*", bool)

    def vanish(self) -> None:
        """Leaves in the midst of an answer."""
        self.asking = "one that leaves"
        with socket.create_connection(("127.0.0.1", self.port), HANG_S) as leaving:
            leaving.sendall(f"GET /?sn={TERMS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            leaving.recv(self.rng.choice((1, 1000, 100_000)))
            if self.rng.random() < 0.5:  # by a reset
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tally.outcomes["left"] += 1

    def read_slowly(self) -> None:
        """Takes a second for an answer, and compares it."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)) as connection:
            self.asking = f"GET /?sn={TERMS}, slowly"
            connection.request("GET", f"/?sn={TERMS}")
            with connection.getresponse() as response:
                body = b""
                while piece := response.read(300_000):
                    body += piece
                    sleep(0.1)
                if response.length:  # else only read() tells of it
                    raise IncompleteRead(body, response.length)
                if response.status == 503:
                    self.tally.note(self.asking, [], "put off (503)")
                    return
                right = (200, oracle.text(0, TERMS))
                faults = [] if (response.status, body) == right else [f"{response.status}"]
                self.tally.note(self.asking, faults, "right (200)")


def ask_by_threads(
    port: int, seeds: list[int], end: float, windows: list[Window], tags: Tags
) -> list[Tally]:
    """The tallies of as many clients as there are seeds, in threads of this process."""
    clients = [Client(port, seed, windows, tags) for seed in seeds]
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda each: each.ask_until(end), clients))
    return [each.tally for each in clients]
