# SPDX-License-Identifier: GPL-2.0
"""A kernel tree with GMEM grafted into it, and what was done to it.

The manifest in the tree records the hooks and files put there, so that they can
be taken out again even after the tables have changed, and the stamps of the
hooked files before that, so that a copy of the tree can be kept up to date.
It is written before the first change: an interrupted graft is finished or
undone by running it again.
"""

import json
import os
from pathlib import Path

from . import GraftError, hooks, overlay
from .files import remove_with_empty_parents, write_if_changed

MANIFEST = ".gmem-graft.json"


class Tree:
    def __init__(self, top: Path, repo: Path):
        self.top = top
        self.repo = repo
        self.table = hooks.read_table(repo / "graft/hooks")
        self.mapping = overlay.read_table(repo / "graft/overlay")
        if not (top / "mm/Kconfig").is_file() or not (top / "Kbuild").is_file():
            raise GraftError(f"{top}: not a kernel tree")
        path = top / MANIFEST
        data = json.loads(path.read_text()) if path.is_file() else {}
        self.old_hooks = [hooks.Hook.from_json(h) for h in data.get("hooks", [])]
        self.old_files: list[str] = data.get("files", [])
        self.stamps: dict[str, list[int]] = data.get("stamps", {})

    def _save(self, now: list[hooks.Hook], files: list[str]) -> None:
        data = {"hooks": [h.to_json() for h in now], "files": files, "stamps": self.stamps}
        write_if_changed(self.top / MANIFEST, json.dumps(data, indent=1).encode())

    def _read(self, name: str) -> str:
        if (self.top / name).is_symlink():
            raise GraftError(f"{name}: is a symbolic link: hook the file it leads to")
        try:
            return (self.top / name).read_text()
        except OSError as error:
            raise GraftError(f"{name}: {error.strerror}; is this a Linux 7.2 tree?") from None

    def wanted_hooks(self, targets: set[str]) -> list[hooks.Hook]:
        """The hooks whose part is there."""
        return [h for h in self.table if h.needs in targets]

    def _rewrite(self, drop: list[hooks.Hook], add: list[hooks.Hook]) -> dict[str, str]:
        """The new contents of every hooked file, without touching the tree."""
        contents: dict[str, str] = {}
        for change, group in ((hooks.remove, reversed(drop)), (hooks.apply, add)):
            for hook in group:
                if hook.file not in contents:
                    contents[hook.file] = self._read(hook.file)
                contents[hook.file] = change(hook, contents[hook.file])
        return contents

    def _note_stamps(self, add: list[hooks.Hook]) -> None:
        """Record each file's stamp from before its first hook."""
        stamps = {}
        for name in {h.file for h in add}:
            own = [h for h in self.old_hooks if h.file == name]
            content = self._read(name)
            if name in self.stamps and any(hooks.applied(h, content) for h in own):
                stamps[name] = self.stamps[name]
            else:
                stat = (self.top / name).stat()
                stamps[name] = [stat.st_size, stat.st_mtime_ns]
        self.stamps = stamps

    def _write(self, contents: dict[str, str]) -> int:
        return sum(write_if_changed(self.top / name, text.encode(), self.top / name)
                   for name, text in contents.items())

    def _restore_times(self) -> None:
        """Files that are as they were also look it, to make and to mirror-tree."""
        for name, (size, mtime) in self.stamps.items():
            path = self.top / name
            if path.stat().st_size == size:
                os.utime(path, ns=(path.stat().st_atime_ns, mtime))

    def apply(self) -> str:
        """Bring the tree to what the repository says now."""
        files = overlay.entries(self.repo, self.mapping)
        targets = {e.target for e in files}
        for entry in files:
            if entry.target not in self.old_files and (self.top / entry.target).exists() \
               and (self.top / entry.target).read_bytes() != entry.source.read_bytes():
                raise GraftError(f"{entry.target}: is in the kernel tree already, and differs")
        wanted = self.wanted_hooks(targets)
        gone = [h for h in self.old_hooks if h not in wanted]
        contents = self._rewrite(gone, wanted)
        self._note_stamps(wanted)
        self._save(self.old_hooks + [h for h in wanted if h not in self.old_hooks],
                   sorted(set(self.old_files) | targets))
        changed = sum(write_if_changed(self.top / e.target, e.source.read_bytes(), e.source)
                      for e in files)
        changed += self._write(contents)
        vanished = set(self.old_files) - targets
        for name in sorted(vanished):
            remove_with_empty_parents(self.top / name, self.top)
        self._save(wanted, sorted(targets))
        return (f"{len(files)} files, {len(wanted)} hooks; "
                f"{changed} files written, {len(vanished)} removed")

    def remove(self) -> str:
        """Leave the tree as it was before the first graft."""
        self._write(self._rewrite(self.old_hooks, []))
        self._restore_times()
        for name in self.old_files:
            remove_with_empty_parents(self.top / name, self.top)
        (self.top / MANIFEST).unlink(missing_ok=True)
        return f"{len(self.old_files)} files and {len(self.old_hooks)} hooks removed"

    def status(self) -> tuple[str, bool]:
        """What apply() would find to do, and whether that is nothing."""
        files = overlay.entries(self.repo, self.mapping)
        wanted = self.wanted_hooks({e.target for e in files})
        missing = [h for h in wanted if not hooks.applied(h, self._read(h.file))]
        stale = [e for e in files if not (self.top / e.target).is_file()
                 or (self.top / e.target).read_bytes() != e.source.read_bytes()]
        extra = set(self.old_files) - {e.target for e in files}
        lines = [f"hook missing: {h.file}: {hooks.normal(h.text[-1])}" for h in missing]
        lines += [f"file differs: {e.target}" for e in stale]
        lines += [f"file left over: {name}" for name in sorted(extra)]
        return "\n".join(lines or [f"grafted: {len(files)} files, {len(wanted)} hooks"]), not lines
