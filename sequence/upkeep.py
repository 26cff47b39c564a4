"""Brings files and rows together: before a start, and after the loss of an index."""

from django.dispatch import receiver

from sequence import budget, build, conf, index
from sequence.index import dispensable
from sequence.models import CodedSegment, Segment
from sequence.text.layout import SEGMENT_SUFFIX, segment_name, segment_number


def prepare() -> None:
    """Makes the index where it is missing or damaged, and sweeps the store: before a start.

    Raises OSError and DatabaseError where that cannot be written.
    """
    index.restore()
    sweep()


def unindexed() -> list[int]:
    """The numbers of the segments whose files are there and whose rows are not."""
    files, rows = build.store().names(), set(Segment.objects.values_list("number", flat=True))
    numbers = (segment_number(name) for name in files if name.endswith(SEGMENT_SUFFIX))
    return sorted(n for n in numbers if n is not None and n not in rows and _is_kept(n))


def _is_kept(number: int) -> bool:
    """Whether there is a segment of that number, which some lie between, and room for it."""
    return budget.keeps(number) and conf.layout().planned(number).term_count > 0


def take_in() -> None:
    """Brings files and rows together again, as after the loss of an index.

    Has the rows of segments written that have none, one after another. Coded ones without a row
    are removed, as they take room that nobody counts.
    """
    with dispensable("Looking for segments without rows"):
        for name in _coded_without_rows():
            with dispensable(f"Removing {name}"), build.store().sole_builder(name):
                if not CodedSegment.objects.filter(name=name).exists():
                    build.store().remove(name)
        for number in unindexed():
            build.attempt(build.build, number)


def _coded_without_rows() -> list[str]:
    rows = set(CodedSegment.objects.values_list("name", flat=True))
    numbers = ((name, segment_number(name)) for name in build.store().names())
    return [n for n, k in numbers if k is not None and n != segment_name(k) and n not in rows]


@receiver(index.restored)
def _take_in_soon(**_: object) -> None:
    index.restorers.soon("take in", take_in)


def sweep() -> None:
    """Remove what builders left behind that died, and put a damaged label right.

    Builders at work are let be. Raises OSError if the label cannot be written.
    """
    for name in build.store().abandoned():
        with dispensable(f"Sweeping {name}"):
            rows = (Segment.objects.filter(name=name), CodedSegment.objects.filter(name=name))
            # Complete, perhaps, but not in the index yet; it can be made again.
            if build.store().is_own(name) and not any(found.exists() for found in rows):
                build.store().remove(name)
    if build.label_fault():
        build.set_label()
