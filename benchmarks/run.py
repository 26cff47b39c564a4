"""Runs the benchmarks, or those that are named, one after another; keeps what they print in
results/, and before it how all of their figures stand to the targets."""

import re
import subprocess
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import psutil
from bench import JUDGED, ROOT

TOPICS = (
    "making_text",
    "packing",
    "populate",
    "cold_stream",
    "cold_window",
    "warm_stream",
    "formats",
    "wire",
    "small_requests",
    "mixed_load",
    "slow_readers",
    "memory",
    "endurance",
    "million",
    "growth",
    "range_header",
    "shared_index",
    "even_split",
    "find_place",
    "hotspots",
    "ahead",
    "ten_million",
)
RESULTS = ROOT / "benchmarks" / "results"


QUIET_PERCENT = 10


def wait_for_quiet(patience_s: float) -> str:
    """Returns, in a sentence, how busy others keep the machine, once it is quiet or time is up."""
    stop = monotonic() + patience_s
    # Not the load, which would tell for minutes of the benchmark before.
    while (busy := psutil.cpu_percent(interval=3)) > QUIET_PERCENT and monotonic() < stop:
        pass
    return f"\nOthers kept the processors {busy:.0f}% busy when this began.\n"


def run(topic: str, options: list[str], patience_s: float) -> str:
    """What the benchmark prints, which is shown meanwhile."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{topic}.py"), *options]
    quiet, printed = wait_for_quiet(patience_s), ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            printed += line
    return printed + quiet + (f"\n# {topic} failed\n" if process.returncode else "")


def judged(topic: str, printed: str) -> list[str]:
    """The rows of the benchmark's tables of targets, each begun with its topic."""
    tables = re.findall(rf"## {JUDGED}\n\n.*\n.*\n((?:\|.*\n)*)", printed)
    return [f"| {topic} {row}" for found in tables for row in found.splitlines()]


def write(path: Path, command: str, printed: dict[str, str]) -> None:
    """Writes the result of the run."""
    rows = [row for topic, text in printed.items() for row in judged(topic, text)]
    head = [
        f"# `{command}`, {path.stem}",
        "",
        "Of every round one figure; medians are judged. The clients run on the same machine.",
        "",
        "| topic | figure | target | measured | from – to | reached |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]
    bodies = [re.sub(r"^#", "##", text, flags=re.MULTILINE) for text in printed.values()]
    path.write_text("\n".join([*head, *bodies]))


def main() -> None:
    """Runs them and writes the result after each, so that nothing is lost where one fails."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="topic", help=", ".join(TOPICS))
    parser.add_argument("--rounds", type=int, help="in place of each benchmark's own")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for a quiet machine, each time"
    )
    options = parser.parse_args()
    assert set(options.topics) <= set(TOPICS), f"The topics are {', '.join(TOPICS)}."

    given = [f"--rounds={options.rounds}"] if options.rounds else []
    named = [f'TOPIC="{" ".join(options.topics)}"'] if options.topics else []
    chosen = [f"ROUNDS={options.rounds}"] if options.rounds else []
    command = " ".join(["make bench", *named, *chosen])
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.md"
    printed: dict[str, str] = {}
    for topic in options.topics or TOPICS:
        printed[topic] = run(topic, [*given, "--plots"], options.patience)
        write(path, command, printed)
    print(f"\nThis is kept in {path.relative_to(ROOT)}.")
    sys.exit(any(text.endswith(" failed\n") for text in printed.values()))


if __name__ == "__main__":
    main()
