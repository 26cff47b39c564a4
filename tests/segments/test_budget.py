"""What there is room for is arithmetic, and the beginning comes first."""

import pytest
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.segments import budget
from sequence.text.layout import MAX_TERMS

BUDGETS = [conf.MIN_STORE_BYTES, 20_000_000, 100_000_000, 2_000_000_000]


def test_without_a_budget_there_is_room_for_everything(settings: Settings) -> None:
    assert budget.keeps(10**9)
    assert budget.max_terms(MAX_TERMS) == MAX_TERMS


@pytest.mark.parametrize("store_bytes", BUDGETS)
@pytest.mark.parametrize("segment_bytes", [4096, 500_000, conf.SEGMENT_BYTES])
def test_the_lowest_segments_have_room_and_the_others_have_none(
    settings: Settings, store_bytes: int, segment_bytes: int
) -> None:
    settings.FIBO_STORE_BYTES, settings.FIBO_SEGMENT_BYTES = store_bytes, segment_bytes
    terms = budget.max_terms(MAX_TERMS)
    first_without = conf.layout().segment_of(terms)
    assert not budget.keeps(first_without)
    assert not budget.keeps(10 * first_without + 10)
    some = {0, first_without // 2, first_without - 1} if first_without else set()
    assert all(budget.keeps(number) for number in some)


@pytest.mark.parametrize("store_bytes", BUDGETS)
def test_segments_and_the_index_have_room_together(settings: Settings, store_bytes: int) -> None:
    settings.FIBO_STORE_BYTES = store_bytes
    terms = budget.max_terms(MAX_TERMS)
    plain_bytes = conf.layout().planned(conf.layout().segment_of(terms)).start_offset
    left = store_bytes - plain_bytes
    assert left >= budget.INDEX_BYTES + budget.INDEX_BYTES_A_TERM * terms
