"""On what kind of file system a folder lies: databases are safe on a local disk only. Knows no database."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

MOUNTINFO = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {"9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb", "smb2", "smb3", "smbfs", "webdav"}
)
NETWORK_FUSE = ("ceph", "dav", "gluster", "gvfs", "juicefs", "mfs", "rclone", "s3", "smb", "sshfs")


def network_file_system(folder: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """Name of the network file system that the folder lies on ("nfs4"), or None on a local disk or where unknown."""
    path = Path(os.path.realpath(folder))
    if str(path).startswith(("\\\\", "//")):
        return "smb"
    mounts = _linux(mountinfo) if mountinfo.exists() else _elsewhere()
    kind = max(_holding(path, mounts), default=(0, 0, ""))[2]
    return kind if is_network(kind) else None


def is_network(kind: str) -> bool:
    """Whether a file system of this name lies on another machine."""
    name = kind.lower()
    return name in NETWORK or (name.startswith("fuse.") and name[5:].startswith(NETWORK_FUSE)) or name == "remote"


def _holding(path: Path, mounts: Iterable[tuple[str, str]]) -> Iterable[tuple[int, int, str]]:
    """The mounts that the path lies under; the deepest counts, and of two on one point the later (autofs, then nfs)."""
    for order, (point, kind) in enumerate(mounts):
        if path.is_relative_to(point):
            yield len(point), order, kind


def _linux(mountinfo: Path) -> Iterable[tuple[str, str]]:
    """Mount points and kinds; the format is that of proc(5), with blanks as octal escapes."""
    for line in mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:
            yield _unescaped(fields[4]), after.split(" ")[0]


def _unescaped(text: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text


def _elsewhere() -> Iterable[tuple[str, str]]:
    for part in psutil.disk_partitions(all=True):
        yield part.mountpoint, "remote" if "remote" in part.opts.split(",") else part.fstype
