"""Both additions."""

from collections.abc import Iterator

import pytest

from sequence.text import adder


@pytest.fixture(scope="module", params=["compiled", "decimal"])
def each_addition(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tests of the module run with the compiled addition, and again without it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "decimal":
            patch.setattr(adder, "_functions", lambda: None)
        else:
            assert adder._functions()
        yield
