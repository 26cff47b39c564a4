"""Power cuts: a program's calls on a directory are recorded, and replayed as a disk keeps them.

A disk that loses power has of a file what was there at its last fsync, and of a directory the names
that it had at its own. What came later is on the disk, or not, in any combination: data is kept or
lost by the page, names by the call. That is what POSIX promises, and less than most file systems
keep. A call is taken for done when strace logs it, so what runs beside a sync counts as before it.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import cycle, repeat
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support.processes import ROOT

PAGE_BYTES = 4096
"""What is kept or lost as one."""

DATA_CALLS = ("write", "pwrite64", "ftruncate", "lseek")
NAME_CALLS = ("openat", "mkdir", "link", "rename", "unlink", "rmdir")
SYNC_CALLS = ("fsync", "fdatasync")
OTHER_CALLS = (
    *("open", "creat", "truncate", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    *("fallocate", "mkdirat", "linkat", "renameat", "renameat2", "unlinkat", "symlink"),
    *("symlinkat", "syncfs"),
)
"""Those that would change a disk and that nothing here makes: to meet one is an error."""

REBUILT = ("-shm",)
"""How the names of files end that are mapped, not written, and that SQLite rebuilds (its WAL-index
format, 2.1)."""

Tree = Mapping[str, bytes | None]
"""What a directory has, by path: the content of a file, None for a directory."""


class Image(NamedTuple):
    """What a disk may hold after a power cut."""

    tree: Tree
    acknowledged: bool
    """Whether the program had already told that its work was done."""
    point: str
    """Before which call the power was cut, and what the disk had taken of the calls before."""


@dataclass
class File:
    """A file: what is on the disk, and what was written since."""

    synced: bytes = b""
    current: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Position and data of each write, by pages; of a truncation the length and None."""

    def write(self, position: int, content: bytes) -> None:
        """Writes, beyond the end too."""
        _put(self.current, position, content)
        at = 0
        while at < len(content):
            length = PAGE_BYTES - (position + at) % PAGE_BYTES
            self.pending.append((position + at, content[at : at + length]))
            at += length

    def truncate(self, length: int) -> None:
        """Cuts it, or lengthens it by zeros."""
        _cut(self.current, length)
        self.pending.append((length, None))

    def sync(self) -> None:
        """Has all of it on the disk."""
        self.synced, self.pending = bytes(self.current), []

    def kept(self, kept: Iterator[bool]) -> bytes:
        """What the disk has of it, if it took those of the pending writes."""
        taken = [change for change in self.pending if next(kept)]
        if not taken:
            return self.synced
        content = bytearray(self.synced)
        for position, piece in taken:
            if piece is None:
                _cut(content, position)
            else:
                _put(content, position, piece)
        return bytes(content)


@dataclass
class Directory:
    """A directory: the names on the disk, and how they changed since."""

    synced: dict[str, "File | Directory"] = field(default_factory=dict)
    current: dict[str, "File | Directory"] = field(default_factory=dict)
    pending: list[dict[str, "File | Directory | None"]] = field(default_factory=list)
    """What each call made of names: a file or a directory, or None if it removed one."""

    def change(self, names: dict[str, "File | Directory | None"]) -> None:
        """Gives these names to these, at once."""
        _rename(self.current, names)
        self.pending.append(names)

    def sync(self) -> None:
        """Has all of its names on the disk."""
        self.synced, self.pending = dict(self.current), []

    def kept(self, kept: Iterator[bool]) -> dict[str, "File | Directory"]:
        """The names that the disk has, if it took those of the pending changes."""
        names = dict(self.synced)
        for change in self.pending:
            if next(kept):
                _rename(names, change)
        return names


def _put(content: bytearray, position: int, piece: bytes) -> None:
    content.extend(bytes(max(0, position - len(content))))
    content[position : position + len(piece)] = piece


def _cut(content: bytearray, length: int) -> None:
    content.extend(bytes(max(0, length - len(content))))
    del content[length:]


def _rename(names: dict[str, File | Directory], change: dict[str, File | Directory | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """The files below a directory, by the calls that change them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Directory()
        self.offsets: dict[tuple[int, int], int] = {}
        """Where the next write goes, by file and descriptor."""
        self.appending: set[tuple[int, int]] = set()
        for path in sorted(root.rglob("*")):
            node = Directory() if path.is_dir() else File()
            if isinstance(node, File):
                node.write(0, path.read_bytes())
                node.sync()
            self._parent(path).current[path.name] = node
        self._sync_all(self.top)

    def tree(self, data: Iterator[bool], names: Iterator[bool]) -> Tree:
        """What there is after a power cut, if the disk took those pending writes and names."""
        found: dict[str, bytes | None] = {}
        waiting: list[tuple[str, File | Directory]] = [("", self.top)]
        while waiting:
            path, node = waiting.pop()
            if isinstance(node, File):
                found[path] = node.kept(data)
                continue
            if path:
                found[path] = None
            waiting += [(f"{path}/{n}".lstrip("/"), child) for n, child in node.kept(names).items()]
        return found

    def node(self, path: str) -> File | Directory | None:
        """What has the path now; None if it is not on this disk, or nothing has."""
        if path == str(self.root):
            return self.top
        if not self.has(path):
            return None
        return self._parent(Path(path)).current.get(Path(path).name)

    def has(self, path: str) -> bool:
        """Whether the path is one of this disk's that counts."""
        return path.startswith(f"{self.root}/") and not path.endswith(REBUILT)

    def data(self, name: str, descriptor: int, path: str, call: "Call") -> None:
        """A call that writes to an open file."""
        node = self.node(path)
        if not isinstance(node, File):
            return
        key = (id(node), descriptor)
        if name == "ftruncate":
            node.truncate(int(call.plain(1)))
        elif name == "lseek":
            self.offsets[key] = call.result
        elif name == "pwrite64":
            node.write(int(call.plain(3)), call.content[: call.result])
        else:
            at = len(node.current) if key in self.appending else self.offsets.get(key, 0)
            node.write(at, call.content[: call.result])
            self.offsets[key] = at + call.result

    def open(self, path: str, descriptor: int, flags: list[str]) -> None:
        """openat."""
        if not self.has(path):
            return
        node = self.node(path)
        if node is None and "O_CREAT" in flags:
            node = File()
            self._parent(Path(path)).change({Path(path).name: node})
        if isinstance(node, File):
            key = (id(node), descriptor)
            self.offsets[key] = 0
            (self.appending.add if "O_APPEND" in flags else self.appending.discard)(key)
            if "O_TRUNC" in flags and node.current:
                node.truncate(0)

    def rename(self, name: str, path: str, other: str | None) -> None:
        """A call that changes names only; `other` is the new one of two."""
        ours = [path for path in (path, other) if path and self.has(path)]
        if not ours:
            return
        if other and (len(ours) < 2 or Path(path).parent != Path(other).parent):
            raise NotImplementedError(f"{name} from {path} to {other}, another directory.")
        node = Directory() if name == "mkdir" else self.node(path)
        if node is None and name == "unlink":
            # Of two threads' calls the later may be logged first: another's unlink, and the openat
            # that made the file again. It is gone either way.
            return
        assert node is not None, f"{name} of {path}, of which no call tells where it comes from"
        old = None if name in ("rename", "unlink", "rmdir") else node
        new: dict[str, File | Directory | None] = {Path(other).name: node} if other else {}
        self._parent(Path(path)).change({Path(path).name: old} | new)

    def _parent(self, path: Path) -> Directory:
        node: File | Directory = self.top
        for name in path.relative_to(self.root).parts[:-1]:
            assert isinstance(node, Directory)
            node = node.current[name]
        assert isinstance(node, Directory), path
        return node

    def _sync_all(self, directory: Directory) -> None:
        directory.sync()
        for node in directory.current.values():
            if isinstance(node, Directory):
                self._sync_all(node)


class Call(NamedTuple):
    """A system call as strace logs it."""

    name: str
    arguments: list[str]
    result: int

    def plain(self, number: int) -> str:
        """An argument that is a number or flags."""
        return self.arguments[number]

    @property
    def content(self) -> bytes:
        """What is written."""
        return _bytes(self.arguments[1])

    @property
    def descriptor(self) -> tuple[int, str]:
        """The open file that it is about: its number, and its path if it still has a name."""
        found = re.fullmatch(r"(\d+)<(.*?)>(\(deleted\))?", self.arguments[0])
        if found is None:
            return -1, ""
        return int(found[1]), "" if found[3] else _text(found[2])

    @property
    def paths(self) -> list[str]:
        """Its paths; relative ones begin where openat tells, or else where the script does."""
        found = re.match(r"AT_FDCWD<(.*)>", self.arguments[0])
        base = Path(_text(found[1])) if found else ROOT
        return [str(base / _text(each)) for each in self.arguments if each.startswith('"')]


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.strip('"').replace("\\x", ""))


def _text(hexadecimal: str) -> str:
    return _bytes(hexadecimal).decode(errors="replace")


@dataclass(frozen=True)
class Recording:
    """The calls of a script on a directory, after a copy of what the directory had before."""

    root: Path
    before: Disk
    log: Path
    done: subprocess.CompletedProcess[str]

    @property
    def acknowledgement(self) -> str:
        """The directory that the script makes when its work is done."""
        return acknowledgement(self.root)

    def calls(self) -> Iterator[Call]:
        """All calls, in the order in which they ended."""
        line = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)(?:<.*)?$")
        with self.log.open() as lines:
            for found in map(line.match, lines):
                if found:
                    yield Call(found[1], found[2].split(", "), int(found[3]))

    def images(self, seed: int, random_ones: int = 2) -> list[Image]:
        """What the disk may hold, if the power is cut before each sync, before and after the
        acknowledgement, and at the end; each once, the later one of two that are equal."""
        rng, disk, acknowledged = Random(seed), self.before, False
        found: dict[bytes, Image] = {}

        def cut(before: str) -> None:
            for how, data, names in variants(rng, random_ones):
                tree = disk.tree(data, names)
                image = Image(tree, acknowledged, f"before {before}, the disk had {how}")
                found[digest(tree)] = image

        for number, call in enumerate(self.calls()):
            if call.name in SYNC_CALLS:
                _, path = call.descriptor
                if (node := disk.node(path)) is not None:
                    cut(f"call {number}, {call.name} of {Path(path).name}")
                    node.sync()
            elif call.name in DATA_CALLS:
                disk.data(call.name, *call.descriptor, call)
            elif call.name in NAME_CALLS and call.paths[0] == self.acknowledgement:
                cut("the end was told")
                acknowledged = True
                cut("anything after the end was told")
            elif call.name == "openat":
                disk.open(call.paths[0], call.result, call.plain(2).split("|"))
            elif call.name in NAME_CALLS:
                disk.rename(call.name, *call.paths, *([None] if len(call.paths) < 2 else []))
            elif disk.node(call.descriptor[1]) or any(map(disk.has, call.paths)):
                raise NotImplementedError(f"The disk does not know {call.name} {call.arguments}.")
        cut("the last call had any successor")
        return list(found.values())


def variants(rng: Random, random_ones: int) -> Iterator[tuple[str, Iterator[bool], Iterator[bool]]]:
    """Which of the pending writes and of the pending names the disk took."""
    some: dict[str, Callable[[], Iterator[bool]]] = {
        "no": lambda: repeat(False),
        "all": lambda: repeat(True),
        "every other": lambda: cycle((True, False)),
    }
    for (data, written), (names, named) in ((d, n) for d in some.items() for n in some.items()):
        yield f"{data} data and {names} names since", written(), named()
    for number in range(random_ones):
        coins = _coins(Random(rng.random()))
        yield f"data and names at random ({number})", coins, coins


def _coins(rng: Random) -> Iterator[bool]:
    while True:
        yield rng.random() < 0.5


def digest(tree: Tree) -> bytes:
    """The same for equal trees, and for no others."""
    hashed = blake2b(digest_size=16)
    for path, content in sorted(tree.items()):
        length = -1 if content is None else len(content)
        hashed.update(f"{path}\0{length}\0".encode() + (content or b""))
    return hashed.digest()


def acknowledgement(root: Path) -> str:
    """The directory beside this one by which a script tells that its work is done."""
    return f"{root}.done"


def record(script: str, root: Path, environment: Mapping[str, str]) -> Recording:
    """What a shell's script does to a directory; it tells by `"$DONE"` that its work is done."""
    log = root.with_name(f"{root.name}.strace")
    calls = (*DATA_CALLS, *NAME_CALLS, *SYNC_CALLS, *OTHER_CALLS)
    strace = ["strace", "-f", "-y", "-qq", "--successful-only", "-xx", "--string-limit=99999999"]
    what = ["--seccomp-bpf", f"--trace={','.join(calls)}", f"--output={log}"]
    disk = Disk(root)
    done = subprocess.run(
        [*strace, *what, "sh", "-e", "-c", script],
        cwd=ROOT,
        env={**environment, "DONE": f"mkdir {acknowledgement(root)}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        start_new_session=True,  # without a terminal, so that passwords are read from a pipe
    )
    return Recording(root, disk, log, done)


def write(tree: Tree, root: Path) -> None:
    """Makes the empty directory hold this, for its owner's eyes only."""
    for path, content in sorted(tree.items()):
        if content is None:
            (root / path).mkdir(mode=0o700)
        else:
            (root / path).touch(mode=0o600)
            (root / path).write_bytes(content)
