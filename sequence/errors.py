"""What can go wrong, as sentences that carry their facts as attributes."""


class FiboError(Exception):
    """The base of all errors here; never raised itself."""


class ParameterError(FiboError):
    """A request's parameter is not what it may be."""

    def __init__(
        self,
        parameter: str,
        value: str | None,
        allowed: str,
        found: str | None = None,
        maximum: int | None = None,
    ) -> None:
        if found is None:
            found = "missing" if value is None else shortened(value)
        super().__init__(f"{parameter} is {found}; it must be {allowed}.")
        self.parameter, self.value, self.maximum = parameter, value, maximum


class UnknownParameter(FiboError):
    """A request has a parameter that means nothing."""

    def __init__(self, name: str, value: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"Parameter {shortened(name)} is not known; it must be {' or '.join(known)}."
        )
        self.parameter, self.value, self.known = name, value, known


class NotFibonacci(FiboError):
    """A number is not in the sequence."""

    def __init__(self, value: str) -> None:
        super().__init__(f"value is {shortened(value)}, which is not a Fibonacci number.")
        self.parameter, self.value = "value", value


class NotContained(FiboError):
    """No term that may be searched has the digits."""

    def __init__(self, digits: str, count: int) -> None:
        super().__init__(
            f"contains is {shortened(digits)}, which none of the first {count:,} terms contains."
        )
        self.parameter, self.value = "contains", digits


class SearchCancelled(FiboError):
    """The client has left, so nobody waits for the outcome of a search."""

    def __init__(self) -> None:
        super().__init__("The client has left; its search was stopped.")


class Busy(FiboError):
    """As many long computations wait as may."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"{waiting} long computations run or wait already, and no more may; please try again."
        )
        self.waiting = waiting


class MethodNotAllowed(FiboError):
    """A request's method is none that its address answers."""

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"The method is {shortened(method)}; it must be {' or '.join(allowed)}.")
        self.method, self.allowed = method, allowed


class NotAcceptable(FiboError):
    """A client refuses every coding that there is."""

    def __init__(self, accept_encoding: str, offered: tuple[str, ...]) -> None:
        super().__init__(
            f"Accept-Encoding is {shortened(accept_encoding)}; "
            f"it must allow {' or '.join(offered)}."
        )
        self.accept_encoding, self.offered = accept_encoding, offered


class PreconditionFailed(FiboError):
    """A client wants other bytes than these."""

    def __init__(self, if_match: str, etag: str) -> None:
        super().__init__(f"If-Match is {shortened(if_match, 80)}; the ETag here is {etag}.")
        self.if_match, self.etag = if_match, etag


class RangeNotSatisfiable(FiboError):
    """A Range header is malformed, asks for too many ranges, or for none that there is."""

    def __init__(self, header: str, length: int, max_ranges: int) -> None:
        super().__init__(
            f"Range is {shortened(header)}; it must be bytes=first-last, with one to {max_ranges} "
            f"ranges of which one at least begins within the {length:,} bytes."
        )
        self.header, self.length, self.max_ranges = header, length, max_ranges


class LayoutMismatch(FiboError):
    """The store was cut in another way than the settings ask for."""

    def __init__(self, directory: str, found: str, expected: str) -> None:
        super().__init__(
            f"The store in {directory} was made with {found}, and the settings ask for {expected}: "
            "set FIBO_SEGMENT_BYTES to the store's value or FIBO_DATA_DIR to another directory."
        )
        self.directory, self.found, self.expected = directory, found, expected


class JobsFailed(FiboError):
    """Workers have given up building segments."""

    def __init__(self, numbers: list[int]) -> None:
        shown = ", ".join(map(str, numbers[:5])) + (" …" if len(numbers) > 5 else "")
        super().__init__(
            f"The workers have given up {len(numbers):,} segments ({shown}); their logs say why. "
            "The same command tries again."
        )
        self.numbers = numbers


class SegmentShort(FiboError):
    """A stored segment ends before the span that was asked for does."""

    def __init__(self, name: str, expected_stop: int, found_bytes: int) -> None:
        super().__init__(
            f"Segment {name} ends at byte {found_bytes:,}; it must reach byte {expected_stop:,}."
        )
        self.name, self.expected_stop, self.found_bytes = name, expected_stop, found_bytes


class NotSegmentFile(FiboError, OSError):
    """Something else than a regular file has the name of one of the store's."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} is {what}; it must be a regular file: move it away.")
        self.path, self.what = path, what


class NotStoreDirectory(FiboError, OSError):
    """The place of the segments cannot be used as a directory."""

    def __init__(self, path: str, what: str, remedy: str) -> None:
        super().__init__(
            f"{path} {what}; it must be a directory: {remedy}, or set FIBO_DATA_DIR to another one."
        )
        self.path, self.what = path, what


class SomeFailed(FiboError):
    """Of many things some could not be done; the others were."""

    def __init__(self, done: str, sentences: list[str], most: int = 20) -> None:
        more = f" … {len(sentences):,} could not be {done}." if len(sentences) > most else ""
        super().__init__(" ".join(sentences[:most]) + more)
        self.sentences = sentences


class CacheMiss(FiboError, OSError):
    """A stored segment is not in the cache of its store."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Segment {name} is not in the cache.")
        self.name = name


class StoreUnreachable(FiboError, OSError):
    """A store beyond this host cannot be reached, or refuses."""

    def __init__(self, store: str, why: str) -> None:
        super().__init__(f"The store {store} cannot be used: {why}.")
        self.store, self.why = store, why


class BlockMismatch(FiboError):
    """A stored segment has other bytes than its checksums say."""

    def __init__(self, name: str, span: tuple[int, int]) -> None:
        super().__init__(f"Segment {name} is wrong between bytes {span[0]:,} and {span[1]:,}.")
        self.name, self.span = name, span


class SumMismatch(FiboError):
    """Two ways to compute one term gave unlike values."""

    def __init__(self, term: int) -> None:
        super().__init__(f"Two ways to compute term {term:,} disagree; nothing was kept.")
        self.term = term


class IndexMismatch(FiboError):
    """The index places something elsewhere than arithmetic does."""

    def __init__(self, what: str, found: int, expected: int) -> None:
        super().__init__(
            f"The index has the {what} at offset {found:,}, and arithmetic at {expected:,}."
        )
        self.what, self.found, self.expected = what, found, expected


class BodyShort(FiboError):
    """Less came of a body than was promised."""

    def __init__(self, expected_bytes: int, found_bytes: int) -> None:
        super().__init__(
            f"A body of {expected_bytes:,} bytes was promised; {found_bytes:,} came of it."
        )
        self.expected_bytes, self.found_bytes = expected_bytes, found_bytes


def shortened(value: str | bytes, most: int = 40) -> str:
    """The value quoted, in printable ASCII, cut after `most` characters."""
    return ascii(value[:most]) + ("…" if len(value) > most else "")
