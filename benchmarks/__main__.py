"""Measure topics, one after another, and keep what they print in benchmarks/results/, before it how
all figures stand to their targets."""

import re
import subprocess
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from time import monotonic

import psutil

from benchmarks.lib.bench import JUDGED, ROOT, Options, print_heading

TOPICS = (
    "making_text",
    "check_values",
    "any_term",
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
CHOSEN = ("chunks", "fetch_or_compute")
"""Topics that run only if they are named: one compares a constant, one needs a cluster."""
RESULTS = ROOT / "benchmarks" / "results"
TAKE = {"only": ("slow_readers",), "before": ("formats", "small_requests")}
"""The topics that take an option of their own."""
QUIET_PERCENT = 10


def parsed() -> Options:
    """Return what the command line says."""
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join((*TOPICS, *CHOSEN))
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"of {names}")
    parser.add_argument("--rounds", type=int, help="in place of each topic's own")
    parser.add_argument("--only", metavar="TEXT", help="sides with this in their names")
    parser.add_argument("--before", metavar="COMMIT", help="measure this commit's service too")
    parser.add_argument("--directory", type=Path, help="scratch, on the disk to measure")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for quiet")
    parser.add_argument("--print-only", action="store_true", help="one topic; keep no result")
    parser.add_argument("--plots", action="store_true", help="draw docs/plots with --print-only")
    options = parser.parse_args(namespace=Options())
    for topic in options.topics:
        if topic not in (*TOPICS, *CHOSEN):
            parser.error(f"There is no topic {topic}; the topics are {names}.")
    for option, topics in TAKE.items():
        if getattr(options, option) and not (options.topics and {*options.topics} <= {*topics}):
            parser.error(f"--{option} is for {' and '.join(topics)}.")
    if options.print_only and len(options.topics) != 1:
        parser.error("--print-only takes one topic.")
    return options


def measure(topic: str, options: Options) -> None:
    """Have the topic measure and print, in this process."""
    module = import_module(f"benchmarks.topics.{topic}")
    options.rounds = options.rounds or module.ROUNDS
    options.only = options.only or ""
    print_heading(topic)
    module.main(options)


def wait_for_quiet(patience_s: float) -> str:
    """Return, in a sentence, how busy others keep the machine, once it is quiet or time is up."""
    stop = monotonic() + patience_s
    # Not the load, which would tell for minutes of the topic before.
    while (busy := psutil.cpu_percent(interval=3)) > QUIET_PERCENT and monotonic() < stop:
        pass
    return f"\nOthers kept the processors {busy:.0f}% busy when this began.\n"


def run(topic: str, arguments: list[str], patience_s: float) -> str:
    """Measure in a process of the topic's own; return what it prints, which is shown at once."""
    command = [sys.executable, "-m", "benchmarks", topic, *arguments, "--print-only", "--plots"]
    quiet, printed = wait_for_quiet(patience_s), ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            printed += line
    return printed + quiet + (f"\n# {topic} failed\n" if process.returncode else "")


def judged(topic: str, printed: str) -> list[str]:
    """Return the rows of the topic's tables of targets, each begun with its name."""
    tables = re.findall(rf"## {JUDGED}\n\n.*\n.*\n((?:\|.*\n)*)", printed)
    return [f"| {topic} {row}" for found in tables for row in found.splitlines()]


def write(path: Path, printed: dict[str, str]) -> None:
    """Write the result of the run."""
    rows = [row for topic, text in printed.items() for row in judged(topic, text)]
    head = [
        f"# `{' '.join(['python -m benchmarks', *sys.argv[1:]])}`, {path.stem}",
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
    """Run the topics, and write the result after each, so that nothing is lost if one fails."""
    options = parsed()
    if options.print_only:
        measure(options.topics[0], options)
        return
    arguments = [
        f"--{name}={value}"
        for name in ("rounds", "only", "before", "directory")
        if (value := getattr(options, name))
    ]
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.md"
    printed: dict[str, str] = {}
    for topic in options.topics or TOPICS:
        printed[topic] = run(topic, arguments, options.patience)
        write(path, printed)
    print(f"\nThis is kept in {path.relative_to(ROOT)}.")
    sys.exit(any(text.endswith(" failed\n") for text in printed.values()))


if __name__ == "__main__":
    main()
