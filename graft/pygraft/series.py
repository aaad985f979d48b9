# SPDX-License-Identifier: GPL-2.0
"""Write the graft as a series of patches, one for each part.

A scratch repository holds only the files that the hooks change; each part is put on
top, and git writes the patches.  The kernel tree itself is only read.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import GraftError, hooks, overlay

ORDER = ("fix", "fix-collect", "fix-pin", "fix-move", "core", "syscall", "kunit", "mock", "bench", "sample", "selftests", "docs")
SOURCE = re.compile(r'^\s*source\s+"([^"]+)"')


class Scratch:
    """A small git repository with the author, and the date, of the project's."""

    def __init__(self, top: Path, repo: Path):
        self.top = top
        # The environment of a hook or a worktree would lead git elsewhere
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        name = self._identity(repo, "user.name", "%an")
        email = self._identity(repo, "user.email", "%ae")
        date = self._ask(repo, "log", "-1", "--format=%aI") or "2000-01-01T00:00:00Z"
        self.env.update(GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=email, GIT_AUTHOR_DATE=date,
                        GIT_COMMITTER_NAME=name, GIT_COMMITTER_EMAIL=email,
                        GIT_COMMITTER_DATE=date, GIT_CONFIG_NOSYSTEM="1",
                        GIT_CONFIG_GLOBAL=os.devnull)
        self.git("init", "-q")

    def _ask(self, repo: Path, *args: str) -> str:
        done = subprocess.run(["git", "-C", str(repo), *args], env=self.env, check=False,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def _identity(self, repo: Path, key: str, last_author: str) -> str:
        value = self._ask(repo, "config", key) or \
            self._ask(repo, "log", "-1", f"--format={last_author}")
        if not value:
            raise GraftError(f"who is the author? set one: git config {key} ...")
        return value

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", "-C", str(self.top), "-c", "core.hooksPath=/dev/null",
                               *args], env=self.env, check=False, capture_output=True, text=True)
        if done.returncode:
            raise GraftError(f"git {args[0]}: {done.stderr.strip()}")
        return done.stdout

    def put(self, name: str, data: bytes, mode: int = 0o644) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)


def without_later_sources(text: str, present: set[str], coming: set[str]) -> str:
    """Kconfig without the `source` lines of parts that are still to come."""
    kept = []
    for line in text.splitlines(keepends=True):
        match = SOURCE.match(line)
        if not match or match[1] in present or match[1] not in coming:
            kept.append(line)
    return "".join(kept).rstrip("\n") + "\n"


def put_files(scratch: Scratch, files: list[overlay.Entry], present: set[str],
              coming: set[str]) -> None:
    for entry in files:
        data = entry.source.read_bytes()
        if entry.source.name == "Kconfig":
            data = without_later_sources(data.decode(), present, coming).encode()
        scratch.put(entry.target, data, entry.source.stat().st_mode & 0o755 | 0o644)


def put_hooks(scratch: Scratch, table: list[hooks.Hook]) -> None:
    for hook in table:
        path = scratch.top / hook.file
        scratch.put(hook.file, hooks.apply(hook, path.read_text()).encode(),
                    path.stat().st_mode & 0o777)


def build(tree, scratch: Scratch) -> None:
    """One commit for each part that is there."""
    files = overlay.entries(tree.repo, tree.mapping)
    targets = {e.target for e in files}
    wanted = tree.wanted_hooks(targets)
    for name in sorted({h.file for h in wanted}):
        path = tree.top / name
        scratch.put(name, path.read_bytes(), path.stat().st_mode & 0o777)
    scratch.git("add", "-A")
    scratch.git("commit", "-q", "-m", "pristine")
    parts = {e.part for e in files} | {h.part for h in wanted}
    if parts - set(ORDER):
        raise GraftError(f"no place in the series for: {', '.join(sorted(parts - set(ORDER)))}")
    done: list[str] = []
    for part in (p for p in ORDER if p in parts):
        done.append(part)
        so_far = [e for e in files if e.part in done]
        put_files(scratch, so_far, {e.target for e in so_far}, targets)
        put_hooks(scratch, [h for h in wanted if h.part == part])
        scratch.git("add", "-A", "-f")
        scratch.git("commit", "-q", "-s", "-F", str(tree.repo / "graft/messages" / part))


def write(tree, out: Path) -> str:
    """Write out/000N-*.patch anew; what was written."""
    if tree.old_hooks:
        raise GraftError(f"{tree.top} has GMEM in it: the series needs a pristine tree")
    with tempfile.TemporaryDirectory(prefix="gmem-series-") as folder:
        scratch = Scratch(Path(folder), tree.repo)
        build(tree, scratch)
        fresh = Path(folder) / ".git" / "series"
        base = scratch.git("rev-list", "--max-parents=0", "HEAD").strip()
        scratch.git("format-patch", "-q", "--no-signature", "--zero-commit", "-o", str(fresh), base)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(fresh, out)
    return "\n".join(str(path) for path in sorted(out.iterdir()))
