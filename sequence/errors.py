"""What can go wrong, as sentences that carry their facts as attributes."""


class FiboError(Exception):
    """The base of all errors here; never raised itself."""


class ParameterError(FiboError):
    """A request's parameter is not what it may be."""

    def __init__(
        self, parameter: str, value: str | None, allowed: str, found: str | None = None
    ) -> None:
        if found is None:
            found = "missing" if value is None else shortened(value)
        super().__init__(f"{parameter} is {found}; it must be {allowed}.")
        self.parameter, self.value, self.allowed = parameter, value, allowed


class LayoutMismatch(FiboError):
    """The store was cut in another way than the settings ask for."""

    def __init__(self, directory: str, found: str, expected: str) -> None:
        super().__init__(
            f"The store in {directory} was made with {found}, and the settings ask for {expected}: "
            "set FIBO_SEGMENT_BYTES to the store's value or FIBO_DATA_DIR to another directory."
        )
        self.directory, self.found, self.expected = directory, found, expected


class SegmentShort(FiboError):
    """A stored segment ends before the span that was asked for does."""

    def __init__(self, name: str, expected_stop: int, found_bytes: int) -> None:
        super().__init__(
            f"Segment {name} ends at byte {found_bytes:,}; it must reach byte {expected_stop:,}."
        )
        self.name, self.expected_stop, self.found_bytes = name, expected_stop, found_bytes


class SumMismatch(FiboError):
    """Addition and fast doubling gave two unlike values for one term."""

    def __init__(self, term: int) -> None:
        super().__init__(f"Addition and fast doubling disagree at term {term:,}; nothing was kept.")
        self.term = term


class IndexMismatch(FiboError):
    """The index places something elsewhere than arithmetic does."""

    def __init__(self, what: str, found: int, expected: int) -> None:
        super().__init__(
            f"The index has the {what} at offset {found:,}, and arithmetic at {expected:,}."
        )
        self.what, self.found, self.expected = what, found, expected


def shortened(value: str, most: int = 40) -> str:
    """The value quoted, in printable ASCII, cut after `most` characters."""
    return ascii(value[:most]) + ("…" if len(value) > most else "")
