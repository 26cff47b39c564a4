"""Parts of the cluster fail while it answers: no byte is wrong, and no hand is needed."""

import subprocess
from pathlib import Path

import pytest

from sequence.text.compute import compute_bytes
from sequence.text.layout import offset
from sequence.text.span import Span
from tests.support.cluster import Asked, Running
from tests.support.faults import Injected
from tests.support.reference import LENGTH, SEGMENTS, SHA256, TERMS, hash_of
from tests.support.waiting import until
from tools.cluster.place import HOSTS

pytestmark = pytest.mark.cluster

MIDDLE_BYTES = 300_000_000
"""Past what the hosts keep themselves, and with most of it still to come."""

RATE = "160M"
"""curl's: 7 s for all of it, so that there is a middle."""

PARTIAL_FILE = 18
"""curl's exit status for a body that is shorter than promised."""

SOON_S = 15
"""A first byte that comes when the store was waited for, which nobody has missed before: two
attempts, in each of which nginx waits 2 s for each gateway, and a pause between them."""


class Download:
    """curl with the whole text, or with the rest of it."""

    def __init__(self, path: Path, server: Asked, *options: str) -> None:
        self.path = path
        command = ["curl", "-sSf", "--limit-rate", RATE, "-o", str(path), *options]
        self.process = subprocess.Popen(
            [*command, server.url(f"/?sn={TERMS}")], stderr=subprocess.DEVNULL
        )

    def reach_the_middle(self) -> None:
        """Waits until it has part of it."""
        until(lambda: self.path.exists() and self.path.stat().st_size > MIDDLE_BYTES)
        assert self.process.poll() is None

    def end(self) -> int:
        """Its exit status."""
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()


def is_whole(path: Path, reference: Path) -> bool:
    """Whether the file has the whole text; fails if it has anything but the beginning of it."""
    with path.open("rb") as ours, reference.open("rb") as right:
        while piece := ours.read(1 << 22):
            assert piece == right.read(len(piece))
    return path.stat().st_size == LENGTH


@pytest.mark.parametrize(
    "case",
    # The fault, of which part, how it ends.
    [
        ("kill", "osd.1", "start"),
        ("kill", "gateway.a", "start"),
        ("pause", "gateway.b", "resume"),
        ("stop", "postgres", "start"),
        ("kill", "postgres", "start"),
        ("pause", "postgres", "resume"),
    ],
    ids=lambda case: f"{case[0]} {case[1]}",
)
def test_an_engine_may_fail_in_mid_stream(
    case: tuple[str, str, str],
    cluster: Running,
    reference: Path,
    tmp_path: Path,
    injected: Injected,
) -> None:
    fault, part, end = case
    download = Download(tmp_path / "text", cluster.front)
    download.reach_the_middle()
    with cluster.without(part, fault=fault, end=end):
        assert download.end() == 0
        assert is_whole(download.path, reference)
    injected(f"{part}: {fault}, in mid-stream", 1, "the stream went on, every byte right")


def test_a_download_goes_on_at_the_other_host(
    cluster: Running, reference: Path, tmp_path: Path, injected: Injected
) -> None:
    path, target = tmp_path / "text", f"/?sn={TERMS}"
    first, second = cluster.apis
    etag = first.get(target, "HEAD")[1]["ETag"]
    assert {asked.get(target, "HEAD")[1]["ETag"] for asked in (second, cluster.front)} == {etag}
    download = Download(path, first)
    download.reach_the_middle()
    with cluster.without(f"api.{HOSTS[0]}"):
        assert download.end() == PARTIAL_FILE
        assert MIDDLE_BYTES < path.stat().st_size < LENGTH
        assert Download(path, second, "-C", "-", "-H", f"If-Range: {etag}").end() == 0
    assert hash_of(path) == SHA256
    injected("an API host killed in mid-download", 1, "went on at the other one: same ETag, hash")


def assert_one_breaks_and_is_resumed(
    downloads: list[Download], server: Asked, reference: Path
) -> None:
    """That one of the downloads ends before its end and can be resumed; no byte is wrong."""
    statuses = [download.end() for download in downloads]
    assert sorted(statuses) == [0, PARTIAL_FILE]
    whole = [is_whole(download.path, reference) for download in downloads]
    assert whole == [not status for status in statuses]
    broken = downloads[whole.index(False)]
    assert Download(broken.path, server, "-C", "-").end() == 0
    assert is_whole(broken.path, reference)


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_may_die_behind_the_front(
    host: str, cluster: Running, reference: Path, tmp_path: Path, injected: Injected
) -> None:
    # One from each host, as the front asks the one with fewer open answers.
    downloads = [Download(tmp_path / name, cluster.front) for name in HOSTS]
    for download in downloads:
        download.reach_the_middle()
    with cluster.without(f"api.{host}"):
        assert_one_breaks_and_is_resumed(downloads, cluster.front, reference)
        taken = seconds_to_first_byte(cluster.front, f"/?sn={TERMS}")
        assert taken < 2
    injected(
        f"api.{host} killed behind the front",
        1,
        f"its download was resumed; a new request took {taken:.3f} s",
    )


def test_a_host_may_be_cut_off_behind_the_front(
    cluster: Running, reference: Path, tmp_path: Path, injected: Injected
) -> None:
    if cluster.api("a").address == cluster.front.address:
        pytest.skip("The hosts have no links of their own.")
    downloads = [Download(tmp_path / name, cluster.front) for name in HOSTS]
    for download in downloads:
        download.reach_the_middle()
    with cluster.without("a", fault="cut", end="join"):
        assert_one_breaks_and_is_resumed(downloads, cluster.front, reference)
        taken = seconds_to_first_byte(cluster.front, f"/?sn={TERMS}")
        assert taken < 3
    injected("host a cut off", 1, f"its download was resumed; a new request took {taken:.3f} s")


def test_the_object_store_may_be_out_of_reach(
    cluster: Running, reference: Path, tmp_path: Path, injected: Injected
) -> None:
    cold = Span(104_000, 105_000)
    unstored = f"/?sn={cold.length}&start={cold.start}"
    before = cluster.stored()
    gateways = ("gateway.a", "gateway.b")
    with cluster.without(*gateways, fault="pause", end="resume"):
        # What the store has; what nobody has.
        times = [
            seconds_to_first_byte(cluster.api("a"), f"/?sn={TERMS}", "-r", f"{MIDDLE_BYTES}-"),
            seconds_to_first_byte(cluster.api("b"), unstored),
        ]
        assert max(times) < SOON_S
        text = b"".join(compute_bytes(Span(offset(cold.start), offset(cold.stop))))
        assert cluster.front.get(unstored)[2] == text
        whole = Download(tmp_path / "text", cluster.front)
        assert whole.end() == 0
        assert is_whole(whole.path, reference)
    assert cluster.front.get(f"{unstored}&format=lines")[2] == text.replace(b" ", b"\n")
    until(lambda: bool(set(cluster.stored()) - set(before)))
    seconds = ", ".join(f"{taken:.3f}" for taken in times)
    injected(
        "both gateways silent", 1, f"first bytes after {seconds} s, all of them right; stored since"
    )


def test_what_is_stored_is_there_once(populated: Running, injected: Injected) -> None:
    found = [name for name in populated.stored() if int(Path(name).stem) < SEGMENTS]
    assert len(found) == SEGMENTS
    injected("a worker killed while two populate", 1, f"all {SEGMENTS} segments stored, once each")


def seconds_to_first_byte(server: Asked, target: str, *options: str) -> float:
    """How long curl waits, from the call to the first byte of the body."""
    command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{time_starttransfer}", "--max-time", "60"]
    done = subprocess.run(
        [*command, *options, server.url(target)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)
